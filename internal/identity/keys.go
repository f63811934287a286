package identity

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store"
)

// Sealer keeps the private parts of signing keys from whoever can read or
// write the store. Ring of package keyring is one.
type Sealer interface {
	Seal(ctx context.Context, purpose, id string, plaintext []byte) ([]byte, error)
	Open(ctx context.Context, purpose, id string, sealed []byte) (secret.Bytes, error)
}

// KeysConfig describes Keys.
type KeysConfig struct {
	DB     store.DB // not needed for HS256
	Sealer Sealer   // not needed for HS256
	// Algorithm is ES256 (default), RS256 or HS256.
	Algorithm string
	// Secret is the key of HS256, at least 32 bytes; ignored otherwise.
	Secret secret.Bytes
	// TokenLife is the longest life of a token. A retired key is kept this long.
	// Default 24 h.
	TokenLife time.Duration
	// Refresh is the age at which the keys are read again, so that rotations by
	// other instances are seen. Default 30 s.
	Refresh time.Duration
	Now     func() time.Time // default time.Now
}

// rereadAfter is the least time between two readings that unknown key ids
// cause, so that forged tokens cannot load the store.
const rereadAfter = time.Second

// errFixed: HS256 has one key, which the operator replaces.
var errFixed = errors.New("identity: an HS256 secret is replaced in the settings, not rotated")

// Keys are the signing keys of the login service. They lie in one document that
// all instances share and change by revision, so any number of processes may
// start or rotate at once. One key is active and signs; the next is published
// already, so that consumers know it before its first token; retired ones stay
// until the last token they signed has expired.
type Keys struct {
	cfg     KeysConfig
	records *store.Of[keySet]
	current atomic.Pointer[snapshot]
	reading chan struct{} // holds one token: who takes it may read
}

// snapshot is what one reading found; it does not change.
type snapshot struct {
	rev     int64
	read    time.Time // of the attempt, successful or not
	failure error     // of the attempt, when it failed; the keys are then older
	signer  jose.Signer
	signs   time.Time // since when its key does; zero for the secret of HS256
	keys    []published
}

// published is a key that verifies.
type published struct {
	jwk   *jose.JSONWebKey
	until time.Time // zero: not retired
}

// OpenKeys reads the keys, or makes them when there are none. A changed
// Algorithm rotates to a key of the new one at once.
func OpenKeys(ctx context.Context, cfg KeysConfig) (*Keys, error) {
	if cfg.Algorithm == "" {
		cfg.Algorithm = ES256
	}
	if cfg.TokenLife == 0 {
		cfg.TokenLife = 24 * time.Hour
	}
	if cfg.Refresh == 0 {
		cfg.Refresh = 30 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	k := &Keys{cfg: cfg, reading: make(chan struct{}, 1)}
	k.reading <- struct{}{}
	switch cfg.Algorithm {
	case HS256:
		return k, k.useSecret()
	case ES256, RS256:
		return k, k.open(ctx)
	}
	return nil, fmt.Errorf("unknown token algorithm %q: use ES256, RS256 or HS256", cfg.Algorithm)
}

// useSecret makes the one key of HS256. Its id is a MAC under the secret, so it
// tells nothing about it.
func (k *Keys) useSecret() error {
	if k.cfg.Secret.Len() < minSecret {
		return fmt.Errorf("HS256 needs a secret of at least %d bytes", minSecret)
	}
	id := (&Prover{key: k.cfg.Secret.Reveal()}).mac("ccms key id")
	jwk := &jose.JSONWebKey{
		Key:       k.cfg.Secret.Reveal(),
		KeyID:     base64.RawURLEncoding.EncodeToString(id[:16]),
		Algorithm: HS256,
		Use:       "sig",
	}
	signer, err := newSigner(jwk)
	k.current.Store(&snapshot{signer: signer, keys: []published{{jwk: jwk}}})
	return err
}

// Lookup returns the key with an id, ErrUnknownKey, or the store's error when
// that is why the key is not known. An id nobody knows makes it read the store
// again, at most once a second.
func (k *Keys) Lookup(ctx context.Context, kid string) (*jose.JSONWebKey, error) {
	now := k.cfg.Now()
	if jwk := k.fresh(ctx, now).find(kid, now); jwk != nil {
		return jwk, nil
	}
	s, err := k.reread(ctx, now)
	if err != nil {
		return nil, err
	}
	if jwk := s.find(kid, now); jwk != nil {
		return jwk, nil
	}
	return nil, ErrUnknownKey
}

// JWKS returns the public keys as a JSON Web Key Set (RFC 7517): next, active
// and retired; none with HS256. It goes on with what it knows when the store
// does not answer.
func (k *Keys) JWKS(ctx context.Context) ([]byte, error) {
	now := k.cfg.Now()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, p := range k.fresh(ctx, now).keys {
		if p.jwk.IsPublic() && p.alive(now) {
			set.Keys = append(set.Keys, *p.jwk)
		}
	}
	return json.Marshal(set, json.Deterministic(true))
}

// Rotate makes the next key sign at once, retires the active one and publishes
// a new next one. Consumers that keep the set longer than the time between two
// rotations and do not ask again for an unknown id miss a key.
func (k *Keys) Rotate(ctx context.Context) error {
	if k.records == nil {
		return errFixed
	}
	return k.rotate(ctx, func(keySet) bool { return true })
}

func (k *Keys) signer(ctx context.Context) jose.Signer {
	return k.fresh(ctx, k.cfg.Now()).signer
}

// fresh returns the keys as known, read again first when they are old. While
// one caller reads, the others go on with what is known.
func (k *Keys) fresh(ctx context.Context, now time.Time) *snapshot {
	s := k.current.Load()
	if k.records == nil || now.Sub(s.read) < k.cfg.Refresh {
		return s
	}
	select {
	case <-k.reading:
		defer func() { k.reading <- struct{}{} }()
		s, _ = k.read(ctx) // remembered in s and tried again after Refresh
		return s
	default:
		return s
	}
}

// reread reads the keys because an id is unknown, unless that was done less
// than rereadAfter ago; then the outcome of that reading counts.
func (k *Keys) reread(ctx context.Context, now time.Time) (*snapshot, error) {
	s := k.current.Load()
	if k.records == nil || now.Sub(s.read) < rereadAfter {
		return s, s.failure
	}
	select {
	case <-k.reading:
		defer func() { k.reading <- struct{}{} }()
	case <-ctx.Done():
		return s, ctx.Err()
	}
	if latest := k.current.Load(); latest != s {
		return latest, latest.failure // another caller read while we waited
	}
	return k.read(ctx)
}

// read takes the keys from the store. A failure keeps the keys known before;
// the caller's own cancellation changes nothing. It needs the reading token.
func (k *Keys) read(ctx context.Context) (*snapshot, error) {
	old := k.current.Load()
	s, err := k.load(ctx, old)
	if err != nil && ctx.Err() != nil {
		return old, ctx.Err()
	}
	if err != nil {
		failed := *old
		failed.read, failed.failure = k.cfg.Now(), problem.From(err)
		s = &failed
	}
	k.current.Store(s)
	return s, s.failure
}

// find returns the key with an id, nil when there is none or its time is over.
func (s *snapshot) find(kid string, now time.Time) *jose.JSONWebKey {
	for _, p := range s.keys {
		if p.jwk.KeyID == kid && p.alive(now) {
			return p.jwk
		}
	}
	return nil
}

func (p published) alive(now time.Time) bool { return p.until.IsZero() || now.Before(p.until) }

// newSigner returns a signer whose header is alg, kid and typ JWT. The kid is
// named because go-jose leaves it out for secrets.
func newSigner(private *jose.JSONWebKey) (jose.Signer, error) {
	return jose.NewSigner(
		jose.SigningKey{Algorithm: jose.SignatureAlgorithm(private.Algorithm), Key: private.Key},
		(&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", private.KeyID))
}
