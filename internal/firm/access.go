package firm

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
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

func callerOf(r *http.Request) Caller {
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

// do runs f as an audited act: on record before it happens, its outcome behind
// it. Without the record it does not happen (decision D9).
func (s *Service) do(ctx context.Context, by Caller, a act, f func() error) error {
	recorded, err := s.cfg.Audit.Begin(ctx, audit.Entry{
		Act: a.name, Actor: by.ID, Object: a.object, Owner: a.firm,
		From: by.Address, Request: by.Request, Reason: a.reason,
	})
	if err != nil {
		return err
	}
	err = f()
	if endErr := recorded.End(ctx, outcome(err)); endErr != nil {
		// The act is on record and has happened; only its outcome is missing.
		s.cfg.Log.WarnContext(ctx, "outcome of an act was not recorded", "event.action", a.name, "error.message", endErr)
	}
	return err
}

func outcome(err error) string {
	if err == nil {
		return audit.Success
	}
	switch problem.From(err).Kind {
	case problem.Internal, problem.Unavailable, problem.Timeout:
		return audit.Failed
	}
	return audit.Refused
}

// right is what one thing a person may do asks of him.
type right struct {
	least     Role // of a member
	operator  bool // whether operators may, whose firm it is not
	suspended bool // whether members may while the firm is suspended
}

// The rights there are. Operators see to it that a firm has an owner; its clients
// are none of theirs.
func mayRead() right          { return right{Viewer, true, true} }
func mayRename() right        { return right{Admin, false, false} }
func mayChangeMembers() right { return right{Admin, true, false} }
func mayLeave() right         { return right{Viewer, true, true} }
func mayReadClients() right   { return right{Viewer, false, true} }
func mayUseClients() right    { return right{Admin, false, false} }

// standing is how a person stands to a firm.
type standing struct {
	firm     Firm
	role     Role // "" for none
	operator bool
}

// has reports whether a right is his; its error is FORBIDDEN.
func (w standing) has(r right) error {
	switch {
	case w.operator && r.operator:
		return nil
	case w.role.rank() < r.least.rank():
		return problem.Denied("This needs another role in the firm.")
	case w.firm.Suspended && !r.suspended:
		return problem.Denied("The firm is suspended.")
	}
	return nil
}

// mayGrant reports whether he may give or take away a role: what owners are is
// for owners and operators alone.
func (w standing) mayGrant(role Role) error {
	if role == Owner && w.role != Owner && !w.operator {
		return problem.Denied("Only an owner makes or removes owners.")
	}
	return nil
}

// person authenticates a person whose address is confirmed: a client has no say
// in who looks after it (decision B13).
func (s *Service) person(r *http.Request) (identity.Principal, error) {
	p, err := s.cfg.Authenticate(r)
	switch {
	case err != nil:
		return p, err
	case p.ClientID != "" || p.FirmID != "" || p.Subject == "":
		return p, problem.Denied("This path is for people who are logged in, not for clients.")
	case !p.Validated:
		return p, problem.Unverified()
	}
	return p, nil
}

// stand finds out how the caller stands to the firm in the path and whether
// that gives him a right. A firm he has nothing to do with is as unknown to him
// as one that does not exist (decision D1).
func (s *Service) stand(r *http.Request, needs right) (standing, error) {
	ctx := r.Context()
	f, err := s.Firm(ctx, r.PathValue("firm"))
	if err != nil {
		return standing{}, unknown(err)
	}
	subject := identity.FromContext(ctx).Subject
	w := standing{firm: f, role: f.role(subject)}
	if w.role == "" {
		if w.firm, w.role, err = s.join(ctx, callerOf(r), f); err != nil {
			return w, err
		}
	}
	if w.operator, err = s.isOperator(ctx, subject); err != nil {
		return w, err
	}
	if w.role == "" && !w.operator {
		return w, problem.NoResource()
	}
	return w, w.has(needs)
}

// needOperator is FORBIDDEN for who is none.
func (s *Service) needOperator(ctx context.Context, subject string) error {
	is, err := s.isOperator(ctx, subject)
	if err == nil && !is {
		err = problem.Denied("This is for operators.")
	}
	return err
}

func (s *Service) isOperator(ctx context.Context, subject string) (bool, error) {
	_, marks, err := s.cfg.Accounts.ByID(ctx, subject)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return slices.Contains(marks, markOperator), err
}

// unknown turns the store's word for it into the contract's.
func unknown(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return problem.NoResource()
	}
	return err
}
