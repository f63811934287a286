package login

import (
	"context"
	"errors"
	"time"

	"ccms/internal/login/customer"
	"ccms/internal/login/gate"
	"ccms/internal/login/trail"
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
func (s *Service) signIn(ctx context.Context, from trail.Caller, in credentials, d door) (customer.Customer, string, error) {
	if in.Email == "" || in.Password.Len() == 0 {
		return customer.Customer{}, "", missingCredentials()
	}
	if err := s.gate.Admit(ctx, from); err != nil {
		return customer.Customer{}, "", err
	}
	key := customer.FoldKey(in.Email)
	rec, known, err := s.customers.ByEmail(ctx, key)
	if err != nil {
		return customer.Customer{}, "", err
	}
	c := gate.Claim{Route: d.name, Key: key, From: from, Password: in.Password, Locked: d.locked, Wrong: wrongCredentials()}
	if known {
		c.ID, c.Account = rec.ID, &rec.Value
	}
	attempt, err := s.gate.Check(ctx, c)
	if err != nil {
		return customer.Customer{}, "", err
	}
	defer attempt.Cancel(ctx)
	if err := s.mayEnter(&rec.Value, d); err != nil {
		return customer.Customer{}, "", err
	}
	token, err := s.enter(ctx, rec, c)
	if err != nil {
		return customer.Customer{}, "", err
	}
	s.gate.Entered(d.name)
	return rec.Value, token, attempt.Succeed(ctx)
}

// mayEnter applies what comes after the right password.
func (s *Service) mayEnter(c *customer.Customer, d door) error {
	if age := s.cfg.PasswordMaxAge; age > 0 && s.now().Sub(c.PasswordChangedAt) >= age {
		return expiredPassword()
	}
	if !c.AccountValidated && !d.unverified {
		return problem.Unverified()
	}
	return nil
}

// enter opens a session, as an act on record. The same write notes the network
// and brings the hash up to the cost in force (decision B6). When the password is no longer the one
// that was checked, the login is refused: a reset that came between must not
// leave a session behind.
func (s *Service) enter(ctx context.Context, rec customer.Record, c gate.Claim) (token string, err error) {
	checked := rec.Value.Password
	better := s.gate.Raise(ctx, c.From, checked, c.Password)
	v := s.sessions.Fresh(c.From)
	err = s.trail.Do(ctx, trail.Act{Name: c.Route, Account: rec.ID, From: c.From}, func() error {
		rec, err := s.customers.Update(ctx, rec.ID, func(a *customer.Customer) error {
			if a.Password != checked {
				return c.Wrong
			}
			if better != "" {
				a.Rehash(better)
			}
			a.Meet(v.Network, v.Created)
			s.sessions.Begin(a, v)
			return nil
		})
		if errors.Is(err, store.ErrNotFound) {
			return c.Wrong
		}
		if err == nil {
			token, err = s.sessions.Token(ctx, rec, v.ID)
		}
		return err
	})
	return token, err
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
func (s *Service) validationNote(c customer.Customer) string {
	if c.Pending != nil {
		return "Your account is validated; your new e-mail address is not confirmed yet."
	}
	if left := s.passwordLeft(c); left > 0 && left < 14*24*time.Hour {
		return "Your account is validated; your password expires on " + s.now().Add(left).Format("2 January 2006") + "."
	}
	return "Your account is validated."
}

// passwordLeft is how long the password is good, 0 when for ever.
func (s *Service) passwordLeft(c customer.Customer) time.Duration {
	if s.cfg.PasswordMaxAge == 0 {
		return 0
	}
	return s.cfg.PasswordMaxAge - s.now().Sub(c.PasswordChangedAt)
}
