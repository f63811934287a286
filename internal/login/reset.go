package login

import (
	"context"
	"errors"

	"ccms/internal/login/customer"
	"ccms/internal/login/onetime"
	"ccms/internal/login/trail"
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
func resets(t onetime.Token, c *customer.Customer) bool {
	return c.Erasing == nil && t.Generation == c.Generation && t.Address == c.EmailKey
}

// reset sets a new password with a token from a mail. What is wrong is said in
// the order token, match, strength, and leaves the token good (decision G). The
// one write that sets the password is also what uses the token up, so that of
// many resets at once exactly one wins.
func (s *Service) reset(ctx context.Context, from trail.Caller, in newPassword) error {
	if err := s.gate.Admit(ctx, from); err != nil {
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
	hash, err := s.gate.Hash(ctx, from, in.Password)
	if err != nil {
		return err
	}
	return s.replacePassword(ctx, trail.Act{Name: "customer.password.reset", Account: rec.ID, From: from}, func(c *customer.Customer) error {
		if !resets(t, c) {
			return invalidReset()
		}
		c.SetPassword(hash, s.now())
		c.LockEpoch++
		c.Validate() // the mail arrived (decision B1)
		return nil
	})
}

// resetToken finds a token and the account it is good for. Every unusable one
// has the same answer.
func (s *Service) resetToken(ctx context.Context, text string) (onetime.Token, customer.Record, error) {
	var rec customer.Record
	t, err := s.tokens.Find(ctx, onetime.Reset, text)
	if err == nil {
		rec, err = s.customers.Get(ctx, t.Value.Customer)
	}
	for _, unusable := range []error{onetime.ErrShape, onetime.ErrUnknown, onetime.ErrExpired, store.ErrNotFound} {
		if errors.Is(err, unusable) {
			return t.Value, rec, invalidReset()
		}
	}
	if err == nil && !resets(t.Value, &rec.Value) {
		err = invalidReset()
	}
	return t.Value, rec, err
}
