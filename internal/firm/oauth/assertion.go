package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"slices"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/firm"
	"ccms/internal/store"
)

// jwtBearer is the client_assertion_type of private_key_jwt (RFC 7523 section
// 2.2).
const jwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Limits of an assertion.
const (
	maxAssertion = 8 << 10 // bytes
	maxJTI       = 255     // bytes
	maxAhead     = 300 * time.Second
	// skew is how far ahead of ours a client's clock may be.
	skew = 10 * time.Second
	// rsaBits is the least length of an RSA key (NIST SP 800-131A).
	rsaBits = 2048
)

// assertion is a JWT by which a client authenticates. Nothing in it is proven
// until a key has verified it.
type assertion struct {
	jws    *jose.JSONWebSignature
	claims assertionClaims
}

// assertionClaims are those RFC 7523 section 3 names. Times are NumericDates,
// which may have a fraction.
type assertionClaims struct {
	Issuer    string         `json:"iss"`
	Subject   string         `json:"sub"`
	Audience  jsontext.Value `json:"aud"`
	Expires   float64        `json:"exp"`
	NotBefore float64        `json:"nbf"`
	IssuedAt  float64        `json:"iat"`
	ID        string         `json:"jti"`

	Unknown map[string]jsontext.Value `json:",embed"`
}

// assertionAlgorithms are those a client may sign with. None of them is
// symmetric, so a public key can never be taken for a secret.
func assertionAlgorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.PS256, jose.RS256}
}

var (
	errAssertionShape  = errors.New("not a signed JWT of an accepted algorithm")
	errAssertionClaims = errors.New("claims not readable")
	errNoKey           = errors.New("no key of the client verifies the assertion")
	errWhose           = errors.New("iss and sub are not both the client")
	errAudience        = errors.New("aud is not the issuer as one string")
	errNotInTime       = errors.New("not in its time")
	errNoID            = errors.New("jti missing or too long")
	errReplayed        = errors.New("jti used before")
)

// parseAssertion takes a JWT apart and reads its claims.
func parseAssertion(text string) (assertion, error) {
	if len(text) > maxAssertion || strings.Count(text, ".") != 2 {
		return assertion{}, errAssertionShape
	}
	jws, err := jose.ParseSignedCompact(text, assertionAlgorithms())
	if err != nil {
		return assertion{}, errAssertionShape
	}
	switch typ := jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]; typ {
	case nil, "JWT", "client-authentication+jwt":
	default:
		return assertion{}, errAssertionShape // a JWT of another purpose (RFC 8725 section 3.11)
	}
	a := assertion{jws: jws}
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &a.claims); err != nil {
		return assertion{}, errAssertionClaims
	}
	return a, nil
}

// verify checks signature and claims against the client the assertion names and
// the audiences it may have; it does not know whether the jti was used before.
func (a assertion) verify(c firm.Client, audiences []string, now time.Time) error {
	if !a.signedBy(c.Keys) {
		return errNoKey
	}
	if a.claims.Issuer != c.ID || a.claims.Subject != c.ID {
		return errWhose
	}
	var audience string
	if a.claims.Audience.Kind() != '"' || json.Unmarshal(a.claims.Audience, &audience) != nil {
		return errAudience // an array would let the assertion serve elsewhere too
	}
	if !slices.Contains(audiences, audience) {
		return errAudience
	}
	if !a.claims.inTime(now) {
		return errNotInTime
	}
	if a.claims.ID == "" || len(a.claims.ID) > maxJTI {
		return errNoID
	}
	return nil
}

// signedBy reports whether one of the keys in a JWK set verifies the signature.
// The algorithm must be one the key's type allows; a key id, when there is one,
// must be the key's.
func (a assertion) signedBy(set []byte) bool {
	var keys jose.JSONWebKeySet
	if len(set) == 0 || json.Unmarshal(set, &keys) != nil {
		return false
	}
	header := a.jws.Signatures[0].Protected
	for _, key := range keys.Keys {
		if header.KeyID != "" && key.KeyID != header.KeyID || !fits(key, header.Algorithm) {
			continue
		}
		if _, err := a.jws.Verify(key.Key); err == nil {
			return true
		}
	}
	return false
}

// fits reports whether key may verify what is signed with algorithm.
func fits(key jose.JSONWebKey, algorithm string) bool {
	if key.Algorithm != "" && key.Algorithm != algorithm || key.Use != "" && key.Use != "sig" {
		return false
	}
	switch k := key.Key.(type) {
	case *ecdsa.PublicKey:
		return k.Curve == elliptic.P256() && algorithm == string(jose.ES256)
	case ed25519.PublicKey:
		return algorithm == string(jose.EdDSA)
	case *rsa.PublicKey:
		return k.N.BitLen() >= rsaBits && slices.Contains([]string{string(jose.PS256), string(jose.RS256)}, algorithm)
	}
	return false
}

// audiences are what an assertion of c may be addressed to: the issuer, which no
// other server can be (draft-ietf-oauth-rfc7523bis), and the token URL only for
// clients of older libraries (decision D1).
func (s *Service) audiences(c firm.Client) []string {
	if c.AcceptTokenURL {
		return []string{s.base, s.base + tokenPath}
	}
	return []string{s.base}
}

// inTime reports whether the assertion is good at now: not expired, not made to
// last, not from the future.
func (c assertionClaims) inTime(now time.Time) bool {
	t := float64(now.UnixMilli()) / 1000
	switch {
	case c.Expires <= t, c.Expires > t+maxAhead.Seconds():
		return false
	case c.IssuedAt != 0 && c.Expires > c.IssuedAt+maxAhead.Seconds():
		return false
	case c.IssuedAt > t+skew.Seconds(), c.NotBefore > t+skew.Seconds():
		return false
	case c.IssuedAt < 0, c.NotBefore < 0:
		return false
	}
	return true
}

// usedAssertion is the mark that an assertion was used. Its id stands for client
// and jti, so a second use fails on every instance.
type usedAssertion struct {
	Expires time.Time `bson:"expires"`
}

// use marks the assertion as used, once.
func (a assertion) use(ctx context.Context, marks *store.Of[usedAssertion], client string) error {
	end := time.Unix(int64(a.claims.Expires)+1, 0).UTC()
	err := marks.Insert(ctx, digest(client+"\x00"+a.claims.ID), usedAssertion{end})
	if errors.Is(err, store.ErrExists) {
		return errReplayed
	}
	return err
}
