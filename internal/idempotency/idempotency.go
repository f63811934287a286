// Package idempotency owns the meaning of the Idempotency-Key (decision D5): a
// request sent again with its key has the effect of one and gets the first
// answer byte for byte, on every instance and across a crash.
//
// A key is claimed in the store before the act, together with the ids the act
// will use and a lease. Whoever finds the lease run out goes on with the same
// ids, so an act that was cut off between its commit and its answer settles to
// the same object. For that the act itself must recognise its ids and do
// nothing the second time; this package makes only the claim, the comparison
// of bodies and the replay.
//
// It keeps no body and no code: of the request a keyed HMAC, of the answer the
// sealed bytes. It knows no HTTP; the caller hands in the header's values.
package idempotency

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"ccms/internal/patience"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store"
)

// Header is the name of the request header.
const Header = "Idempotency-Key"

// The times of decision D5, and how long the bookkeeping after an act may take
// when its caller has gone.
const (
	kept   = 24 * time.Hour
	lease  = 30 * time.Second
	settle = patience.Times * 5 * time.Second
)

// purpose names the keys of this package in the key ring.
const purpose = "idempotency"

// maxKey is the length of the longest key in characters.
const maxKey = 255

// Sealer keeps small values sealed; package keyring's Ring is one. What was
// sealed under a purpose and id opens under the same only.
type Sealer interface {
	Seal(ctx context.Context, purpose, id string, plaintext []byte) ([]byte, error)
	Open(ctx context.Context, purpose, id string, sealed []byte) (secret.Bytes, error)
}

// Config is what Open needs.
type Config struct {
	DB store.DB
	// Key makes the look-up value of a key and of a body; 32 bytes, the same in
	// every process on one store.
	Key secret.Bytes
	// Sealer seals the kept answers.
	Sealer Sealer
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Keys is the register of keys; safe for concurrent use.
type Keys struct {
	claims *store.Of[claim]
	key    secret.Bytes
	sealer Sealer
	now    func() time.Time
}

// claim is one key in the collection Idempotency. Its id is a keyed HMAC of
// principal, route and key.
type claim struct {
	Body       string    `bson:"body"`             // keyed HMAC of the request
	IDs        []string  `bson:"ids"`              // what the act will use
	LeaseUntil time.Time `bson:"leaseUntil"`       // of whoever works on it
	Answer     []byte    `bson:"answer,omitempty"` // sealed; present once settled
	ExpiresAt  time.Time `bson:"expiresAt"`
}

// Open opens the collection Idempotency in c.DB.
func Open(ctx context.Context, c Config) (*Keys, error) {
	claims, err := store.Open[claim](ctx, c.DB, store.Spec{Name: "Idempotency", Expires: "expiresAt"})
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Keys{claims: claims, key: c.Key, sealer: c.Sealer, now: c.Now}, nil
}

// ParseKey returns the key among the values of the request header: "" when
// there is none, else 1 to 255 printable ASCII characters (decision D5).
func ParseKey(values []string) (string, error) {
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	if len(values) > 1 || key == "" || len(key) > maxKey || !printable(key) {
		return "", problem.Validation("Send one Idempotency-Key of 1 to 255 printable ASCII characters.")
	}
	return key, nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Request says whose act is to happen once.
type Request struct {
	Principal string // subject or client id
	Route     string // method and pattern; a key belongs to one route
	Key       string // from ParseKey; "" runs the act without a claim
	// Body is what makes two requests the same, in one fixed form, without a
	// verification code. It is not kept.
	Body []byte
	// IDs are fresh ids for the act, used unless an earlier try claimed others.
	IDs []string
}

// Act does the work with the ids it is given and returns the body of its
// answer. It must do nothing, and answer the same, when it was done with these
// ids before.
type Act func(ctx context.Context, ids []string) ([]byte, error)

// Do runs act unless the key has its answer already, which it then returns. It
// fails with IDEMPOTENCY_MISMATCH when the key came with another body, with
// IDEMPOTENCY_IN_PROGRESS while another request works on it, with an error of
// the store, or as act does. Refusals that would stand when asked again
// (conflicts) are kept like answers; 401, 403, 429, 5xx and shape errors are
// not.
func (k *Keys) Do(ctx context.Context, r Request, act Act) ([]byte, error) {
	if r.Key == "" {
		return act(ctx, r.IDs)
	}
	c, err := k.claim(ctx, r)
	if err != nil {
		return nil, err
	}
	if c.Value.Answer != nil {
		return k.replay(ctx, c)
	}
	body, err := act(ctx, c.Value.IDs)
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle)
	defer cancel()
	if o, keep := outcomeOf(body, err, k.now()); keep {
		return k.settle(after, c, o)
	}
	k.release(after, c, err)
	return nil, err
}

// claim returns the claim of r: settled, or leased to the caller.
func (k *Keys) claim(ctx context.Context, r Request) (store.Record[claim], error) {
	id := k.mac([]byte("key"), []byte(r.Principal), []byte(r.Route), []byte(r.Key))
	body := k.mac([]byte("body"), []byte(id), r.Body)
	for {
		now := k.now()
		fresh := claim{Body: body, IDs: r.IDs, LeaseUntil: now.Add(lease), ExpiresAt: now.Add(kept)}
		err := k.claims.Insert(ctx, id, fresh)
		if err == nil {
			return store.Record[claim]{ID: id, Rev: 1, Value: fresh}, nil
		}
		if !errors.Is(err, store.ErrExists) {
			return store.Record[claim]{}, err
		}
		c, err := k.join(ctx, id, body)
		if err == nil || !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrStale) {
			return c, err
		}
		// It went, or someone else took it over, between the two; look again.
	}
}

// join returns a claim made before: settled, or taken over after its lease ran
// out.
func (k *Keys) join(ctx context.Context, id, body string) (store.Record[claim], error) {
	c, err := k.claims.Get(ctx, id)
	if err != nil {
		return c, err
	}
	now := k.now()
	switch {
	case !hmac.Equal([]byte(c.Value.Body), []byte(body)):
		return c, mismatch()
	case c.Value.Answer != nil:
		return c, nil
	case now.Before(c.Value.LeaseUntil):
		return c, inProgress()
	}
	c.Value.LeaseUntil = now.Add(lease)
	if err := k.claims.Replace(ctx, c); err != nil {
		return c, err
	}
	c.Rev++
	return c, nil
}

// settle keeps the outcome and returns it. When the claim was taken over
// meanwhile, the outcome of whoever settled it first is everyone's.
func (k *Keys) settle(ctx context.Context, c store.Record[claim], o outcome) ([]byte, error) {
	sealed, err := k.seal(ctx, c.ID, o)
	if err != nil {
		return nil, err
	}
	for {
		c.Value.Answer = sealed
		err = k.claims.Replace(ctx, c)
		if !errors.Is(err, store.ErrStale) {
			break
		}
		if c, err = k.claims.Get(ctx, c.ID); err != nil || c.Value.Answer != nil {
			break
		}
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return o.result() // it ran past the life of its key
	case err != nil && o.Refusal != nil:
		return nil, err // asked again it might fall out otherwise, so it is not given
	case err != nil:
		return o.Body, nil // the act is durable and answers the same when run again
	}
	return k.replay(ctx, c)
}

// release gives a claim up after an outcome that is not kept. Where the act may
// have happened all the same, the claim and its ids stay for the next try and
// only the lease ends. Should the store refuse even that, the lease runs out by
// itself.
func (k *Keys) release(ctx context.Context, c store.Record[claim], cause error) {
	if unknown(cause) {
		c.Value.LeaseUntil = k.now()
		_ = k.claims.Replace(ctx, c)
		return
	}
	_ = k.claims.Delete(ctx, c.ID, c.Rev)
}

func (k *Keys) replay(ctx context.Context, c store.Record[claim]) ([]byte, error) {
	o, err := k.open(ctx, c.ID, c.Value.Answer)
	if err != nil {
		return nil, err
	}
	return o.result()
}

// mac is a keyed HMAC over the parts, each with its length before it, as text.
func (k *Keys) mac(parts ...[]byte) string {
	all := make([][]byte, 0, 2*len(parts))
	for _, p := range parts {
		all = append(all, binary.BigEndian.AppendUint64(nil, uint64(len(p))), p)
	}
	return base64.RawURLEncoding.EncodeToString(secret.MAC(k.key.Reveal(), all...))
}
