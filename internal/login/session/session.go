// Package session owns what a login leaves behind: the session, its token, and
// the answer to the question whether a token is still good (decisions B11 and
// B12). Sessions are listed and ended here.
//
// It does not check passwords (package gate) and signs nothing itself (package
// identity); of the tokens of firms' clients it only knows whom to ask. Sessions
// are kept in the account (package customer), which is read each time, so that a
// logout is known to every instance at once.
package session

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"ccms/internal/identity"
	"ccms/internal/login/customer"
	"ccms/internal/login/trail"
	"ccms/internal/problem"
	"ccms/internal/store"
)

// customerScope is the scope of a cardholder's token (decision B11).
const customerScope = identity.ScopeAccount + " " + identity.ScopeCards

// Config is what New needs. The defaults are those of login.Config.
type Config struct {
	Customers *customer.Collection
	Issuer    *identity.Issuer
	Verifier  *identity.Verifier
	Trail     *trail.Trail
	// Clients says whether a client's token counts; nil: none does.
	Clients func(ctx context.Context, p identity.Principal) (identity.Principal, error)
	TTL     time.Duration // life of a token and its session
	Idle    time.Duration // a session ends this long after its last use
	// Now is the clock, in the precision of the store.
	Now func() time.Time
}

// Sessions are those of all accounts.
type Sessions struct{ cfg Config }

// New returns the sessions of cfg.Customers.
func New(cfg Config) *Sessions { return &Sessions{cfg} }

// Fresh is a session that may begin now.
func (s *Sessions) Fresh(from trail.Caller) customer.Session {
	now := s.cfg.Now()
	return customer.Session{ID: rand.Text(), Created: now, Seen: now, Expires: now.Add(s.cfg.TTL), Network: from.Network, Device: from.Device}
}

// Begin adds v to the account c, which the caller then stores.
func (s *Sessions) Begin(c *customer.Customer, v customer.Session) { c.Begin(v, s.cfg.Idle) }

// Token makes the token of a session of the account.
func (s *Sessions) Token(ctx context.Context, rec customer.Record, id string) (string, error) {
	c := rec.Value
	return s.cfg.Issuer.Issue(ctx, identity.Claims{
		Subject: rec.ID, Session: id, Username: c.Username, Email: c.Email,
		Validated: &c.AccountValidated, Scope: customerScope,
	}, s.cfg.TTL)
}

// Check finds out which person's token this is and counts that as use of the
// session behind it: UNAUTHORIZED, TOKEN_EXPIRED or a failure of the store. The
// principal shows the account as it is now, not as the token has it. A client's
// token that is good is no person's: FORBIDDEN (decision B13), as at every route
// that wants the other kind.
func (s *Sessions) Check(ctx context.Context, token string) (identity.Principal, error) {
	p, err := s.checkAny(ctx, token)
	if err == nil && p.ClientID != "" {
		p, err = identity.Principal{}, problem.NeedsScope(identity.ScopeAccount).With("This path is for people who are logged in, not for clients.")
	}
	return p, err
}

// checkAny is Check for tokens of clients too.
func (s *Sessions) checkAny(ctx context.Context, token string) (identity.Principal, error) {
	p, err := s.cfg.Verifier.Verify(ctx, token)
	if err != nil {
		return identity.Principal{}, err
	}
	if p.ClientID != "" && s.cfg.Clients != nil {
		return s.cfg.Clients(ctx, p)
	}
	return s.person(ctx, p)
}

// person returns the person behind a verified token.
func (s *Sessions) person(ctx context.Context, p identity.Principal) (identity.Principal, error) {
	if p.ClientID != "" {
		return identity.Principal{}, problem.NoToken()
	}
	rec, err := s.cfg.Customers.Present(ctx, p.Subject)
	if err != nil {
		return identity.Principal{}, err
	}
	now, v := s.cfg.Now(), rec.Value.Session(p.Session)
	if v == nil || !v.Live(now, s.cfg.Idle) {
		return identity.Principal{}, problem.NoToken()
	}
	s.touch(ctx, rec, v, now)
	p.Username, p.Email, p.Validated = rec.Value.Username, rec.Value.Email, rec.Value.AccountValidated
	return p, nil
}

// touch records the use of rec's session v, at most every tenth of the idle
// limit: the limit is exact to that. A use that cannot be recorded counts all the
// same, so that a full disk stops no reading: the next one is recorded instead, or
// the session ends earlier than it had to. Mostly somebody else wrote at this
// moment (store.ErrStale); a store that fails tells so itself.
func (s *Sessions) touch(ctx context.Context, rec customer.Record, v *customer.Session, now time.Time) {
	if now.Sub(v.Seen) < s.cfg.Idle/10 {
		return
	}
	v.Seen = now
	_ = s.cfg.Customers.Replace(ctx, rec)
}

// logOut ends the session of an authentic token, expired or not, and, if all
// is asked for, every session of its account. Only a live session may end the
// others: an old token that leaked must not log its owner out for ever.
func (s *Sessions) logOut(ctx context.Context, from trail.Caller, token string, all bool) error {
	p, err := s.cfg.Verifier.Verify(ctx, token)
	if err != nil && !errors.Is(err, problem.ExpiredToken()) {
		return err
	}
	if p.ClientID != "" { // it has no session, and is revoked elsewhere
		_, err = s.Check(ctx, token)
		return err
	}
	rec, err := s.cfg.Customers.Get(ctx, p.Subject)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	v := rec.Value.Session(p.Session)
	if v == nil {
		return nil // logged out before
	}
	if all && v.Live(s.cfg.Now(), s.cfg.Idle) {
		return s.endAll(ctx, from, p.Subject)
	}
	return s.end(ctx, from, p.Subject, p.Session)
}

// endOwn ends one live session of p's account; another's is unknown to him,
// NOT_FOUND.
func (s *Sessions) endOwn(ctx context.Context, from trail.Caller, p identity.Principal, id string) error {
	if _, err := s.get(ctx, p, id); err != nil {
		return err
	}
	return s.end(ctx, from, p.Subject, id)
}

func (s *Sessions) end(ctx context.Context, from trail.Caller, account, id string) error {
	act := trail.Act{Name: "customer.logout", Account: account, From: from}
	return s.endSome(ctx, act, func(v customer.Session) bool { return v.ID == id })
}

// endAll ends every session of an account.
func (s *Sessions) endAll(ctx context.Context, from trail.Caller, account string) error {
	act := trail.Act{Name: "customer.logout.all", Account: account, From: from}
	return s.endSome(ctx, act, func(customer.Session) bool { return true })
}

func (s *Sessions) endSome(ctx context.Context, act trail.Act, which func(customer.Session) bool) error {
	return s.cfg.Trail.Do(ctx, act, func() error {
		_, err := s.cfg.Customers.Update(ctx, act.Account, func(c *customer.Customer) error {
			c.Sessions = slices.DeleteFunc(c.Sessions, which)
			return nil
		})
		if errors.Is(err, store.ErrNotFound) {
			return nil // erased, and its sessions with it
		}
		return err
	})
}

// View is how a session is shown to its owner.
type View struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"lastSeen"`
	Expires time.Time `json:"expires"`
	Network string    `json:"network"`
	Device  string    `json:"device"`
	Current bool      `json:"current"`
}

// List gives the live sessions of p's account, oldest first.
func (s *Sessions) List(ctx context.Context, p identity.Principal) ([]View, error) {
	rec, err := s.cfg.Customers.Present(ctx, p.Subject)
	if err != nil {
		return nil, err
	}
	views, now := []View{}, s.cfg.Now()
	for _, v := range rec.Value.Sessions {
		if v.Live(now, s.cfg.Idle) {
			views = append(views, View{
				ID: v.ID, Created: v.Created, Seen: v.Seen, Expires: v.Expires,
				Network: v.Network, Device: v.Device, Current: v.ID == p.Session,
			})
		}
	}
	return views, nil
}

// get returns one live session of p's account; another's is unknown to him,
// NOT_FOUND.
func (s *Sessions) get(ctx context.Context, p identity.Principal, id string) (View, error) {
	views, err := s.List(ctx, p)
	if err != nil {
		return View{}, err
	}
	at := slices.IndexFunc(views, func(v View) bool { return v.ID == id })
	if at < 0 {
		return View{}, problem.NoResource()
	}
	return views[at], nil
}
