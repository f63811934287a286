package gate

import (
	"context"
	"errors"
	"strconv"

	"ccms/internal/audit"
	"ccms/internal/limit"
	"ccms/internal/login/customer"
	"ccms/internal/login/password"
	"ccms/internal/login/trail"
	"ccms/internal/problem"
	"ccms/internal/secret"
)

// Claim is a password and whose it is said to be, known or not.
type Claim struct {
	Route    string             // for metrics and the record
	Key      string             // of the address
	ID       string             // of the account, "" when the address is unknown
	Account  *customer.Customer // nil when the address is unknown
	From     trail.Caller
	Password secret.Bytes
	Locked   *problem.Error // the route's sentence for a lock
	Wrong    *problem.Error // and for a wrong password
}

// wideLock and wideLockRole are the failures from everywhere that lock an
// address (decision B5, PCI DSS 8.3.4).
const (
	wideLock     = 50
	wideLockRole = 10
)

// buckets are where an attempt at c counts. A network the account knows is
// spared the wide lock, so that strangers cannot lock its owner out.
func (g *Gate) buckets(c Claim) []limit.Bucket {
	pair := limit.Rule{Name: "login", Max: g.cfg.LockAfter, Window: g.cfg.LockWindow, Lock: g.cfg.LockFor, Forgive: true}
	wide := limit.Rule{Name: "login-wide", Max: wideLock, Window: g.cfg.LockWindow, Lock: g.cfg.LockFor}
	key := c.Key
	if c.Account != nil {
		key += " " + strconv.FormatInt(c.Account.LockEpoch, 10)
		if len(c.Account.Roles) > 0 {
			wide.Max = wideLockRole
		}
		if c.Account.Knows(c.From.Network, g.cfg.Now()) {
			return []limit.Bucket{{Rule: pair, Key: key + " " + c.From.Network}}
		}
	} else {
		key += " 0"
	}
	return []limit.Bucket{{Rule: pair, Key: key + " " + c.From.Network}, {Rule: wide, Key: key}}
}

// Check decides whether c's password is the account's (decisions B4, B5, B7).
// It fails with c.Locked or c.Wrong, or as the store or the pool does. On
// success the caller settles the attempt: Succeed when the login came through,
// else Cancel.
//
// A lock answers first, from a mere read. What is left waits for a slot of the
// hash pool and only then reserves its attempt, so a flood that is shed costs
// no write, and parallel guesses never exceed the limit because the slot is
// useless without a reservation.
func (g *Gate) Check(ctx context.Context, c Claim) (*limit.Attempt, error) {
	buckets := g.buckets(c)
	for _, b := range buckets {
		state, err := g.cfg.Counters.Peek(ctx, b)
		if err != nil {
			return nil, err
		}
		if !state.Until.IsZero() {
			return nil, g.refuseLocked(c)
		}
	}
	var attempt *limit.Attempt
	var same bool
	var failure error
	err := g.pool.Do(ctx, c.From.Network, func() {
		if attempt, failure = g.cfg.Counters.Begin(ctx, buckets...); failure == nil {
			same = g.compare(c.hash(g.dummy), c.Password) && c.Account != nil
		}
	})
	if err != nil {
		return nil, err
	}
	if _, locked := errors.AsType[*limit.Locked](failure); locked {
		return nil, g.refuseLocked(c)
	}
	if failure != nil {
		return nil, failure
	}
	if !same {
		return nil, g.refuseWrong(ctx, c, attempt)
	}
	return attempt, nil
}

// hash is what c's password is compared with: a real hash in any case, so that
// an unknown address takes as long as a known one.
func (c Claim) hash(dummy string) string {
	if c.Account == nil || password.Cost(c.Account.Password) == 0 {
		return dummy
	}
	return c.Account.Password
}

// Entered counts a login that came through for good.
func (g *Gate) Entered(route string) { g.metrics.attempts.With(route, "success").Inc() }

func (g *Gate) refuseLocked(c Claim) error {
	g.metrics.attempts.With(c.Route, "locked").Inc()
	return c.Locked
}

// refuseWrong settles a failed attempt. Its answer tells nothing that the
// store could not confirm: when the failure cannot be counted or recorded, the
// caller learns of the store, not of the password.
func (g *Gate) refuseWrong(ctx context.Context, c Claim, attempt *limit.Attempt) error {
	began, err := attempt.Fail(ctx)
	if err != nil {
		return err
	}
	g.metrics.attempts.With(c.Route, "wrong").Inc()
	if err := g.note(ctx, c.Route, c, audit.Refused); err != nil {
		return err
	}
	if !began {
		return c.Wrong
	}
	g.metrics.lockouts.Inc()
	if err := g.note(ctx, "customer.lock", c, audit.Success); err != nil {
		return err
	}
	if c.Account != nil {
		err = g.cfg.Locked(ctx, c.ID)
	}
	if err != nil {
		return err
	}
	return c.Wrong
}

// note records an event of c. An address that is no account's is not kept.
func (g *Gate) note(ctx context.Context, act string, c Claim, result string) error {
	return g.cfg.Trail.Note(ctx, trail.Act{Name: act, Account: c.ID, From: c.From}, result)
}
