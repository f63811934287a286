package firm

import (
	"context"
	"errors"
	"net/http"

	"ccms/internal/audit"
	"ccms/internal/firm/operators"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/listing"
	"ccms/internal/problem"
	"ccms/internal/store"
)

// Caller is on whose behalf something is done, for the record.
type Caller struct {
	ID      string // of the account or service
	Address string
	Request string
}

// Administrator is who gives commands on the machine itself.
func Administrator() Caller { return Caller{ID: "administrator"} }

// CallerOf is who sent r, once he is authenticated.
func CallerOf(r *http.Request) Caller {
	return Caller{
		ID:      identity.FromContext(r.Context()).Subject,
		Address: httpserver.Client(r).String(),
		Request: httpserver.RequestID(r.Context()),
	}
}

// act is something done to a firm or a client.
type act struct {
	name   string // a dotted word: "client.create"
	firm   string // "" for what belongs to none
	object string // what it is done to
	reason string
}

func (a act) entry(by Caller) audit.Entry {
	e := by.Record()
	e.Act, e.Object, e.Owner, e.Reason = a.name, a.object, a.firm, a.reason
	return e
}

// do runs f as an audited act: on record before it happens, its outcome behind
// it, for which nobody waits. Without the record it does not happen (decision D9).
func (s *Service) do(ctx context.Context, by Caller, a act, f func() error) error {
	return s.recorded(ctx, a.entry(by), f)
}

func (s *Service) recorded(ctx context.Context, e audit.Entry, f func() error) error {
	return s.cfg.Audit.Do(ctx, e, func(*audit.Act) error { return f() })
}

// Person authenticates a person whose address is confirmed: a client has no say
// in who looks after it (decision B13).
func (s *Service) Person(r *http.Request) (identity.Principal, error) {
	p, err := s.cfg.Authenticate(r)
	switch {
	case err != nil:
		return p, err
	case p.ClientID != "" || p.FirmID != "" || p.Subject == "":
		return p, problem.NeedsScope(identity.ScopeAccount).With("This path is for people who are logged in, not for clients.")
	case !p.Validated:
		return p, problem.Unverified()
	}
	return p, nil
}

// Standing is how a person stands to a firm.
type Standing struct {
	Firm     Firm
	Role     Role // "" for none
	Operator bool // runs this installation
}

// Stand finds out how somebody stands to a firm. One he has nothing to do with is
// as unknown to him as one that does not exist (decision D1): NOT_FOUND.
func (s *Service) Stand(ctx context.Context, by Caller, firm string) (w Standing, err error) {
	if w.Firm, w.Role, err = s.belong(ctx, by, firm); err != nil {
		return w, unknown(err)
	}
	if w.Operator, err = s.operators.Is(ctx, by.ID); err != nil {
		return w, err
	}
	if w.Role == "" && !w.Operator {
		return w, problem.NoResource()
	}
	return w, nil
}

// mayGrant reports whether he may give or take away a role: what owners are is
// for owners and operators alone.
func (w Standing) mayGrant(role Role) error {
	if role == Owner && w.Role != Owner && !w.Operator {
		return problem.Denied("Only an owner makes or removes owners.")
	}
	return nil
}

// Operators are those who run this installation.
func (s *Service) Operators() *operators.Operators { return s.operators }

// Record is c as who does something, for the record.
func (c Caller) Record() audit.Entry {
	return audit.Entry{Actor: c.ID, From: c.Address, Request: c.Request}
}

// unknown turns the store's word for it into the contract's.
func unknown(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return problem.NoResource()
	}
	return err
}

// Records returns a page of what is on record of a firm, as Page of package audit
// does; f.After and what is returned are cursors of this list. That somebody
// begins to read it is on record too (PCI DSS 10.2.1.3).
func (s *Service) Records(ctx context.Context, by Caller, firm string, f audit.Filter) ([]audit.Row, string, error) {
	list := "audit/" + firm
	var err error
	if f.After, err = listing.Place(list, f.After); err != nil {
		return nil, "", err
	}
	f.Owner = firm
	if f.After == "" {
		read := act{name: "audit.read", firm: firm, object: firm}
		if err := s.cfg.Audit.Note(ctx, read.entry(by), audit.Success); err != nil {
			return nil, "", err
		}
	}
	rows, next, err := s.cfg.Audit.Page(ctx, f)
	if errors.Is(err, audit.ErrPlace) {
		err = listing.NotGiven()
	}
	return rows, listing.Cursor(list, next), err
}
