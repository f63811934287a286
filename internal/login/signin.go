package login

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"ccms/internal/identity"
	"ccms/internal/login/password"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store"
)

// credentials are the body of both logins.
type credentials struct {
	Email    string       `json:"email"`
	Password secret.Bytes `json:"password"`
}

// door is one of the two ways in; they differ in a sentence and in what they
// ask of an account (decisions B2 and B3).
type door struct {
	name       string
	locked     *problem.Error
	unverified bool // whether an account never verified may enter
}

func firstDoor() door { return door{name: "customer.login", locked: lockedFirst()} }

func laterDoor() door {
	return door{name: "customer.login.subsequent", locked: lockedLater(), unverified: true}
}

// signIn checks credentials and opens a session. The order of checks is
// decision B4's: shape, throttle, lock, credentials, expiry, verification.
func (s *Service) signIn(ctx context.Context, from caller, in credentials, d door) (customer, string, error) {
	if in.Email == "" || in.Password.Len() == 0 {
		return customer{}, "", missingCredentials()
	}
	if err := s.admit(ctx, from); err != nil {
		return customer{}, "", err
	}
	key := foldKey(in.Email)
	rec, known, err := s.byEmail(ctx, key)
	if err != nil {
		return customer{}, "", err
	}
	c := claim{route: d.name, key: key, from: from, password: in.Password, locked: d.locked, wrong: wrongCredentials()}
	if known {
		c.id, c.account = rec.ID, &rec.Value
	}
	attempt, err := s.check(ctx, c)
	if err != nil {
		return customer{}, "", err
	}
	defer attempt.Cancel(ctx)
	if err := s.mayEnter(&rec.Value, d); err != nil {
		return customer{}, "", err
	}
	token, err := s.enter(ctx, rec, c)
	if err != nil {
		return customer{}, "", err
	}
	s.metrics.attempts.WithLabelValues(d.name, "success").Inc()
	return rec.Value, token, attempt.Succeed(ctx)
}

// mayEnter applies what comes after the right password.
func (s *Service) mayEnter(c *customer, d door) error {
	if age := s.cfg.PasswordMaxAge; age > 0 && s.now().Sub(c.PasswordChangedAt) >= age {
		return expiredPassword()
	}
	if !c.AccountValidated && !d.unverified {
		return problem.Unverified()
	}
	return nil
}

// enter opens a session, as an act on record. The same write notes the network
// and brings the hash up to the cost in force (decision B6); a busy pool puts
// the new hash off to the next login. When the password is no longer the one
// that was checked, the login is refused: a reset that came between must not
// leave a session behind.
func (s *Service) enter(ctx context.Context, rec store.Record[customer], c claim) (token string, err error) {
	checked, better, now := rec.Value.Password, "", s.now()
	if password.Cost(checked) < s.cfg.BcryptCost {
		better, _ = s.hash(ctx, c.from, c.password)
	}
	v := session{ID: rand.Text(), Created: now, Seen: now, Expires: now.Add(s.cfg.TokenTTL), Network: c.from.Network, Device: c.from.Device}
	err = s.recorded(ctx, act{c.route, rec.ID, c.from}, func() error {
		rec, err := s.customers.Update(ctx, rec.ID, func(a *customer) error {
			if a.Password != checked {
				return c.wrong
			}
			if better != "" {
				a.rehash(better)
			}
			a.meet(v.Network, now)
			s.begin(a, v)
			return nil
		})
		if errors.Is(err, store.ErrNotFound) {
			return c.wrong
		}
		if err == nil {
			token, err = s.issue(ctx, rec, v.ID)
		}
		return err
	})
	return token, err
}

// issue makes the token of a session.
func (s *Service) issue(ctx context.Context, rec store.Record[customer], sid string) (string, error) {
	c := rec.Value
	return s.cfg.Issuer.Issue(ctx, identity.Claims{
		Subject: rec.ID, Session: sid, Username: c.Username, Email: c.Email,
		Validated: &c.AccountValidated, Scope: customerScope,
	}, s.cfg.TokenTTL)
}

// endpoint is what section 2.2 tells a person who logged in.
type endpoint struct {
	URL         string `json:"url"`
	Description string `json:"description"`
}

func availableEndpoints() []endpoint {
	return []endpoint{
		{"/api/account", "Update personal details and password"},
		{"/api/creditcards", "View all credit cards"},
	}
}

// validationNote is the note of section 2.1.
func (s *Service) validationNote(c customer) string {
	if c.Pending != nil {
		return "Your account is validated; your new e-mail address is not confirmed yet."
	}
	if left := s.passwordLeft(c); left > 0 && left < 14*24*time.Hour {
		return "Your account is validated; your password expires on " + s.now().Add(left).Format("2 January 2006") + "."
	}
	return "Your account is validated."
}

// passwordLeft is how long the password is good, 0 when for ever.
func (s *Service) passwordLeft(c customer) time.Duration {
	if s.cfg.PasswordMaxAge == 0 {
		return 0
	}
	return s.cfg.PasswordMaxAge - s.now().Sub(c.PasswordChangedAt)
}
