package bearer

import (
	"context"
	"crypto"
	"errors"
	"sync/atomic"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"ccms/internal/identity"
)

// The key set is fetched again when it is keysAge old, or when a token names a
// key it lacks, and never sooner than keysPause after the last try.
const (
	keysAge   = 5 * time.Minute
	keysPause = 5 * time.Second
)

// errCannotTell: there are no keys to check a signature with, because the login
// service publishes none (HS256) or they could not be fetched yet. The login
// service, asked next, decides alone.
var errCannotTell = errors.New("no keys to check the signature with")

// keys is the login service's key set as last fetched. It goes on with an old
// set when a fetch fails.
type keys struct {
	fetch   func(context.Context) (jose.JSONWebKeySet, error)
	limit   time.Duration // for one fetch
	now     func() time.Time
	blocked func() bool // no call has a chance now
	current atomic.Pointer[keyring]

	fetching flights[struct{}, *keyring]
}

// keyring is the outcome of a fetch; it does not change.
type keyring struct {
	byID  map[string]*jose.JSONWebKey // nil: never fetched
	read  time.Time                   // of the last fetch that succeeded
	tried time.Time                   // of the last fetch
}

// lookup finds a key for the verifier: identity.ErrUnknownKey, or errCannotTell
// when no key at all is known.
func (k *keys) lookup(ctx context.Context, kid string) (*jose.JSONWebKey, error) {
	r := k.current.Load()
	now := k.now()
	if r == nil || r.byID[kid] == nil || now.Sub(r.read) >= keysAge {
		var err error
		if r, err = k.renew(ctx, r, now); err != nil {
			return nil, err
		}
	}
	switch {
	case r == nil || len(r.byID) == 0:
		return nil, errCannotTell
	case r.byID[kid] == nil:
		return nil, identity.ErrUnknownKey
	}
	return r.byID[kid], nil
}

// renew fetches the set unless that was just tried or has no chance. All who
// ask meanwhile share the fetch. Only the end of ctx is an error.
func (k *keys) renew(ctx context.Context, old *keyring, now time.Time) (*keyring, error) {
	if old != nil && now.Sub(old.tried) < keysPause || k.blocked() {
		return old, nil
	}
	return k.fetching.do(ctx, struct{}{}, func(ctx context.Context) (*keyring, error) {
		ctx, cancel := context.WithTimeout(ctx, k.limit)
		defer cancel()
		set, err := k.fetch(ctx)
		if errors.Is(ctx.Err(), context.Canceled) {
			return k.current.Load(), nil
		}
		r := &keyring{tried: now}
		if err == nil {
			r.byID, r.read = usable(set, old), now
		} else if old != nil {
			r.byID, r.read = old.byID, old.read
		}
		k.current.Store(r)
		return r, nil
	})
}

// usable picks the keys that may verify. One that is known already keeps its
// pointer, so that what was verified with it stays verified.
func usable(set jose.JSONWebKeySet, old *keyring) map[string]*jose.JSONWebKey {
	byID := map[string]*jose.JSONWebKey{}
	for _, key := range set.Keys {
		if key.KeyID == "" || byID[key.KeyID] != nil || !key.IsPublic() || key.Use != "sig" {
			continue
		}
		byID[key.KeyID] = &key
		if old == nil || old.byID[key.KeyID] == nil {
			continue
		}
		if known := old.byID[key.KeyID]; same(known, &key) {
			byID[key.KeyID] = known
		}
	}
	return byID
}

// same reports whether two public keys are equal in substance.
func same(a, b *jose.JSONWebKey) bool {
	key, ok := a.Key.(interface{ Equal(crypto.PublicKey) bool })
	return ok && a.Algorithm == b.Algorithm && key.Equal(b.Key)
}
