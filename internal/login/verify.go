package login

import (
	"context"
	"errors"

	"ccms/internal/limit"
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
func (s *Service) requestMail(ctx context.Context, from caller, address string, route mailRoute) error {
	if !checkEmail(address) {
		return invalidEmail()
	}
	if err := s.throttle(from); err != nil {
		return err
	}
	key := foldKey(address)
	err := s.cfg.Counters.Take(ctx, s.resend(string(route.kind), key))
	if l, recently := errors.AsType[*limit.Locked](err); recently {
		return route.soon(l)
	}
	if err != nil {
		return err
	}
	rec, known, err := s.byEmail(ctx, key)
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
	return s.tell(ctx, notice{Kind: route.kind, Address: address})
}

// errDone ends an Update that has nothing left to do.
var errDone = errors.New("login: done before")

// confirm applies a verification token to the account. The token counts again
// while it lives (errDone); another one for an address verified meanwhile does
// not (decisions B8 and G).
func (c *customer) confirm(t store.Record[oneTime]) error {
	address := t.Value.Address
	switch {
	case c.Pending != nil && address == c.Pending.Key:
		c.Email, c.EmailKey, c.Pending = c.Pending.Email, c.Pending.Key, nil
	case address != c.EmailKey:
		return unknownVerification()
	case c.AccountValidated && (c.VerifiedBy == "" || c.VerifiedBy == t.ID):
		return errDone
	case c.AccountValidated:
		return unknownVerification()
	}
	c.validate()
	c.VerifiedBy = t.ID
	return nil
}

// verify uses a verification token.
func (s *Service) verify(ctx context.Context, from caller, text string) error {
	t, err := s.verificationToken(ctx, text)
	if err != nil {
		return err
	}
	rec, err := s.customers.Get(ctx, t.Value.Customer)
	if err == nil {
		err = rec.Value.confirm(t) // on a copy: only what changes something is an act
	}
	if err == nil {
		err = s.recorded(ctx, act{"customer.verify", t.Value.Customer, from}, func() error {
			_, err := s.customers.Update(ctx, t.Value.Customer, func(c *customer) error { return c.confirm(t) })
			return verificationFailure(err)
		})
	}
	return verificationFailure(err)
}

// verificationFailure gives what an Update says in the words of section 2.4.
func verificationFailure(err error) error {
	switch {
	case errors.Is(err, errDone):
		return nil
	case errors.Is(err, store.ErrNotFound):
		return unknownVerification()
	case errors.Is(err, store.ErrExists):
		return emailExists() // somebody registered the new address meanwhile
	}
	return err
}

// verificationToken looks a verification token up.
func (s *Service) verificationToken(ctx context.Context, text string) (store.Record[oneTime], error) {
	t, err := s.findToken(ctx, purposeVerify, text)
	switch {
	case errors.Is(err, errTokenShape):
		return t, invalidVerification()
	case errors.Is(err, errTokenExpired):
		return t, expiredVerification()
	case errors.Is(err, errTokenUnknown):
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
		err = rec.Value.confirm(t)
	}
	return rec.Value.Username, verificationFailure(err)
}
