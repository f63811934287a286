// Package trail owns the audit trail of accounts (decision D9, PCI DSS 10.2.2):
// who asks, as far as the connection shows, and that what he does to an account
// is on record before it happens.
//
// It does not keep the record (package audit) and decides nothing: who asks may
// be anyone, and what counts as refused is said by the error of the act itself.
package trail

import (
	"context"

	"ccms/internal/audit"
)

// Act is something done to an account.
type Act struct {
	Name    string // a dotted word: "customer.login"
	Account string // id, "" when the address is no account's
	From    Caller
}

func (a Act) entry() audit.Entry {
	return audit.Entry{
		Act: a.Name, Actor: a.Account, Object: a.Account, Owner: a.Account,
		From: a.From.Address, Request: a.From.Request,
	}
}

// Trail records acts.
type Trail struct{ audit *audit.Log }

// New returns a trail into audit.
func New(audit *audit.Log) *Trail { return &Trail{audit} }

// Do runs f as an audited act: on record before it happens, its outcome behind
// it, for which nobody waits (decision D9). Without the record it does not happen.
func (t *Trail) Do(ctx context.Context, act Act, f func() error) error {
	return t.audit.Do(ctx, act.entry(), func(*audit.Act) error { return f() })
}

// Note records what happened already, with its result as package audit has it.
func (t *Trail) Note(ctx context.Context, act Act, result string) error {
	return t.audit.Note(ctx, act.entry(), result)
}
