package login

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"time"

	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/store"
)

// session is a login that is not over: its id is the token's sid. It is read
// for every validation, so that a logout is known to every instance at once
// (decision B12).
type session struct {
	Customer string `bson:"customer"`
	// Generation of the customer at login; another one now means it is over.
	Generation int64     `bson:"generation"`
	Created    time.Time `bson:"created"`
	Seen       time.Time `bson:"seen"`
	Expires    time.Time `bson:"expires"`
	Network    string    `bson:"network"`
	Device     string    `bson:"device"`
}

func sessionSpec() store.Spec {
	return store.Spec{Name: "Session", Ordered: []string{"customer"}, Expires: "expires"}
}

// customerScope is the scope of a cardholder's token (decision B11).
const customerScope = identity.ScopeAccount + " " + identity.ScopeCards

// openSession starts a session and returns its token. A reset between the
// reading of rec and now makes it dead from the start.
func (s *Service) openSession(ctx context.Context, rec store.Record[customer], from caller) (string, error) {
	now, sid, c := s.now(), rand.Text(), rec.Value
	err := s.sessions.Insert(ctx, sid, session{
		Customer: rec.ID, Generation: c.Generation,
		Created: now, Seen: now, Expires: now.Add(s.cfg.TokenTTL),
		Network: from.Network, Device: from.Device,
	})
	if err != nil {
		return "", err
	}
	return s.cfg.Issuer.Issue(ctx, identity.Claims{
		Subject: rec.ID, Session: sid, Username: c.Username, Email: c.Email,
		Validated: &c.AccountValidated, Scope: customerScope,
	}, s.cfg.TokenTTL)
}

// Authenticate finds out whose Bearer token came with r (decisions B11, B12):
// UNAUTHORIZED, TOKEN_EXPIRED or a failure of the store. The principal shows
// the account as it is now, not as the token has it.
func (s *Service) Authenticate(r *http.Request) (identity.Principal, error) {
	p, err := s.cfg.Verifier.Verify(r.Context(), httpserver.Bearer(r))
	if err != nil {
		return identity.Principal{}, err
	}
	return s.current(r.Context(), p)
}

// current checks the session behind an authentic token and counts this as use
// of it.
func (s *Service) current(ctx context.Context, p identity.Principal) (identity.Principal, error) {
	if p.Session == "" {
		return identity.Principal{}, problem.NoToken()
	}
	sess, err := s.sessions.Get(ctx, p.Session)
	if err != nil {
		return identity.Principal{}, unknownIsNoToken(err)
	}
	rec, err := s.customers.Get(ctx, p.Subject)
	if err != nil {
		return identity.Principal{}, unknownIsNoToken(err)
	}
	now := s.now()
	if sess.Value.Customer != rec.ID || !s.live(sess.Value, &rec.Value, now) {
		return identity.Principal{}, problem.NoToken()
	}
	if err := s.touch(ctx, sess, now); err != nil {
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

// live reports whether a session of c goes on.
func (s *Service) live(v session, c *customer, now time.Time) bool {
	return c.Erasing == nil && v.Generation == c.Generation && now.Before(v.Expires) && now.Sub(v.Seen) < s.cfg.SessionIdle
}

// touch records the use of a session, at most every tenth of the idle limit:
// the limit is exact to that.
func (s *Service) touch(ctx context.Context, sess store.Record[session], now time.Time) error {
	if now.Sub(sess.Value.Seen) < s.cfg.SessionIdle/10 {
		return nil
	}
	sess.Value.Seen = now
	err := s.sessions.Replace(ctx, sess)
	if errors.Is(err, store.ErrStale) {
		return nil // used or ended by another request at this moment
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
	if all && err == nil {
		_, err := s.current(ctx, p)
		if err == nil {
			return s.endAll(ctx, from, p.Subject)
		}
		if !errors.Is(err, problem.NoToken()) {
			return err
		}
	}
	sess, err := s.sessions.Get(ctx, p.Session)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.recorded(ctx, from, "customer.logout", p.Subject, func() error { return deleteDoc(ctx, s.sessions, sess) })
}

// endAll ends every session of an account by one write; the documents are
// removed behind it.
func (s *Service) endAll(ctx context.Context, from caller, account string) error {
	return s.recorded(ctx, from, "customer.logout.all", account, func() error {
		_, err := s.customers.Update(ctx, account, func(c *customer) error { c.Generation++; return nil })
		if err != nil {
			return unknownIsNoToken(err)
		}
		return deleteAll(ctx, s.sessions, account)
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

func viewOf(sess store.Record[session], p identity.Principal) sessionView {
	v := sess.Value
	return sessionView{
		ID: sess.ID, Created: v.Created, Seen: v.Seen, Expires: v.Expires,
		Network: v.Network, Device: v.Device, Current: sess.ID == p.Session,
	}
}

// sessionsOf lists the live sessions of p's account, oldest first.
func (s *Service) sessionsOf(ctx context.Context, p identity.Principal) ([]sessionView, error) {
	rec, err := s.customers.Get(ctx, p.Subject)
	if err != nil {
		return nil, unknownIsNoToken(err)
	}
	views, now := []sessionView{}, s.now()
	q := store.Query{Where: []store.Cond{{Field: "customer", Op: store.Eq, Value: p.Subject}}}
	for sess, err := range s.sessions.Find(ctx, q) {
		if err != nil {
			return nil, err
		}
		if s.live(sess.Value, &rec.Value, now) {
			views = append(views, viewOf(sess, p))
		}
	}
	slices.SortFunc(views, func(a, b sessionView) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return views, nil
}

// sessionOf returns one session of p's account; another's is unknown to him.
func (s *Service) sessionOf(ctx context.Context, p identity.Principal, id string) (store.Record[session], error) {
	sess, err := s.sessions.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && sess.Value.Customer != p.Subject {
		return sess, problem.NoResource()
	}
	return sess, err
}

// endSession ends one session of p's account.
func (s *Service) endSession(ctx context.Context, from caller, p identity.Principal, id string) error {
	sess, err := s.sessionOf(ctx, p, id)
	if err != nil {
		return err
	}
	return s.recorded(ctx, from, "customer.logout", p.Subject, func() error { return deleteDoc(ctx, s.sessions, sess) })
}
