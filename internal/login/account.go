package login

import (
	"cmp"
	"context"
	"errors"
	"time"

	"ccms/internal/identity"
	"ccms/internal/limit"
	"ccms/internal/mail"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store"
)

// accountView is how an account is shown to its owner.
type accountView struct {
	Username         string    `json:"username"`
	Name             name      `json:"name"`
	Email            string    `json:"email"`
	PendingEmail     string    `json:"pendingEmail,omitzero"` // takes effect when confirmed
	AccountValidated bool      `json:"accountValidated"`
	CreatedAt        time.Time `json:"createdAt"`
	PasswordChanged  time.Time `json:"passwordChangedAt"`
}

func (c *customer) view() accountView {
	v := accountView{
		Username: c.Username, Name: c.Name, Email: c.Email, AccountValidated: c.AccountValidated,
		CreatedAt: c.CreatedAt, PasswordChanged: c.PasswordChangedAt,
	}
	if c.Pending != nil {
		v.PendingEmail = c.Pending.Email
	}
	return v
}

// accountOf reads the account of an authenticated person.
func (s *Service) accountOf(ctx context.Context, p identity.Principal) (store.Record[customer], error) {
	rec, err := s.customers.Get(ctx, p.Subject)
	if err == nil && rec.Value.Erasing != nil {
		err = problem.NoToken()
	}
	return rec, unknownIsNoToken(err)
}

// accountChange is the body of PUT /api/account; absent members stay as they
// are. What it does not name, accountValidated first of all, cannot be set.
type accountChange struct {
	Name *struct {
		First *string `json:"first"`
		Last  *string `json:"last"`
	} `json:"name"`
	Email    *string      `json:"email"`
	Password secret.Bytes `json:"currentPassword"`
}

// changeAccount changes name and address. A new address needs the password,
// takes effect when it is confirmed, and the old one is told (decision B10).
func (s *Service) changeAccount(ctx context.Context, from caller, p identity.Principal, in accountChange) (accountView, error) {
	rec, err := s.accountOf(ctx, p)
	if err != nil {
		return accountView{}, err
	}
	full, err := in.name(rec.Value.Name)
	if err != nil {
		return accountView{}, err
	}
	change := func(c *customer) { c.Name = full }
	if in.Email != nil && foldKey(*in.Email) != rec.Value.EmailKey {
		next := pendingEmail{Email: *in.Email, Key: foldKey(*in.Email)}
		if !checkEmail(next.Email) {
			return accountView{}, invalidEmail()
		}
		if err := s.provePassword(ctx, from, rec, in.Password); err != nil {
			return accountView{}, err
		}
		taken, err := s.mayMove(ctx, next)
		if err != nil {
			return accountView{}, err
		}
		if !taken {
			change = func(c *customer) { c.Name, c.Pending = full, &next }
		}
	}
	err = s.recorded(ctx, act{"customer.account.update", rec.ID, from}, func() error {
		rec, err = s.customers.Update(ctx, rec.ID, sameOwner(rec, change))
		return unknownIsNoToken(err)
	})
	if err != nil {
		return accountView{}, err
	}
	return rec.Value.view(), s.tellMove(ctx, rec, in.Email)
}

// sameOwner keeps change away from an account that is being erased or whose
// password was replaced since rec was read: who knew the old one has no say any
// more, and his session is over.
func sameOwner(rec store.Record[customer], change func(*customer)) func(*customer) error {
	return func(c *customer) error {
		if c.Erasing != nil || c.Generation != rec.Value.Generation {
			return problem.NoToken()
		}
		change(c)
		return nil
	}
}

func (in accountChange) name(old name) (name, error) {
	if in.Name == nil {
		return old, nil
	}
	full, ok := tidyName(name{*cmp.Or(in.Name.First, &old.First), *cmp.Or(in.Name.Last, &old.Last)})
	if !ok {
		return old, problem.Validation("Give first and last name with 1 to 100 characters each.")
	}
	return full, nil
}

// mayMove checks whether an account may ask for the address next. taken is
// true when, in hardened mode, the address belongs to another account: then
// its owner was told and nothing else happens.
func (s *Service) mayMove(ctx context.Context, next pendingEmail) (taken bool, err error) {
	_, taken, err = s.byEmail(ctx, next.Key)
	if err != nil {
		return false, err
	}
	if taken && !s.cfg.Hardened {
		return true, s.probed(nil, emailExists(), "account")
	}
	err = s.cfg.Counters.Take(ctx, s.resend(string(mail.Verify), next.Key))
	if l, recently := errors.AsType[*limit.Locked](err); recently {
		return false, verificationTooSoon(l.Until.Sub(s.now()))
	}
	if err == nil && taken {
		err = s.tell(ctx, notice{Kind: mail.AlreadyRegistered, Address: next.Email})
	}
	return taken, err
}

// tellMove queues the letters to the new and the old address.
func (s *Service) tellMove(ctx context.Context, rec store.Record[customer], asked *string) error {
	c := rec.Value
	if asked == nil || c.Pending == nil || c.Pending.Email != *asked {
		return nil
	}
	if err := s.tell(ctx, notice{Kind: mail.AddressChange, Account: rec.ID, Address: c.Email}); err != nil {
		return err
	}
	return s.tell(ctx, notice{Kind: mail.AddressConfirm, Account: rec.ID, Address: c.Pending.Email})
}

// provePassword asks a person who is logged in for the password again. A
// wrong one counts as a failed login does (decision G).
func (s *Service) provePassword(ctx context.Context, from caller, rec store.Record[customer], p secret.Bytes) error {
	if p.Len() == 0 {
		return problem.Validation("Send the current password too.")
	}
	if err := s.admit(ctx, from); err != nil {
		return err
	}
	attempt, err := s.check(ctx, claim{
		route: "customer.account", key: rec.Value.EmailKey, id: rec.ID, account: &rec.Value,
		from: from, password: p, locked: lockedFirst(), wrong: wrongPassword(),
	})
	if err != nil {
		return err
	}
	return attempt.Succeed(ctx)
}

// passwordChange is the body of POST /api/account/password.
type passwordChange struct {
	Current secret.Bytes `json:"currentPassword"`
	Next    secret.Bytes `json:"newPassword"`
	Confirm secret.Bytes `json:"confirmPassword"`
}

// changePassword sets a new password and ends every session, the caller's own
// too (decision B12).
func (s *Service) changePassword(ctx context.Context, from caller, p identity.Principal, in passwordChange) error {
	rec, err := s.accountOf(ctx, p)
	if err != nil {
		return err
	}
	if err := s.provePassword(ctx, from, rec, in.Current); err != nil {
		return err
	}
	if err := matching(in.Next, in.Confirm); err != nil {
		return err
	}
	if err := s.acceptable(ctx, from, &rec.Value, in.Next); err != nil {
		return err
	}
	hash, err := s.hash(ctx, from, in.Next)
	if err != nil {
		return err
	}
	return s.replacePassword(ctx, act{"customer.password.change", rec.ID, from}, sameOwner(rec, func(c *customer) { c.setPassword(hash, s.now()) }))
}

// export is everything kept about a person, as JSON (decision B10).
type export struct {
	Account  accountView    `json:"account"`
	Networks []knownNetwork `json:"networks"` // from which the account logged in lately
	Sessions []sessionView  `json:"sessions"`
	Cards    any            `json:"cards"`
}

func (s *Service) export(ctx context.Context, from caller, p identity.Principal) (export, error) {
	var out export
	err := s.recorded(ctx, act{"customer.export", p.Subject, from}, func() error {
		rec, err := s.accountOf(ctx, p)
		if err != nil {
			return err
		}
		out.Account, out.Networks = rec.Value.view(), rec.Value.Networks
		if out.Sessions, err = s.sessionsOf(ctx, p); err != nil {
			return err
		}
		out.Cards, err = s.cfg.Cards.Export(ctx, p.Subject)
		return err
	})
	return out, err
}
