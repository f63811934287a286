package login

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"ccms/internal/limit"
	"ccms/internal/login/customer"
	"ccms/internal/login/letters"
	"ccms/internal/login/trail"
	"ccms/internal/mail"
	"ccms/internal/secret"
	"ccms/internal/store"
)

// unverifiedFor is how long an account may stay unverified (decision B1).
const unverifiedFor = 7 * 24 * time.Hour

// newcomer is the body of a sign-up.
type newcomer struct {
	Username string        `json:"username"`
	Name     customer.Name `json:"name"`
	Email    string        `json:"email"`
	Password secret.Bytes  `json:"password"`
}

// customer returns the account n asks for, without its password, or what is
// wrong with it.
func (n newcomer) customer(now time.Time) (customer.Customer, error) {
	c := customer.Customer{
		Username: n.Username, UsernameKey: customer.FoldKey(n.Username),
		Email: n.Email, EmailKey: customer.FoldKey(n.Email),
		CreatedAt: now, UnverifiedUntil: new(now.Add(unverifiedFor)),
	}
	if n.Username == "" || n.Name.First == "" || n.Name.Last == "" || n.Email == "" || n.Password.Len() == 0 {
		return c, incompleteSignUp()
	}
	if !customer.ValidUsername(n.Username) {
		return c, invalidSignUp("Use 3 to 64 letters, digits, dots, hyphens or underscores as username.")
	}
	var ok bool
	if c.Name, ok = n.Name.Tidy(); !ok {
		return c, invalidSignUp("Give first and last name with 1 to 100 characters each.")
	}
	if !customer.ValidEmail(n.Email) {
		return c, invalidEmail()
	}
	return c, strong(n.Password, &c)
}

// signUp creates an account and has its verification mail sent (decision B1).
// In hardened mode a known address is answered like a new one, after the same
// work, and its owner is told (decision B9).
func (s *Service) signUp(ctx context.Context, from trail.Caller, n newcomer) error {
	c, err := n.customer(s.now())
	if err != nil {
		return err
	}
	if err := s.gate.Admit(ctx, from); err != nil {
		return err
	}
	if err := s.vacant(ctx, c); err != nil {
		return err
	}
	hash, err := s.gate.Hash(ctx, from, n.Password)
	if err != nil {
		return err
	}
	c.SetPassword(hash, s.now())
	id := rand.Text()
	err = s.trail.Do(ctx, trail.Act{Name: "customer.signup", Account: id, From: from}, func() error { return s.insert(ctx, id, c) })
	letter := letters.Notice{Kind: mail.Verify, Account: id}
	if errors.Is(err, emailExists()) && s.cfg.Hardened {
		letter, err = letters.Notice{Kind: mail.AlreadyRegistered, Address: c.Email}, nil
	}
	if err != nil {
		return err
	}
	// The window also keeps strangers from filling the mailbox of an owner.
	err = s.cfg.Counters.Take(ctx, s.resend(string(mail.Verify), c.EmailKey))
	if _, recently := errors.AsType[*limit.Locked](err); recently && letter.Kind == mail.AlreadyRegistered {
		return nil
	} else if err != nil && !recently {
		return err
	}
	return s.letters.Tell(ctx, letter)
}

// vacant refuses a taken address or username before a hash is spent on it. In
// hardened mode only the username is told, and first, so that its answer does
// not depend on the address.
func (s *Service) vacant(ctx context.Context, c customer.Customer) error {
	if !s.cfg.Hardened {
		if _, taken, err := s.customers.ByEmail(ctx, c.EmailKey); err != nil || taken {
			return s.probed(err, emailExists(), "signup")
		}
	}
	if _, taken, err := s.customers.ByUsername(ctx, c.UsernameKey); err != nil {
		return err
	} else if taken {
		return usernameExists()
	}
	return nil
}

// insert stores the account and says which key another one has.
func (s *Service) insert(ctx context.Context, id string, c customer.Customer) error {
	err := s.customers.Insert(ctx, id, c)
	if !errors.Is(err, store.ErrExists) {
		return err
	}
	if err := s.vacant(ctx, c); err != nil {
		return err
	}
	return emailExists() // of hardened mode, or gone again meanwhile
}

// probed returns err, or else answer, counted as one that tells whether an
// address is known.
func (s *Service) probed(err, answer error, route string) error {
	if err != nil {
		return err
	}
	s.probes.With(route).Inc()
	return answer
}

// resend is the bucket of mails of one kind to one address: one in each
// window, whether or not the address is known (decision B9).
func (s *Service) resend(kind, key string) limit.Bucket {
	return limit.Bucket{Rule: limit.Rule{Name: "resend-" + kind, Max: 1, Window: s.cfg.ResendAfter}, Key: key}
}
