package login

import (
	"cmp"
	"context"
	"errors"
	"time"

	"ccms/internal/identity"
	"ccms/internal/limit"
	"ccms/internal/login/customer"
	"ccms/internal/login/gate"
	"ccms/internal/login/letters"
	"ccms/internal/login/session"
	"ccms/internal/login/trail"
	"ccms/internal/mail"
	"ccms/internal/problem"
	"ccms/internal/secret"
)

// accountView is how an account is shown to its owner.
type accountView struct {
	Username         string        `json:"username"`
	Name             customer.Name `json:"name"`
	Email            string        `json:"email"`
	PendingEmail     string        `json:"pendingEmail,omitzero"` // takes effect when confirmed
	AccountValidated bool          `json:"accountValidated"`
	CreatedAt        time.Time     `json:"createdAt"`
	PasswordChanged  time.Time     `json:"passwordChangedAt"`
}

func view(c *customer.Customer) accountView {
	v := accountView{
		Username: c.Username, Name: c.Name, Email: c.Email, AccountValidated: c.AccountValidated,
		CreatedAt: c.CreatedAt, PasswordChanged: c.PasswordChangedAt,
	}
	if c.Pending != nil {
		v.PendingEmail = c.Pending.Email
	}
	return v
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
func (s *Service) changeAccount(ctx context.Context, from trail.Caller, p identity.Principal, in accountChange) (accountView, error) {
	rec, err := s.customers.Present(ctx, p.Subject)
	if err != nil {
		return accountView{}, err
	}
	full, err := in.name(rec.Value.Name)
	if err != nil {
		return accountView{}, err
	}
	change := func(c *customer.Customer) { c.Name = full }
	if in.Email != nil && customer.FoldKey(*in.Email) != rec.Value.EmailKey {
		next := customer.PendingEmail{Email: *in.Email, Key: customer.FoldKey(*in.Email)}
		if !customer.ValidEmail(next.Email) {
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
			change = func(c *customer.Customer) { c.Name, c.Pending = full, &next }
		}
	}
	err = s.trail.Do(ctx, trail.Act{Name: "customer.account.update", Account: rec.ID, From: from}, func() error {
		rec, err = s.customers.Change(ctx, rec.ID, sameOwner(rec, change))
		return err
	})
	if err != nil {
		return accountView{}, err
	}
	return view(&rec.Value), s.tellMove(ctx, rec, in.Email)
}

// sameOwner keeps change away from an account that is being erased or whose
// password was replaced since rec was read: who knew the old one has no say any
// more, and his session is over.
func sameOwner(rec customer.Record, change func(*customer.Customer)) func(*customer.Customer) error {
	return func(c *customer.Customer) error {
		if c.Erasing != nil || c.Generation != rec.Value.Generation {
			return problem.NoToken()
		}
		change(c)
		return nil
	}
}

func (in accountChange) name(old customer.Name) (customer.Name, error) {
	if in.Name == nil {
		return old, nil
	}
	full, ok := customer.Name{First: *cmp.Or(in.Name.First, &old.First), Last: *cmp.Or(in.Name.Last, &old.Last)}.Tidy()
	if !ok {
		return old, problem.Validation("Give first and last name with 1 to 100 characters each.")
	}
	return full, nil
}

// mayMove checks whether an account may ask for the address next. taken is
// true when, in hardened mode, the address belongs to another account: then
// its owner was told and nothing else happens.
func (s *Service) mayMove(ctx context.Context, next customer.PendingEmail) (taken bool, err error) {
	_, taken, err = s.customers.ByEmail(ctx, next.Key)
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
		err = s.letters.Tell(ctx, letters.Notice{Kind: mail.AlreadyRegistered, Address: next.Email})
	}
	return taken, err
}

// tellMove queues the letters to the new and the old address.
func (s *Service) tellMove(ctx context.Context, rec customer.Record, asked *string) error {
	c := rec.Value
	if asked == nil || c.Pending == nil || c.Pending.Email != *asked {
		return nil
	}
	if err := s.letters.Tell(ctx, letters.Notice{Kind: mail.AddressChange, Account: rec.ID, Address: c.Email}); err != nil {
		return err
	}
	return s.letters.Tell(ctx, letters.Notice{Kind: mail.AddressConfirm, Account: rec.ID, Address: c.Pending.Email})
}

// provePassword asks a person who is logged in for the password again. A
// wrong one counts as a failed login does (decision G).
func (s *Service) provePassword(ctx context.Context, from trail.Caller, rec customer.Record, p secret.Bytes) error {
	if p.Len() == 0 {
		return problem.Validation("Send the current password too.")
	}
	if err := s.gate.Admit(ctx, from); err != nil {
		return err
	}
	attempt, err := s.gate.Check(ctx, gate.Claim{
		Route: "customer.account", Key: rec.Value.EmailKey, ID: rec.ID, Account: &rec.Value,
		From: from, Password: p, Locked: lockedFirst(), Wrong: wrongPassword(),
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
func (s *Service) changePassword(ctx context.Context, from trail.Caller, p identity.Principal, in passwordChange) error {
	rec, err := s.customers.Present(ctx, p.Subject)
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
	hash, err := s.gate.Hash(ctx, from, in.Next)
	if err != nil {
		return err
	}
	return s.replacePassword(ctx, trail.Act{Name: "customer.password.change", Account: rec.ID, From: from}, sameOwner(rec, func(c *customer.Customer) { c.SetPassword(hash, s.now()) }))
}

// export is everything kept about a person, as JSON (decision B10).
type export struct {
	Account  accountView             `json:"account"`
	Networks []customer.KnownNetwork `json:"networks"` // from which the account logged in lately
	Sessions []session.View          `json:"sessions"`
	Cards    any                     `json:"cards"`
}

func (s *Service) export(ctx context.Context, from trail.Caller, p identity.Principal) (export, error) {
	var out export
	err := s.trail.Do(ctx, trail.Act{Name: "customer.export", Account: p.Subject, From: from}, func() error {
		rec, err := s.customers.Present(ctx, p.Subject)
		if err != nil {
			return err
		}
		out.Account, out.Networks = view(&rec.Value), rec.Value.Networks
		if out.Sessions, err = s.sessions.List(ctx, p); err != nil {
			return err
		}
		out.Cards, err = s.cfg.Cards.Export(ctx, p.Subject)
		return err
	})
	return out, err
}
