// Package roles owns what others may know and note of an account: who it is, and
// the marks of people who have a role (decision B13), which make the lock of
// their accounts stricter (decision B5).
//
// It does not say what a mark means: that is for whom it was put there. It never
// shows a password, a session or a token.
package roles

import (
	"context"
	"slices"

	"ccms/internal/identity"
	"ccms/internal/login/customer"
	"ccms/internal/store"
)

// Accounts shows accounts to those who give roles.
type Accounts struct{ customers *customer.Collection }

// Open opens the accounts in db.
func Open(ctx context.Context, db store.DB) (*Accounts, error) {
	customers, err := customer.Open(ctx, db)
	return &Accounts{customers}, err
}

// ByID returns the account with an id and the marks it carries, or
// store.ErrNotFound, also while it is being erased.
func (a *Accounts) ByID(ctx context.Context, id string) (identity.Principal, []string, error) {
	rec, ok, err := a.customers.ByID(ctx, id)
	if err == nil && !ok {
		err = store.ErrNotFound
	}
	if err != nil {
		return identity.Principal{}, nil, err
	}
	return principal(rec), rec.Value.Roles, nil
}

// ByEmail returns the account with an address, given its key, or
// store.ErrNotFound.
func (a *Accounts) ByEmail(ctx context.Context, key string) (identity.Principal, error) {
	rec, ok, err := a.customers.ByEmail(ctx, key)
	if err == nil && !ok {
		err = store.ErrNotFound
	}
	if err != nil {
		return identity.Principal{}, err
	}
	return principal(rec), nil
}

func principal(rec customer.Record) identity.Principal {
	c := rec.Value
	return identity.Principal{Subject: rec.ID, Username: c.Username, Email: c.Email, Validated: c.AccountValidated}
}

// Mark puts a mark on an account or takes it off; both may be repeated. It fails
// with store.ErrNotFound like ByID.
func (a *Accounts) Mark(ctx context.Context, id, mark string, on bool) error {
	_, err := a.customers.Update(ctx, id, func(c *customer.Customer) error {
		if c.Erasing != nil {
			return store.ErrNotFound
		}
		c.Roles = slices.DeleteFunc(c.Roles, func(m string) bool { return m == mark })
		if on {
			c.Roles = append(c.Roles, mark)
		}
		return nil
	})
	return err
}

// Key is how addresses are compared; ok is false for what is no address.
func (a *Accounts) Key(address string) (key string, ok bool) {
	return customer.FoldKey(address), customer.ValidEmail(address)
}
