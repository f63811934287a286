package login

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/store"
)

// session is a login that is not over; its ID is the token's sid. Sessions
// stand in the customer's document: one read answers whether a token is good
// and what the account is now, a new password ends them in the same write, and
// a login that began before it finds the password changed. The store is asked
// each time, so a logout is known to every instance at once (decision B12).
type session struct {
	ID      string    `bson:"id"`
	Created time.Time `bson:"created"`
	Seen    time.Time `bson:"seen"`
	Expires time.Time `bson:"expires"`
	Network string    `bson:"network"`
	Device  string    `bson:"device"`
}

// maxSessions is how many sessions an account has at most; one more ends the
// oldest.
const maxSessions = 100

// customerScope is the scope of a cardholder's token (decision B11).
const customerScope = identity.ScopeAccount + " " + identity.ScopeCards

// live reports whether a session goes on.
func (s *Service) live(v session, now time.Time) bool {
	return now.Before(v.Expires) && now.Sub(v.Seen) < s.cfg.SessionIdle
}

// begin adds a session to the account and drops those that are over.
func (s *Service) begin(c *customer, v session) {
	c.Sessions = slices.DeleteFunc(c.Sessions, func(old session) bool { return !s.live(old, v.Created) })
	c.Sessions = append(c.Sessions, v)
	c.Sessions = c.Sessions[max(0, len(c.Sessions)-maxSessions):]
}

// session is the place of a session in the account, -1 when it is not there.
func (c *customer) session(id string) int {
	return slices.IndexFunc(c.Sessions, func(v session) bool { return v.ID == id })
}

// Authenticate finds out whose Bearer token came with r (decisions B11, B12):
// UNAUTHORIZED, TOKEN_EXPIRED or a failure of the store. The principal shows
// the account as it is now, not as the token has it.
func (s *Service) Authenticate(r *http.Request) (identity.Principal, error) {
	return s.authenticate(r.Context(), httpserver.Bearer(r))
}

// authenticate checks a token and the session behind it, and counts this as
// use of the session.
func (s *Service) authenticate(ctx context.Context, token string) (identity.Principal, error) {
	p, err := s.cfg.Verifier.Verify(ctx, token)
	if err != nil {
		return identity.Principal{}, err
	}
	rec, err := s.customers.Get(ctx, p.Subject)
	if err != nil {
		return identity.Principal{}, unknownIsNoToken(err)
	}
	now, at := s.now(), rec.Value.session(p.Session)
	if at < 0 || !s.live(rec.Value.Sessions[at], now) {
		return identity.Principal{}, problem.NoToken()
	}
	if err := s.touch(ctx, rec, at, now); err != nil {
		return identity.Principal{}, err
	}
	p.Username, p.Email, p.Validated = rec.Value.Username, rec.Value.Email, rec.Value.AccountValidated
	return p, nil
}

func unknownIsNoToken(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return problem.NoToken()
	}
	return err
}

// touch records the use of a session, at most every tenth of the idle limit:
// the limit is exact to that.
func (s *Service) touch(ctx context.Context, rec store.Record[customer], at int, now time.Time) error {
	if now.Sub(rec.Value.Sessions[at].Seen) < s.cfg.SessionIdle/10 {
		return nil
	}
	rec.Value.Sessions[at].Seen = now
	err := s.customers.Replace(ctx, rec)
	if errors.Is(err, store.ErrStale) {
		return nil // somebody else wrote at this moment; the next use records it
	}
	return err
}

// logOut ends the session of an authentic token, expired or not, and, if all
// is asked for, every session of its account. Only a live session may end the
// others: an old token that leaked must not log its owner out for ever.
func (s *Service) logOut(ctx context.Context, from caller, token string, all bool) error {
	p, err := s.cfg.Verifier.Verify(ctx, token)
	if err != nil && !errors.Is(err, problem.ExpiredToken()) {
		return err
	}
	rec, err := s.customers.Get(ctx, p.Subject)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	at := rec.Value.session(p.Session)
	if at < 0 {
		return nil // logged out before
	}
	if all && s.live(rec.Value.Sessions[at], s.now()) {
		return s.endAll(ctx, from, p.Subject)
	}
	return s.endSession(ctx, from, p.Subject, p.Session)
}

// endSession ends one session of an account.
func (s *Service) endSession(ctx context.Context, from caller, account, id string) error {
	return s.endSessions(ctx, act{"customer.logout", account, from}, func(v session) bool { return v.ID == id })
}

// endAll ends every session of an account.
func (s *Service) endAll(ctx context.Context, from caller, account string) error {
	return s.endSessions(ctx, act{"customer.logout.all", account, from}, func(session) bool { return true })
}

func (s *Service) endSessions(ctx context.Context, what act, which func(session) bool) error {
	return s.recorded(ctx, what, func() error {
		_, err := s.customers.Update(ctx, what.account, func(c *customer) error {
			c.Sessions = slices.DeleteFunc(c.Sessions, which)
			return nil
		})
		if errors.Is(err, store.ErrNotFound) {
			return nil // erased, and its sessions with it
		}
		return err
	})
}

// sessionView is how a session is shown to its owner.
type sessionView struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"lastSeen"`
	Expires time.Time `json:"expires"`
	Network string    `json:"network"`
	Device  string    `json:"device"`
	Current bool      `json:"current"`
}

// sessionsOf lists the live sessions of p's account, oldest first.
func (s *Service) sessionsOf(ctx context.Context, p identity.Principal) ([]sessionView, error) {
	rec, err := s.accountOf(ctx, p)
	if err != nil {
		return nil, err
	}
	views, now := []sessionView{}, s.now()
	for _, v := range rec.Value.Sessions {
		if s.live(v, now) {
			views = append(views, sessionView{
				ID: v.ID, Created: v.Created, Seen: v.Seen, Expires: v.Expires,
				Network: v.Network, Device: v.Device, Current: v.ID == p.Session,
			})
		}
	}
	return views, nil
}

// sessionOf returns one live session of p's account; another's is unknown to
// him.
func (s *Service) sessionOf(ctx context.Context, p identity.Principal, id string) (sessionView, error) {
	views, err := s.sessionsOf(ctx, p)
	if err != nil {
		return sessionView{}, err
	}
	at := slices.IndexFunc(views, func(v sessionView) bool { return v.ID == id })
	if at < 0 {
		return sessionView{}, problem.NoResource()
	}
	return views[at], nil
}
