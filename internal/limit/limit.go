// Package limit owns counters: persistent ones with a window and a lock for
// guesses (decision B5, PCI DSS 8.3.4) and for events a person may cause
// (decision B9), and Rate, a throttle in memory. It does not know what is
// counted: the caller joins address and network to a key and turns a refusal
// into its own sentence.
//
// A guess is an Attempt, counted before the costly check and settled after it,
// so that parallel guesses never exceed the limit, over any number of
// instances:
//
//	attempt, err := counters.Begin(ctx, limit.Bucket{Rule: pair, Key: email + " " + network}, limit.Bucket{Rule: wide, Key: email})
//	if locked, ok := errors.AsType[*limit.Locked](err); ok { … locked.Until … }
//	if err != nil { return err } // a problem.Error: DATABASE_ERROR, TIMEOUT or TOO_MANY_REQUESTS
//	defer attempt.Cancel(ctx)    // does nothing once settled
//	… check the password …
//	locked, err := attempt.Fail(ctx) // or attempt.Succeed(ctx)
//
// An event that always counts is one call of Take.
package limit

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"ccms/internal/secret"
	"ccms/internal/store"
)

// Rule says how much is too much.
type Rule struct {
	// Name tells counters of the same key apart. It is stored in clear.
	Name string
	// Max is the number of failures the window holds; the Max-th begins the lock.
	Max int
	// Window is how long a failure counts.
	Window time.Duration
	// Lock is how long nothing is allowed after the Max-th failure. Failures
	// do not extend it and it starts the count anew. With 0 there is no lock:
	// the next attempt is allowed when the oldest failure leaves the window.
	Lock time.Duration
	// Forgive makes a success clear the count. Without it a success takes
	// back its own attempt only.
	Forgive bool
}

// Bucket is what one Rule counts under one key.
type Bucket struct {
	Rule Rule
	Key  string // any text; only its HMAC is stored
}

// Locked is the error of a refused attempt.
type Locked struct {
	Rule  string    // Name of the rule that refuses
	Until time.Time // when an attempt is allowed again
}

// Error implements error.
func (e *Locked) Error() string { return "limit: locked by rule " + e.Rule }

// State is what Peek sees.
type State struct {
	Failed int       // failures inside the window
	Open   int       // attempts not settled yet
	Until  time.Time // end of the lock, zero when there is none
}

// Config is what Open needs.
type Config struct {
	DB store.DB
	// Key is for the HMAC that hides keys, at least 32 bytes.
	Key secret.Bytes
	// Collection, by default "Counter".
	Collection string
	// Hold is how long an attempt may stay unsettled; then it counts as a
	// failure, as after a crash. Default 30 s.
	Hold time.Duration
	// Wait is how long Begin waits while all that is left is taken by attempts
	// not settled yet. Default 5 s.
	Wait time.Duration
	// Now is the clock, by default time.Now. Counters vanish from the store by
	// the store's own clock.
	Now func() time.Time
}

// Counters are persistent; they are safe for concurrent use.
type Counters struct {
	docs       *store.Of[counter]
	key        secret.Bytes
	hold, wait time.Duration
	poll       time.Duration // how often a waiting Begin looks for what another process settled
	now        func() time.Time
	gate       gate
}

// Open opens the counters kept in cfg.DB.
func Open(ctx context.Context, cfg Config) (*Counters, error) {
	if cfg.Key.Len() < sha256.Size {
		return nil, fmt.Errorf("limit: the key has %d bytes, want at least %d", cfg.Key.Len(), sha256.Size)
	}
	if cfg.Collection == "" {
		cfg.Collection = "Counter"
	}
	if cfg.Hold == 0 {
		cfg.Hold = 30 * time.Second
	}
	if cfg.Wait == 0 {
		cfg.Wait = 5 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	docs, err := store.Open[counter](ctx, cfg.DB, store.Spec{Name: cfg.Collection, Expires: "expires"})
	if err != nil {
		return nil, fmt.Errorf("limit: %w", err)
	}
	return &Counters{docs: docs, key: cfg.Key, hold: cfg.Hold, wait: cfg.Wait, poll: 50 * time.Millisecond, now: cfg.Now}, nil
}

// Begin counts one attempt in every bucket, or in none. It fails with *Locked,
// or with a problem.Error of the store. While a bucket is full only because of
// attempts under way, which may yet succeed, it waits for them; past
// Config.Wait that is 429 TOO_MANY_REQUESTS. Callers that share buckets name
// them in the same order.
func (c *Counters) Begin(ctx context.Context, buckets ...Bucket) (*Attempt, error) {
	return c.begin(ctx, open, buckets)
}

// Take counts one event in every bucket, or in none. Its errors are those of
// Begin.
func (c *Counters) Take(ctx context.Context, buckets ...Bucket) error {
	_, err := c.begin(ctx, failed, buckets)
	return err
}

func (c *Counters) begin(ctx context.Context, s state, buckets []Bucket) (*Attempt, error) {
	if err := c.lockedNow(ctx, buckets); err != nil {
		return nil, err
	}
	a := &Attempt{c: c, id: rand.Text()}
	for _, b := range buckets {
		a.buckets = append(a.buckets, b)
		if err := c.reserve(ctx, b, entry{ID: a.id, State: s}); err != nil {
			// What cannot be taken back now counts as a failure after Hold.
			_ = a.Cancel(ctx)
			return nil, err
		}
	}
	return a, nil
}

// lockedNow spares a locked key its writes: reading is cheap under attack. A
// lock that nobody has written yet is left to reserve, which writes it.
func (c *Counters) lockedNow(ctx context.Context, buckets []Bucket) error {
	for _, b := range buckets {
		v, began, err := c.read(ctx, b)
		if err != nil {
			return err
		}
		if err := v.refuse(b.Rule); err != nil && !began && !errors.Is(err, errBusy) {
			return err
		}
	}
	return nil
}

// Reset clears count and lock of each bucket; attempts under way stay counted.
func (c *Counters) Reset(ctx context.Context, buckets ...Bucket) error {
	return c.each(ctx, buckets, func(v *counter, _ Bucket, _ time.Time) error {
		return v.forgive("")
	})
}

// Peek tells the state of a bucket and changes nothing.
func (c *Counters) Peek(ctx context.Context, b Bucket) (State, error) {
	v, _, err := c.read(ctx, b)
	if err != nil {
		return State{}, err
	}
	n := v.count(failed)
	return State{Failed: n, Open: len(v.Attempts) - n, Until: v.Locked}, nil
}

// read returns the counter as of now, and whether a lock began by time alone.
func (c *Counters) read(ctx context.Context, b Bucket) (v counter, began bool, err error) {
	r, err := c.docs.Get(ctx, c.id(b))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return v, false, err
	}
	began = r.Value.tidy(b.Rule, c.clock(), c.hold)
	return r.Value, began, nil
}

// each changes every bucket, also when one of them fails, whether or not the
// caller still waits: an attempt once made must be settled.
func (c *Counters) each(ctx context.Context, buckets []Bucket, f func(*counter, Bucket, time.Time) error) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	for _, b := range buckets {
		errs = append(errs, c.change(ctx, b, func(v *counter, now time.Time) error { return f(v, b, now) }))
		c.gate.settled(c.id(b))
	}
	return errors.Join(errs...)
}

// change applies f to a bucket's counter, made when it is missing, until no
// other writer came between. f may run several times; its error ends it
// without a write, unless a lock was found that nobody has written yet.
func (c *Counters) change(ctx context.Context, b Bucket, f func(*counter, time.Time) error) error {
	var refused error
	alter := func(v *counter) error {
		now := c.clock()
		began := v.tidy(b.Rule, now, c.hold)
		if refused = f(v, now); refused != nil && !began {
			return refused
		}
		v.Expires = v.until(b.Rule, now)
		return nil
	}
	for {
		_, err := c.docs.Update(ctx, c.id(b), alter)
		if errors.Is(err, store.ErrNotFound) {
			var v counter
			if err = alter(&v); err == nil {
				err = c.docs.Insert(ctx, c.id(b), v)
			}
		}
		switch {
		case errors.Is(err, store.ErrExists):
			continue
		case err == nil:
			err = refused
		}
		if errors.Is(err, errSame) {
			return nil
		}
		return err
	}
}

// id hides the key: whoever reads the store learns no address from it.
func (c *Counters) id(b Bucket) string {
	m := hmac.New(sha256.New, c.key.Reveal())
	m.Write([]byte(b.Rule.Name + "\x00" + b.Key))
	return b.Rule.Name + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// clock has the precision of the store, so that comparisons agree.
func (c *Counters) clock() time.Time { return c.now().UTC().Truncate(time.Millisecond) }
