package login

import (
	"context"

	"ccms/internal/login/customer"
	"ccms/internal/login/letters"
	"ccms/internal/login/password"
	"ccms/internal/login/trail"
	"ccms/internal/mail"
	"ccms/internal/secret"
)

// matching checks that a new password was given, and twice.
func matching(p, confirm secret.Bytes) error {
	switch {
	case p.Len() == 0:
		return weakPassword("Send the new password.")
	case !p.Equal(confirm):
		return passwordMismatch()
	}
	return nil
}

// strong checks a password against the policy, which knows c's names.
func strong(p secret.Bytes, c *customer.Customer) error {
	if err := password.Check(p, c.OwnWords()...); err != nil {
		return weakPassword(err.Error())
	}
	return nil
}

// acceptable checks a new password against the policy and c's history.
func (s *Service) acceptable(ctx context.Context, from trail.Caller, c *customer.Customer, p secret.Bytes) error {
	if err := strong(p, c); err != nil {
		return err
	}
	used, err := s.gate.Reused(ctx, from, c, p)
	if err == nil && used {
		err = weakPassword(password.Reused().Error())
	}
	return err
}

// replacePassword applies change, which sets a new password, as an act on
// record and tells the owner. The letter follows the change: a loser of the race
// for a token must not alarm anyone.
func (s *Service) replacePassword(ctx context.Context, what trail.Act, change func(*customer.Customer) error) error {
	err := s.trail.Do(ctx, what, func() error {
		_, err := s.customers.Change(ctx, what.Account, change)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.letters.Tell(ctx, letters.Notice{Kind: mail.PasswordChanged, Account: what.Account}); err != nil {
		// The password has changed and nothing could take that back.
		s.cfg.Log.WarnContext(ctx, "letter about a new password was not queued", "error.message", err)
	}
	return nil
}
