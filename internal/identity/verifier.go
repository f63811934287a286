package identity

import (
	"context"
	"errors"
	"slices"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"ccms/internal/problem"
)

// ErrUnknownKey is what a Lookup returns when no key has the id.
var ErrUnknownKey = errors.New("identity: unknown key")

// verifiedSize bounds the memory of verified tokens: two generations of about
// 700 bytes a token, 5.6 MiB when full.
const verifiedSize = 4096

// VerifierConfig says which tokens a Verifier accepts.
type VerifierConfig struct {
	Issuer   string // the iss every token must have: public-url
	Audience string // the aud every token must have: ccms
	// Lookup finds the key with an id: its public part, algorithm and id. It
	// returns the same pointer while the key stays the same. ErrUnknownKey
	// makes a token NoToken; any other error is returned by Verify as it is.
	Lookup func(ctx context.Context, kid string) (*jose.JSONWebKey, error)
	// Algorithms a key may have. Default ES256 and RS256; a service that holds
	// the HS256 secret names HS256 alone.
	Algorithms []string
	Now        func() time.Time // default time.Now
}

// Verifier decides whether a token is ours, by rules of its own that are
// narrower than any library's (RFC 8725): one spelling, one header, one
// algorithm per key, every required claim, no leeway. It does not know
// sessions: a verified token may be logged out.
type Verifier struct {
	cfg      VerifierConfig
	verified *Memory[proven]
}

// proven is a token whose signature held: the claims and the key, which must
// still be known when the token comes again.
type proven struct {
	claims Claims
	key    *jose.JSONWebKey
}

// NewVerifier returns a Verifier.
func NewVerifier(cfg VerifierConfig) *Verifier {
	if len(cfg.Algorithms) == 0 {
		cfg.Algorithms = []string{ES256, RS256}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Verifier{cfg: cfg, verified: NewMemory[proven](verifiedSize)}
}

// Verify returns the principal of an authentic token that is in its time. Its
// errors are problem.NoToken, problem.ExpiredToken and those of Lookup. Only
// with ExpiredToken the principal is given too, because the signature held: an
// expired token may still log out (decision G).
func (v *Verifier) Verify(ctx context.Context, token string) (Principal, error) {
	if !WellFormed(token) {
		return Principal{}, problem.NoToken().Because(errShape)
	}
	now := v.cfg.Now()
	digest := DigestOf(token)
	c, known, err := v.recall(ctx, digest, now)
	if err != nil {
		return Principal{}, err
	}
	if !known {
		if c, err = v.prove(ctx, token, digest); err != nil {
			return Principal{}, err
		}
	}
	return v.inTime(c, now)
}

// Unverified returns the principal that a token names without checking its
// signature or time. It is for who has just been told by the login service that
// this very token is valid, and cannot check it himself (HS256, decision B11).
func (v *Verifier) Unverified(token string) (Principal, error) {
	t, err := split(token)
	if err != nil {
		return Principal{}, problem.NoToken().Because(err)
	}
	c, err := v.claims(t)
	return c.Principal(), err
}

// recall finds the claims of a token verified before, whose key still counts.
func (v *Verifier) recall(ctx context.Context, d Digest, now time.Time) (Claims, bool, error) {
	p, ok := v.verified.Get(d, now)
	if !ok {
		return Claims{}, false, nil
	}
	key, err := v.cfg.Lookup(ctx, p.key.KeyID)
	if errors.Is(err, ErrUnknownKey) {
		return Claims{}, false, nil // prove says no
	}
	return p.claims, err == nil && key == p.key, err
}

// prove checks header, key, signature and claims, in this order, so that
// nothing of a forged token is acted upon.
func (v *Verifier) prove(ctx context.Context, token string, d Digest) (Claims, error) {
	t, err := split(token)
	if err != nil {
		return Claims{}, problem.NoToken().Because(err)
	}
	key, err := v.cfg.Lookup(ctx, t.header.KeyID)
	if errors.Is(err, ErrUnknownKey) {
		return Claims{}, problem.NoToken().Because(err)
	}
	if err != nil {
		return Claims{}, err
	}
	if key.Algorithm != t.header.Algorithm || !slices.Contains(v.cfg.Algorithms, key.Algorithm) || !authentic(key, t.signed, t.signature) {
		return Claims{}, problem.NoToken().Because(errForged)
	}
	c, err := v.claims(t)
	if err != nil {
		return Claims{}, err
	}
	v.verified.Put(d, proven{c, key}, time.Unix(c.Expires, 0))
	return c, nil
}

var (
	errForged   = errors.New("signature does not hold")
	errForeign  = errors.New("token of another issuer or for another audience")
	errTooEarly = errors.New("token not yet valid")
)

func (v *Verifier) claims(t token) (Claims, error) {
	c, err := decodeClaims(t.payload)
	if err != nil {
		return Claims{}, problem.NoToken().Because(err)
	}
	if c.Issuer != v.cfg.Issuer || c.Audience != v.cfg.Audience {
		return Claims{}, problem.NoToken().Because(errForeign)
	}
	return c, nil
}

// inTime applies nbf and exp to authentic claims, without leeway.
func (v *Verifier) inTime(c Claims, now time.Time) (Principal, error) {
	switch {
	case now.Before(time.Unix(c.NotBefore, 0)):
		return Principal{}, problem.NoToken().Because(errTooEarly)
	case now.Unix() >= c.Expires:
		return c.Principal(), problem.ExpiredToken()
	}
	return c.Principal(), nil
}
