// Package operators owns who runs this installation (decision B13): accounts that
// carry a mark, and the list of them. The first is made by a command on the
// machine, the rest by one another.
//
// The mark alone gives the right, and is read anew each time; the list only tells
// where to look, so that nobody reads all accounts to find a few.
package operators

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ccms/internal/audit"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/store"
)

// Accounts are people's, in the login service.
type Accounts interface {
	// ByID returns the account with an id and the marks it carries;
	// store.ErrNotFound when there is none, or it is being erased.
	ByID(ctx context.Context, id string) (identity.Principal, []string, error)
	// ByEmail returns the account with an address, given its key, or
	// store.ErrNotFound. Validated says whether the address was confirmed.
	ByEmail(ctx context.Context, key string) (identity.Principal, error)
	// Mark puts a mark on an account, or takes it off; both may be repeated.
	Mark(ctx context.Context, id, mark string, on bool) error
	// Key is how addresses are compared; ok is false for what is no address.
	Key(address string) (key string, ok bool)
}

// Config is what Open needs.
type Config struct {
	DB       store.DB
	Accounts Accounts
	// Act does f as an act on record: before it happens, and its outcome behind
	// it (decision D9).
	Act func(ctx context.Context, e audit.Entry, f func() error) error
	Now func() time.Time // default time.Now
}

// mark is that of an operator's account: the role itself. The mark of a member of
// a firm is the firm's id.
const mark = "operator"

// Operators knows the operators; safe for concurrent use.
type Operators struct {
	cfg  Config
	list *store.Of[entry]
}

// entry says since when somebody is one; its id is the account's.
type entry struct {
	Since time.Time `bson:"since"`
}

// Open opens the collection Operator.
func Open(ctx context.Context, cfg Config) (*Operators, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	list, err := store.Open[entry](ctx, cfg.DB, store.Spec{Name: "Operator"})
	if err != nil {
		return nil, fmt.Errorf("operators: %w", err)
	}
	return &Operators{cfg, list}, nil
}

// Operator is one as he is shown.
type Operator struct {
	ID       string    `json:"operator_id"`
	Username string    `json:"username"`
	Email    string    `json:"email"`
	Since    time.Time `json:"since"`
}

// Is reports whether an account is an operator's, as it is now.
func (o *Operators) Is(ctx context.Context, subject string) (bool, error) {
	_, marks, err := o.cfg.Accounts.ByID(ctx, subject)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return slices.Contains(marks, mark), err
}

// List returns the operators, the longest first. Each costs a read: they are few.
func (o *Operators) List(ctx context.Context) ([]Operator, error) {
	all := []Operator{}
	for rec, err := range o.list.Find(ctx, store.Query{}) {
		if err != nil {
			return nil, err
		}
		account, marks, err := o.cfg.Accounts.ByID(ctx, rec.ID)
		if errors.Is(err, store.ErrNotFound) {
			continue // erased
		}
		if err != nil {
			return nil, err
		}
		if slices.Contains(marks, mark) {
			all = append(all, Operator{rec.ID, account.Username, account.Email, rec.Value.Since})
		}
	}
	slices.SortFunc(all, func(a, b Operator) int { return a.Since.Compare(b.Since) })
	return all, nil
}

// Set makes the account with a confirmed address an operator's, or ends that; by
// says on whose behalf. It fails with store.ErrNotFound when there is none, and
// with UNVERIFIED_ACCOUNT.
func (o *Operators) Set(ctx context.Context, by audit.Entry, address string, on bool) (identity.Principal, error) {
	key, ok := o.cfg.Accounts.Key(address)
	if !ok {
		return identity.Principal{}, problem.Validation("Send an address such as name@example.com, of at most 254 characters.")
	}
	account, err := o.cfg.Accounts.ByEmail(ctx, key)
	if err != nil {
		return account, err
	}
	if !on {
		return account, o.remove(ctx, by, account.Subject)
	}
	if !account.Validated {
		return account, problem.Unverified()
	}
	by.Act, by.Object = "operator.create", account.Subject
	return account, o.cfg.Act(ctx, by, func() error {
		// Listed before it holds: what a crash leaves behind is a line that says nothing.
		since := entry{o.cfg.Now().UTC().Truncate(time.Millisecond)}
		if err := o.list.Insert(ctx, account.Subject, since); err != nil && !errors.Is(err, store.ErrExists) {
			return err
		}
		return o.cfg.Accounts.Mark(ctx, account.Subject, mark, true)
	})
}

// Remove ends that somebody is an operator. Nobody removes himself, so that one
// is left; who is none is NOT_FOUND.
func (o *Operators) Remove(ctx context.Context, by audit.Entry, id string) error {
	if id == by.Actor {
		return problem.Validation("Another operator takes the role from you, so that one is left.")
	}
	is, err := o.Is(ctx, id)
	if err == nil && !is {
		err = problem.NoResource()
	}
	if err != nil {
		return err
	}
	return o.remove(ctx, by, id)
}

func (o *Operators) remove(ctx context.Context, by audit.Entry, id string) error {
	by.Act, by.Object = "operator.remove", id
	return o.cfg.Act(ctx, by, func() error {
		if err := o.cfg.Accounts.Mark(ctx, id, mark, false); err != nil {
			return err
		}
		rec, err := o.list.Get(ctx, id)
		if err == nil {
			err = o.list.Delete(ctx, rec.ID, rec.Rev)
		}
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrStale) {
			return nil
		}
		return err
	})
}
