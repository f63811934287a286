package login

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/limit"
	"ccms/internal/login/password"
	"ccms/internal/mail"
	"ccms/internal/problem"
	"ccms/internal/secret"
)

// caller is who asks, as far as the connection shows.
type caller struct {
	Address string // of the client
	Network string // its /24 or /56
	Device  string // what it calls itself
	Request string // request id
}

// maxDevice is where a User-Agent is cut.
const maxDevice = 200

func callerOf(r *http.Request) caller {
	a := httpserver.Client(r)
	return caller{
		Address: a.String(),
		Network: networkOf(a),
		Device:  printable(r.UserAgent(), maxDevice),
		Request: httpserver.RequestID(r.Context()),
	}
}

// networkOf is the network an address counts as: /24, or /56 of IPv6.
func networkOf(a netip.Addr) string {
	a = a.Unmap()
	bits := 24
	if a.Is6() {
		bits = 56
	}
	p, err := a.Prefix(bits)
	if err != nil || !p.IsValid() {
		return "unknown"
	}
	return p.String()
}

// printable keeps the printable ASCII of s, at most n bytes of it.
func printable(s string, n int) string {
	out := make([]byte, 0, min(len(s), n))
	for i := 0; i < len(s) && len(out) < n; i++ {
		if ' ' <= s[i] && s[i] <= '~' {
			out = append(out, s[i])
		}
	}
	return string(out)
}

// throttle counts one request on a credential route.
func (s *Service) throttle(from caller) error {
	if wait, ok := s.perAddress.Allow(from.Address); !ok {
		return problem.Throttled(wait)
	}
	if wait, ok := s.perNetwork.Allow(from.Network); !ok {
		return problem.Throttled(wait)
	}
	return nil
}

// admit is throttle for requests that will need the hash pool: a flood is shed
// before it costs a read of the store.
func (s *Service) admit(ctx context.Context, from caller) error {
	if err := s.throttle(from); err != nil {
		return err
	}
	return s.pool.Ready(ctx, from.Network)
}

// claim is a password and whose it is said to be, known or not.
type claim struct {
	route    string    // for metrics and the audit record
	key      string    // of the address
	id       string    // of the account, "" when the address is unknown
	account  *customer // nil when the address is unknown
	from     caller
	password secret.Bytes
	locked   *problem.Error // the route's sentence for a lock
	wrong    *problem.Error // and for a wrong password
}

// wideLock and wideLockRole are the failures from everywhere that lock an
// address (decision B5, PCI DSS 8.3.4).
const (
	wideLock     = 50
	wideLockRole = 10
)

// buckets are where an attempt at c counts. A network the account knows is
// spared the wide lock, so that strangers cannot lock its owner out.
func (s *Service) buckets(c claim) []limit.Bucket {
	pair := limit.Rule{Name: "login", Max: s.cfg.LockAfter, Window: s.cfg.LockWindow, Lock: s.cfg.LockFor, Forgive: true}
	wide := limit.Rule{Name: "login-wide", Max: wideLock, Window: s.cfg.LockWindow, Lock: s.cfg.LockFor}
	key := c.key
	if c.account != nil {
		key += " " + strconv.FormatInt(c.account.LockEpoch, 10)
		if len(c.account.Roles) > 0 {
			wide.Max = wideLockRole
		}
		if c.account.knows(c.from.Network, s.now()) {
			return []limit.Bucket{{Rule: pair, Key: key + " " + c.from.Network}}
		}
	} else {
		key += " 0"
	}
	return []limit.Bucket{{Rule: pair, Key: key + " " + c.from.Network}, {Rule: wide, Key: key}}
}

// check decides whether c's password is the account's (decisions B4, B5, B7).
// On success the caller settles the attempt: Succeed when the login came
// through, else Cancel.
//
// A lock answers first, from a mere read. What is left waits for a slot of the
// hash pool and only then reserves its attempt, so a flood that is shed costs
// no write, and parallel guesses never exceed the limit because the slot is
// useless without a reservation.
func (s *Service) check(ctx context.Context, c claim) (*limit.Attempt, error) {
	buckets := s.buckets(c)
	for _, b := range buckets {
		state, err := s.cfg.Counters.Peek(ctx, b)
		if err != nil {
			return nil, err
		}
		if !state.Until.IsZero() {
			return nil, s.refuseLocked(c)
		}
	}
	var attempt *limit.Attempt
	var same bool
	var failure error
	err := s.pool.Do(ctx, c.from.Network, func() {
		if attempt, failure = s.cfg.Counters.Begin(ctx, buckets...); failure == nil {
			same = s.compare(c.hash(s.dummy), c.password) && c.account != nil
		}
	})
	if err != nil {
		return nil, err
	}
	if _, locked := errors.AsType[*limit.Locked](failure); locked {
		return nil, s.refuseLocked(c)
	}
	if failure != nil {
		return nil, failure
	}
	if !same {
		return nil, s.refuseWrong(ctx, c, attempt)
	}
	return attempt, nil
}

// hash is what c's password is compared with: a real hash in any case, so that
// an unknown address takes as long as a known one.
func (c claim) hash(dummy string) string {
	if c.account == nil || password.Cost(c.account.Password) == 0 {
		return dummy
	}
	return c.account.Password
}

func (s *Service) refuseLocked(c claim) error {
	s.metrics.attempts.WithLabelValues(c.route, "locked").Inc()
	return c.locked
}

// refuseWrong settles a failed attempt. Its answer tells nothing that the
// store could not confirm: when the failure cannot be counted or recorded, the
// caller learns of the store, not of the password.
func (s *Service) refuseWrong(ctx context.Context, c claim, attempt *limit.Attempt) error {
	began, err := attempt.Fail(ctx)
	if err != nil {
		return err
	}
	s.metrics.attempts.WithLabelValues(c.route, "wrong").Inc()
	if err := s.note(ctx, c.route, c, audit.Refused); err != nil {
		return err
	}
	if !began {
		return c.wrong
	}
	s.metrics.lockouts.Inc()
	if err := s.note(ctx, "customer.lock", c, audit.Success); err != nil {
		return err
	}
	if c.account != nil {
		err = s.tell(ctx, notice{Kind: mail.Locked, Account: c.id})
	}
	if err != nil {
		return err
	}
	return c.wrong
}

// note records an event of c. An address that is no account's is not kept.
func (s *Service) note(ctx context.Context, act string, c claim, result string) error {
	return s.cfg.Audit.Note(ctx, audit.Entry{Act: act, Actor: c.id, Object: c.id, Owner: c.id, From: c.from.Address, Request: c.from.Request}, result)
}

// act is something done to an account, for the audit record.
type act struct {
	name    string
	account string
	from    caller
}

// recorded runs f as an audited act: on record before it happens, its outcome
// behind it (decision D9). Without the record it does not happen.
func (s *Service) recorded(ctx context.Context, what act, f func() error) error {
	a, err := s.cfg.Audit.Begin(ctx, audit.Entry{
		Act: what.name, Actor: what.account, Object: what.account, Owner: what.account,
		From: what.from.Address, Request: what.from.Request,
	})
	if err != nil {
		return err
	}
	err = f()
	if endErr := a.End(ctx, outcome(err)); endErr != nil {
		// The act is on record and has happened; only its outcome is missing.
		s.cfg.Log.WarnContext(ctx, "outcome of an act was not recorded", "event.action", what.name, "error.message", endErr)
	}
	return err
}

func outcome(err error) string {
	if err == nil {
		return audit.Success
	}
	switch problem.From(err).Kind {
	case problem.Internal, problem.Unavailable, problem.Timeout:
		return audit.Failed
	}
	return audit.Refused
}

// compare is one bcrypt run; it needs a slot of the pool.
func (s *Service) compare(hash string, p secret.Bytes) bool {
	defer s.timeHash()()
	return password.Match(hash, p)
}

// hash computes a new hash in the pool.
func (s *Service) hash(ctx context.Context, from caller, p secret.Bytes) (hash string, err error) {
	full := s.pool.Do(ctx, from.Network, func() {
		defer s.timeHash()()
		hash, err = password.Hash(p, s.cfg.BcryptCost)
	})
	if full != nil {
		return "", full
	}
	return hash, err
}

// timeHash counts and measures one bcrypt run.
func (s *Service) timeHash() (done func()) {
	start := time.Now()
	return func() { s.metrics.hashing.Observe(time.Since(start).Seconds()) }
}

// acceptable checks a new password against the policy and the account's
// history; each comparison takes its own turn in the pool and the first match
// ends it.
func (s *Service) acceptable(ctx context.Context, from caller, c *customer, p secret.Bytes) error {
	if err := checkPassword(p, c); err != nil {
		return err
	}
	for _, old := range c.PasswordHistory {
		if password.Cost(old) == 0 {
			continue
		}
		var same bool
		if err := s.pool.Do(ctx, from.Network, func() { same = s.compare(old, p) }); err != nil {
			return err
		}
		if same {
			return weakPassword(password.Reused().Error())
		}
	}
	return nil
}

func checkPassword(p secret.Bytes, c *customer) error {
	if err := password.Check(p, c.ownWords()...); err != nil {
		return weakPassword(err.Error())
	}
	return nil
}
