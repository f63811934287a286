package login

import (
	"context"
	"errors"

	"ccms/internal/limit"
	"ccms/internal/login/customer"
	"ccms/internal/login/letters"
	"ccms/internal/login/onetime"
	"ccms/internal/login/trail"
	"ccms/internal/mail"
	"ccms/internal/problem"
	"ccms/internal/store"
)

// mailRoute is one of the two routes that ask for a mail by address alone
// (contract sections 2.3 and 2.5).
type mailRoute struct {
	kind    mail.Kind
	unknown *problem.Error
	soon    func(*limit.Locked) error
}

func (s *Service) verificationMail() mailRoute {
	return mailRoute{mail.Verify, noCustomer(), func(l *limit.Locked) error { return verificationTooSoon(l.Until.Sub(s.now())) }}
}

func (s *Service) resetMail() mailRoute {
	return mailRoute{mail.Reset, noAccount(), func(l *limit.Locked) error { return resetTooSoon(l.Until.Sub(s.now())) }}
}

// requestMail sends a mail to the account with this address. The window comes
// before the look-up and holds for unknown addresses too, so that a second try
// tells nothing (decision B9).
func (s *Service) requestMail(ctx context.Context, from trail.Caller, address string, route mailRoute) error {
	if !customer.ValidEmail(address) {
		return invalidEmail()
	}
	if err := s.gate.Throttle(from); err != nil {
		return err
	}
	key := customer.FoldKey(address)
	err := s.cfg.Counters.Take(ctx, s.resend(string(route.kind), key))
	if l, recently := errors.AsType[*limit.Locked](err); recently {
		return route.soon(l)
	}
	if err != nil {
		return err
	}
	rec, known, err := s.customers.ByEmail(ctx, key)
	if err != nil {
		return err
	}
	if !s.cfg.Hardened {
		if !known {
			return s.probed(nil, route.unknown, string(route.kind))
		}
		if route.kind == mail.Verify && rec.Value.AccountValidated {
			return s.probed(nil, alreadyVerified(), string(route.kind))
		}
	}
	return s.letters.Tell(ctx, letters.Notice{Kind: route.kind, Address: address})
}

// verify uses a verification token.
func (s *Service) verify(ctx context.Context, from trail.Caller, text string) error {
	t, err := s.verificationToken(ctx, text)
	if err != nil {
		return err
	}
	rec, err := s.customers.Get(ctx, t.Value.Customer)
	if err == nil {
		err = rec.Value.Confirm(t.Value.Address, t.ID) // on a copy: only what changes something is an act
	}
	if err == nil {
		err = s.trail.Do(ctx, trail.Act{Name: "customer.verify", Account: t.Value.Customer, From: from}, func() error {
			_, err := s.customers.Update(ctx, t.Value.Customer, func(c *customer.Customer) error { return c.Confirm(t.Value.Address, t.ID) })
			return verificationFailure(err)
		})
	}
	return verificationFailure(err)
}

// verificationFailure gives what an Update says in the words of section 2.4.
func verificationFailure(err error) error {
	switch {
	case errors.Is(err, customer.ErrConfirmed):
		return nil
	case errors.Is(err, store.ErrNotFound), errors.Is(err, customer.ErrUnasked):
		return unknownVerification()
	case errors.Is(err, store.ErrExists):
		return emailExists() // somebody registered the new address meanwhile
	}
	return err
}

// verificationToken looks a verification token up.
func (s *Service) verificationToken(ctx context.Context, text string) (store.Record[onetime.Token], error) {
	t, err := s.tokens.Find(ctx, onetime.Verify, text)
	switch {
	case errors.Is(err, onetime.ErrShape):
		return t, invalidVerification()
	case errors.Is(err, onetime.ErrExpired):
		return t, expiredVerification()
	case errors.Is(err, onetime.ErrUnknown):
		return t, unknownVerification()
	}
	return t, err
}

// ownerOf returns the username a verification token would confirm, and leaves
// the token as it is: the page with the button shows it, so that nobody
// confirms a stranger's account unawares (decision B1).
func (s *Service) ownerOf(ctx context.Context, text string) (string, error) {
	t, err := s.verificationToken(ctx, text)
	if err != nil {
		return "", err
	}
	rec, err := s.customers.Get(ctx, t.Value.Customer)
	if err == nil {
		err = rec.Value.Confirm(t.Value.Address, t.ID)
	}
	return rec.Value.Username, verificationFailure(err)
}
