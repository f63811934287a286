// Package gate owns what stands before every check of a password: the throttle
// of client addresses and networks, the failures that lock (decision B5), the
// hash pool (decision B7), and the comparison, which takes as long for an
// address that is no account's as for one that is (decision B4).
//
// It does not say who may ask or what follows from a right password: the caller
// settles the attempt. Nor does it know the words of a refusal, which are the
// route's. Counting is done by package limit, bounding by hashpool, hashing by
// password; that a lock began is told by Config.Locked.
//
// The hashing of new passwords, and their comparison with old ones, takes its
// turn here too, because the pool is one.
package gate

import (
	"context"
	"crypto/rand"
	"time"

	"ccms/internal/limit"
	"ccms/internal/login/customer"
	"ccms/internal/login/hashpool"
	"ccms/internal/login/password"
	"ccms/internal/login/trail"
	"ccms/internal/meter"
	"ccms/internal/problem"
	"ccms/internal/secret"
)

// Config is what New needs. The defaults are those of login.Config.
type Config struct {
	Counters *limit.Counters
	Trail    *trail.Trail
	// Locked tells the owner of an account that a lock began.
	Locked func(ctx context.Context, account string) error
	// Hashing bounds bcrypt. The zero value has the defaults of hashpool.
	Hashing hashpool.Config
	Cost    int // of new bcrypt hashes

	LockAfter  int           // failures from one network that lock
	LockWindow time.Duration // in which they count
	LockFor    time.Duration // how long a lock lasts

	RatePerAddress int // requests a minute of one client address
	RatePerNetwork int // the same of its network

	Metrics *meter.Registry  // nil: none are registered
	Now     func() time.Time // the clock
}

// Gate is safe for concurrent use.
type Gate struct {
	cfg        Config
	pool       *hashpool.Pool
	perAddress *limit.Rate
	perNetwork *limit.Rate
	// dummy is the hash an unknown address is compared with.
	dummy   string
	metrics metrics
}

// New prepares the pool and the hash for unknown addresses.
func New(cfg Config) (*Gate, error) {
	g := &Gate{
		cfg:        cfg,
		pool:       hashpool.New(cfg.Hashing),
		perAddress: limit.NewRate(limit.RateConfig{PerMinute: cfg.RatePerAddress, Now: cfg.Now}),
		perNetwork: limit.NewRate(limit.RateConfig{PerMinute: cfg.RatePerNetwork, Now: cfg.Now}),
	}
	var err error
	if g.dummy, err = password.Hash(secret.NewString(rand.Text()), cfg.Cost); err != nil {
		return nil, err
	}
	g.metrics = newMetrics(cfg.Metrics, g.pool)
	return g, nil
}

// Throttle counts one request on a credential route: nil or TOO_MANY_REQUESTS.
func (g *Gate) Throttle(from trail.Caller) error {
	if wait, ok := g.perAddress.Allow(from.Address); !ok {
		return problem.Throttled(wait)
	}
	if wait, ok := g.perNetwork.Allow(from.Network); !ok {
		return problem.Throttled(wait)
	}
	return nil
}

// Admit is Throttle for requests that will need the hash pool: a flood is shed
// with SERVICE_UNAVAILABLE before it costs a read of the store.
func (g *Gate) Admit(ctx context.Context, from trail.Caller) error {
	if err := g.Throttle(from); err != nil {
		return err
	}
	return g.pool.Ready(ctx, from.Network)
}

// Hash computes the hash of a new password in the pool.
func (g *Gate) Hash(ctx context.Context, from trail.Caller, p secret.Bytes) (hash string, err error) {
	full := g.pool.Do(ctx, from.Network, func() {
		defer g.metrics.timeHash()()
		hash, err = password.Hash(p, g.cfg.Cost)
	})
	if full != nil {
		return "", full
	}
	return hash, err
}

// Raise hashes p again when its hash is of a lower cost than the one in force
// (decision B6), else it returns "". A busy pool puts the new hash off to the
// next login.
func (g *Gate) Raise(ctx context.Context, from trail.Caller, hash string, p secret.Bytes) (better string) {
	if password.Cost(hash) < g.cfg.Cost {
		better, _ = g.Hash(ctx, from, p)
	}
	return better
}

// Reused reports whether p is one of c's last passwords. Each comparison takes
// its own turn in the pool and the first match ends it.
func (g *Gate) Reused(ctx context.Context, from trail.Caller, c *customer.Customer, p secret.Bytes) (same bool, err error) {
	for _, old := range c.PasswordHistory {
		if password.Cost(old) == 0 {
			continue
		}
		if err := g.pool.Do(ctx, from.Network, func() { same = g.compare(old, p) }); err != nil || same {
			return same, err
		}
	}
	return false, nil
}

// compare is one bcrypt run; it needs a slot of the pool.
func (g *Gate) compare(hash string, p secret.Bytes) bool {
	defer g.metrics.timeHash()()
	return password.Match(hash, p)
}
