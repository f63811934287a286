package login

import (
	"context"
	"errors"

	"ccms/internal/mail"
	"ccms/internal/secret"
	"ccms/internal/store"
)

// newPassword is the body of a reset.
type newPassword struct {
	Token    string       `json:"token"`
	Password secret.Bytes `json:"newPassword"`
	Confirm  secret.Bytes `json:"confirmPassword"`
}

// resets reports whether a reset token is still good for the account: nothing
// ended its sessions and its address is the same since the mail was written.
func (t oneTime) resets(c *customer) bool {
	return c.Erasing == nil && t.Generation == c.Generation && t.Address == c.EmailKey
}

// reset sets a new password with a token from a mail. What is wrong is said in
// the order token, match, strength, and leaves the token good (decision G). The
// one write that sets the password is also what uses the token up, so that of
// many resets at once exactly one wins.
func (s *Service) reset(ctx context.Context, from caller, in newPassword) error {
	if err := s.admit(ctx, from); err != nil {
		return err
	}
	t, rec, err := s.resetToken(ctx, in.Token)
	if err != nil {
		return err
	}
	if err := matching(in.Password, in.Confirm); err != nil {
		return err
	}
	if err := s.acceptable(ctx, from, &rec.Value, in.Password); err != nil {
		return err
	}
	hash, err := s.hash(ctx, from, in.Password)
	if err != nil {
		return err
	}
	return s.replacePassword(ctx, act{"customer.password.reset", rec.ID, from}, func(c *customer) error {
		if !t.resets(c) {
			return invalidReset()
		}
		c.setPassword(hash, s.now())
		c.LockEpoch++
		c.validate() // the mail arrived (decision B1)
		return nil
	})
}

// resetToken finds a token and the account it is good for. Every unusable one
// has the same answer.
func (s *Service) resetToken(ctx context.Context, text string) (oneTime, store.Record[customer], error) {
	var rec store.Record[customer]
	t, err := s.findToken(ctx, purposeReset, text)
	if err == nil {
		rec, err = s.customers.Get(ctx, t.Value.Customer)
	}
	for _, unusable := range []error{errTokenShape, errTokenUnknown, errTokenExpired, store.ErrNotFound} {
		if errors.Is(err, unusable) {
			return t.Value, rec, invalidReset()
		}
	}
	if err == nil && !t.Value.resets(&rec.Value) {
		err = invalidReset()
	}
	return t.Value, rec, err
}

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

// replacePassword applies change, which sets a new password, as an act on
// record and tells the owner. The letter follows the change: a loser of the race
// for a token must not alarm anyone.
func (s *Service) replacePassword(ctx context.Context, what act, change func(*customer) error) error {
	err := s.recorded(ctx, what, func() error {
		_, err := s.customers.Update(ctx, what.account, change)
		return unknownIsNoToken(err)
	})
	if err != nil {
		return err
	}
	if err := s.tell(ctx, notice{Kind: mail.PasswordChanged, Account: what.account}); err != nil {
		// The password has changed and nothing could take that back.
		s.cfg.Log.WarnContext(ctx, "letter about a new password was not queued", "error.message", err)
	}
	return nil
}
