package identity

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"ccms/internal/store"
)

// The place of the keys in the store, and the purpose they are sealed for.
const (
	keyCollection = "SigningKey"
	keyDocument   = "jwt"
	keyPurpose    = "jwt"
)

// keySet is the document: all keys, oldest first. Whoever can write the store
// can neither forge nor exchange a key, because also the public part of a
// retired key is under the seal, bound to the key's id.
type keySet struct {
	Keys []storedKey `bson:"keys"`
}

// storedKey is one key. Its state follows from its times: next until
// activated, active until retired.
type storedKey struct {
	ID        string    `bson:"id"` // RFC 7638 thumbprint
	Algorithm string    `bson:"alg"`
	Created   time.Time `bson:"created"`
	Activated time.Time `bson:"activated,omitempty"`
	Retired   time.Time `bson:"retired,omitempty"`
	// Sealed is the private key (PKCS #8) or, once retired, the public key
	// (PKIX): the private part is destroyed when it is no longer needed.
	Sealed []byte `bson:"sealed"`
}

func (s storedKey) next() bool   { return s.Activated.IsZero() }
func (s storedKey) active() bool { return !s.next() && s.Retired.IsZero() }

var (
	errKeySet  = errors.New("identity: signing keys are damaged")
	errNothing = errors.New("identity: nothing to rotate")
)

// open reads the key set or makes the first one; of several processes that try,
// one succeeds and the others read what it made.
func (k *Keys) open(ctx context.Context) error {
	var err error
	if k.records, err = store.Open[keySet](ctx, k.cfg.DB, store.Spec{Name: keyCollection}); err != nil {
		return err
	}
	s, err := k.load(ctx, &snapshot{})
	if errors.Is(err, store.ErrNotFound) {
		if err = k.create(ctx); err != nil {
			return err
		}
		s, err = k.load(ctx, &snapshot{})
	}
	if err != nil {
		return err
	}
	k.current.Store(s)
	return k.rotate(ctx, func(set keySet) bool {
		i := slices.IndexFunc(set.Keys, storedKey.active)
		return i < 0 || set.Keys[i].Algorithm != k.cfg.Algorithm
	})
}

// create makes an active key and the next.
func (k *Keys) create(ctx context.Context) error {
	var set keySet
	if err := k.turn(ctx, &set); err != nil {
		return err
	}
	err := k.records.Insert(ctx, keyDocument, set)
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	return err
}

// rotate changes the stored set if due says so about its latest state, and then
// reads it.
func (k *Keys) rotate(ctx context.Context, due func(keySet) bool) error {
	_, err := k.records.Update(ctx, keyDocument, func(set *keySet) error {
		if !due(*set) {
			return errNothing
		}
		return k.turn(ctx, set)
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	if err != nil {
		return err
	}
	<-k.reading
	defer func() { k.reading <- struct{}{} }()
	_, err = k.read(ctx)
	return err
}

// turn moves every key of set one state on and appends a new next key.
func (k *Keys) turn(ctx context.Context, set *keySet) error {
	now := k.cfg.Now()
	kept := make([]storedKey, 0, len(set.Keys)+1)
	for _, s := range set.Keys {
		switch {
		case s.next() && s.Algorithm == k.cfg.Algorithm:
			s.Activated = now
		case s.next():
			continue // of an algorithm no longer wanted; it never signed
		case s.active():
			if err := k.retire(ctx, &s, now); err != nil {
				return err
			}
		case !now.Before(k.until(s)):
			continue
		}
		kept = append(kept, s)
	}
	for !slices.ContainsFunc(kept, storedKey.active) || !slices.ContainsFunc(kept, storedKey.next) {
		key, err := k.generate(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(kept, storedKey.active) {
			key.Activated = now // nothing was published ahead: the algorithm changed
		}
		kept = append(kept, key)
	}
	set.Keys = kept
	return nil
}

// retire ends a key's signing and destroys its private part.
func (k *Keys) retire(ctx context.Context, s *storedKey, now time.Time) error {
	key, err := k.unseal(ctx, *s)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public().Key)
	if err != nil {
		return err
	}
	s.Retired = now
	s.Sealed, err = k.cfg.Sealer.Seal(ctx, keyPurpose, s.ID, der)
	return err
}

// until is when the last token of a retired key has expired: an instance that
// has not read the rotation yet may sign for Refresh longer.
func (k *Keys) until(s storedKey) time.Time {
	if s.Retired.IsZero() {
		return time.Time{}
	}
	return s.Retired.Add(k.cfg.Refresh + k.cfg.TokenLife)
}

// load reads the set; with an unchanged revision it takes over old's keys.
func (k *Keys) load(ctx context.Context, old *snapshot) (*snapshot, error) {
	r, err := k.records.Get(ctx, keyDocument)
	if err != nil {
		return nil, err
	}
	s := &snapshot{rev: r.Rev, read: k.cfg.Now(), signer: old.signer, signs: old.signs, keys: old.keys}
	if r.Rev == old.rev {
		return s, nil
	}
	s.keys = nil
	for _, stored := range r.Value.Keys {
		key, err := k.unseal(ctx, stored)
		if err != nil {
			return nil, err
		}
		if stored.active() {
			if s.signer, err = newSigner(key); err != nil {
				return nil, err
			}
			s.signs = stored.Activated
		}
		s.keys = append(s.keys, published{jwk: old.keep(key.Public()), until: k.until(stored)})
	}
	if s.signer == nil {
		return nil, errKeySet
	}
	return s, nil
}

// keep returns the pointer under which a key was known before, so that what was
// verified with it stays verified.
func (s *snapshot) keep(key jose.JSONWebKey) *jose.JSONWebKey {
	for _, p := range s.keys {
		if p.jwk.KeyID == key.KeyID {
			return p.jwk
		}
	}
	return &key
}

// unseal opens a stored key and checks that it is the one its id names.
func (k *Keys) unseal(ctx context.Context, s storedKey) (*jose.JSONWebKey, error) {
	der, err := k.cfg.Sealer.Open(ctx, keyPurpose, s.ID, s.Sealed)
	if err != nil {
		return nil, fmt.Errorf("open signing key: %w", err)
	}
	defer der.Wipe()
	var key any
	if s.Retired.IsZero() {
		key, err = x509.ParsePKCS8PrivateKey(der.Reveal())
	} else {
		key, err = x509.ParsePKIXPublicKey(der.Reveal())
	}
	if err != nil {
		return nil, errKeySet
	}
	jwk, err := newJWK(key, s.Algorithm)
	if err != nil || jwk.KeyID != s.ID {
		return nil, errKeySet
	}
	return jwk, nil
}

// generate makes a sealed key of the configured algorithm, in state next.
func (k *Keys) generate(ctx context.Context) (storedKey, error) {
	key, err := newPrivate(k.cfg.Algorithm)
	if err != nil {
		return storedKey{}, err
	}
	jwk, err := newJWK(key, k.cfg.Algorithm)
	if err != nil {
		return storedKey{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return storedKey{}, err
	}
	defer clear(der)
	sealed, err := k.cfg.Sealer.Seal(ctx, keyPurpose, jwk.KeyID, der)
	if err != nil {
		return storedKey{}, fmt.Errorf("seal signing key: %w", err)
	}
	return storedKey{ID: jwk.KeyID, Algorithm: jwk.Algorithm, Created: k.cfg.Now(), Sealed: sealed}, nil
}

func newPrivate(algorithm string) (crypto.PrivateKey, error) {
	if algorithm == RS256 {
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// newJWK wraps a private or public key under its RFC 7638 thumbprint.
func newJWK(key any, algorithm string) (*jose.JSONWebKey, error) {
	jwk := &jose.JSONWebKey{Key: key, Algorithm: algorithm, Use: "sig"}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	jwk.KeyID = base64.RawURLEncoding.EncodeToString(sum)
	return jwk, nil
}
