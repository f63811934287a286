package customer

import (
	"context"
	"errors"
	"time"

	"ccms/internal/problem"
	"ccms/internal/store"
)

// Record is an account with its id and revision.
type Record = store.Record[Customer]

// Collection holds the accounts.
type Collection struct{ *store.Of[Customer] }

// Open opens the collection Customer.
func Open(ctx context.Context, db store.DB) (*Collection, error) {
	all, err := store.Open[Customer](ctx, db, store.Spec{
		Name:    "Customer",
		Unique:  []string{"usernameKey", "emailKey"},
		Ordered: []string{"unverifiedUntil", "erasing"},
	})
	return &Collection{all}, err
}

// ByEmail finds the account with an address, given its key; ok is false when
// there is none.
func (c *Collection) ByEmail(ctx context.Context, key string) (rec Record, ok bool, err error) {
	return c.by(ctx, "emailKey", key)
}

// ByUsername finds the account with a username, given its key.
func (c *Collection) ByUsername(ctx context.Context, key string) (rec Record, ok bool, err error) {
	return c.by(ctx, "usernameKey", key)
}

func (c *Collection) by(ctx context.Context, field, key string) (Record, bool, error) {
	return found(c.First(ctx, store.Query{Where: []store.Cond{{Field: field, Op: store.Eq, Value: key}}}))
}

// ByID finds an account that is not being erased.
func (c *Collection) ByID(ctx context.Context, id string) (rec Record, ok bool, err error) {
	rec, ok, err = found(c.Get(ctx, id))
	return rec, ok && rec.Value.Erasing == nil, err
}

func found(rec Record, err error) (Record, bool, error) {
	if errors.Is(err, store.ErrNotFound) {
		return rec, false, nil
	}
	return rec, err == nil, err
}

// Present reads the account somebody is logged in to. When it is gone, or being
// erased, he is told that his token is no good.
func (c *Collection) Present(ctx context.Context, id string) (Record, error) {
	rec, ok, err := c.ByID(ctx, id)
	if err == nil && !ok {
		err = problem.NoToken()
	}
	return rec, err
}

// Change is Update of such an account. That it is not being erased is for
// change to say, which sees the current state.
func (c *Collection) Change(ctx context.Context, id string, change func(*Customer) error) (Record, error) {
	rec, err := c.Update(ctx, id, change)
	if errors.Is(err, store.ErrNotFound) {
		err = problem.NoToken()
	}
	return rec, err
}

// Unverified are the accounts whose time to be verified is over at a moment.
func Unverified(at time.Time) store.Query { return overdue("unverifiedUntil", at) }

// Erased are the accounts that were marked for erasure by a moment.
func Erased(at time.Time) store.Query { return overdue("erasing", at) }

func overdue(field string, at time.Time) store.Query {
	return store.Query{Where: []store.Cond{{Field: field, Op: store.Le, Value: at}}, Order: field}
}
