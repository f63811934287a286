// Package bearer owns how a service other than login finds out who sent a
// request (decision C1): the token's signature is checked here, with the login
// service's public keys, then the session is asked of the login service through
// the circuit breaker of contract section 8, and a positive answer is
// remembered for less than a second. It knows neither scopes nor what a caller
// may do (that is the domain's), and finds the login service through the client
// it is given.
package bearer

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/meter"
	"ccms/internal/problem"
)

// Config describes a Checker.
type Config struct {
	Issuer   string // iss of our tokens: public-url
	Audience string // aud of our tokens: ccms
	// Client reaches the login service; its transport resolves LoginURL and
	// tries the next instance when one refuses the connection. Redirects are
	// not followed, because they would carry the token along.
	Client *http.Client
	// LoginURL is the login service's base. Default http://LOGIN-SERVICE.
	LoginURL string
	// Timeout is what one check may take, fetching keys included
	// (creditcard.login-timeout). Default 2 s.
	Timeout time.Duration
	Breaker BreakerConfig
	Now     func() time.Time // default time.Now
	Log     *slog.Logger     // default slog.Default()
}

// memory is how long a positive answer counts (decision C1 allows 0.9 s, so
// that a logout shows everywhere within 1 s, B12), memorySize the size of one
// of the two generations of answers kept.
const (
	memory     = 900 * time.Millisecond
	memorySize = 8192
)

// Checker authenticates requests. Close it when no more will come.
type Checker struct {
	cfg      Config
	login    login
	keys     *keys
	verifier *identity.Verifier
	breaker  *Breaker
	valid    *identity.Memory[verdict]
	lag      *meter.Histogram
	asking   flights[identity.Digest, identity.Principal]
}

// verdict is what the login service was last known to say of a token.
type verdict struct {
	identity.Principal
	asked time.Time
}

// New returns a Checker. It asks nothing yet.
func New(cfg Config) *Checker {
	if cfg.LoginURL == "" {
		cfg.LoginURL = "http://LOGIN-SERVICE"
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 2 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	client := *cfg.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := &Checker{
		cfg:     cfg,
		login:   login{base: cfg.LoginURL, client: &client},
		breaker: newLoggedBreaker(cfg),
		valid:   identity.NewMemory[verdict](memorySize),
		lag:     newLag(),
	}
	c.keys = &keys{fetch: c.login.keys, limit: cfg.Timeout / 2, now: cfg.Now, blocked: c.breaker.blocked}
	c.verifier = identity.NewVerifier(identity.VerifierConfig{
		Issuer: cfg.Issuer, Audience: cfg.Audience, Lookup: c.keys.lookup, Now: cfg.Now,
	})
	return c
}

func newLoggedBreaker(cfg Config) *Breaker {
	b := cfg.Breaker
	told := b.Changed
	b.Changed = func(from, to string) {
		cfg.Log.Warn("circuit breaker of the login service changed", "ccms.breaker.from", from, "ccms.breaker.to", to)
		if told != nil {
			told(from, to)
		}
	}
	return NewBreaker(b)
}

// Breaker gives the circuit breaker, for metrics.
func (c *Checker) Breaker() *Breaker { return c.breaker }

// Close waits for the calls under way; each ends within the Timeout.
func (c *Checker) Close() {
	c.asking.running.Wait()
	c.keys.fetching.running.Wait()
}

// Authenticate returns who sent r. Its errors are problem.NoToken,
// problem.ExpiredToken, problem.ServiceUnavailable (breaker open, no instance,
// login service failing), problem.TimedOut (login service too slow) and the
// caller's own cancellation.
func (c *Checker) Authenticate(r *http.Request) (identity.Principal, error) {
	token := httpserver.Bearer(r)
	if !identity.WellFormed(token) {
		return identity.Principal{}, problem.NoToken()
	}
	digest := identity.DigestOf(token)
	now := c.cfg.Now()
	if a, ok := c.valid.Get(digest, now); ok {
		c.lag.Observe(now.Sub(a.asked).Seconds())
		return a.Principal, nil
	}
	p, err := c.asking.do(r.Context(), digest, func(ctx context.Context) (identity.Principal, error) {
		ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
		defer cancel()
		return c.check(ctx, token, digest)
	})
	if err != nil && errors.Is(r.Context().Err(), context.DeadlineExceeded) {
		return p, problem.TimedOut(err) // the caller's own time was up
	}
	return p, err
}

// check does what no memory spares: signature, then session.
func (c *Checker) check(ctx context.Context, token string, digest identity.Digest) (identity.Principal, error) {
	p, err := c.verifier.Verify(ctx, token)
	if errors.Is(err, errCannotTell) {
		p, err = c.verifier.Unverified(token) // the login service decides alone
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return identity.Principal{}, problem.TimedOut(err) // while its keys were fetched
	}
	if err != nil {
		return identity.Principal{}, err
	}
	asked := c.cfg.Now()
	state, err := c.session(ctx, token)
	if err != nil {
		return identity.Principal{}, err
	}
	p = state.apply(p)
	until := asked.Add(memory)
	if p.Expires.Before(until) {
		until = p.Expires
	}
	c.valid.Put(digest, verdict{p, asked}, until)
	return p, nil
}

// session asks the login service through the breaker.
func (c *Checker) session(ctx context.Context, token string) (session, error) {
	wait, ok := c.breaker.TryAcquire()
	if !ok {
		return session{}, problem.ServiceUnavailable(wait)
	}
	record := c.breaker.Failure // also when the call panics
	defer func() { record() }()
	s, err := c.login.validate(ctx, token)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		record = c.breaker.Release
	case !errors.Is(err, errFailure):
		record = c.breaker.Success
	}
	return s, err
}
