package client

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"time"
)

// proof is how a client shows who it is at the token endpoint: by its secret,
// or by an assertion (RFC 7523) when it has a key.
type proof struct {
	id     string
	secret Secret
	key    crypto.Signer
	header []byte // of assertions
	issuer string
	now    func() time.Time
}

func proofOf(cfg Config, base string, now func() time.Time) (proof, error) {
	p := proof{id: cfg.ClientID, secret: cfg.Secret, key: cfg.PrivateKey, issuer: cmp.Or(cfg.Issuer, base), now: now}
	if p.key == nil {
		return p, nil
	}
	header := map[string]string{"typ": "JWT"}
	if cfg.KeyID != "" {
		header["kid"] = cfg.KeyID
	}
	switch public := p.key.Public().(type) {
	case *ecdsa.PublicKey:
		if public.Curve != elliptic.P256() {
			return p, errors.New("ccms: an ECDSA key must be of curve P-256")
		}
		header["alg"] = "ES256"
	case ed25519.PublicKey:
		header["alg"] = "EdDSA"
	case *rsa.PublicKey:
		header["alg"] = "RS256"
	default:
		return p, errors.New("ccms: PrivateKey must be ECDSA P-256, Ed25519 or RSA")
	}
	var err error
	p.header, err = json.Marshal(header)
	return p, err
}

// form is the body of a token request; the caller wipes it.
func (p proof) form(scope string) ([]byte, error) {
	rest := url.Values{"grant_type": {"client_credentials"}}
	if scope != "" {
		rest.Set("scope", scope)
	}
	if p.key == nil {
		rest.Set("client_id", p.id)
		body := append([]byte(rest.Encode()), "&client_secret="...)
		return appendEscaped(body, p.secret.Reveal()), nil
	}
	assertion, err := p.assertion()
	if err != nil {
		return nil, err
	}
	rest.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	rest.Set("client_assertion", assertion)
	return []byte(rest.Encode()), nil
}

// appendEscaped appends a value of a form without leaving copies of it.
func appendEscaped(dst, value []byte) []byte {
	const hex = "0123456789ABCDEF"
	dst = append(make([]byte, 0, len(dst)+3*len(value)), dst...)
	for _, c := range value {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '%', hex[c>>4], hex[c&15])
	}
	return dst
}

// assertion is a JWT for one use within a minute.
func (p proof) assertion() (string, error) {
	claims, err := json.Marshal(map[string]any{
		"iss": p.id, "sub": p.id, "aud": p.issuer, "jti": rand.Text(), "exp": p.now().Add(time.Minute).Unix(),
	})
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode(p.header) + "." + encode(claims)
	signature, err := p.sign([]byte(text))
	if err != nil {
		return "", fmt.Errorf("ccms: sign the assertion: %w", err)
	}
	return text + "." + encode(signature), nil
}

func (p proof) sign(text []byte) ([]byte, error) {
	if _, ok := p.key.Public().(ed25519.PublicKey); ok {
		return p.key.Sign(rand.Reader, text, crypto.Hash(0))
	}
	sum := sha256.Sum256(text)
	signature, err := p.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if _, ok := p.key.Public().(*ecdsa.PublicKey); !ok || err != nil {
		return signature, err
	}
	var pair struct{ R, S *big.Int } // JWS wants both numbers side by side (RFC 7518 section 3.4)
	if _, err := asn1.Unmarshal(signature, &pair); err != nil {
		return nil, err
	}
	both := make([]byte, 64)
	pair.R.FillBytes(both[:32])
	pair.S.FillBytes(both[32:])
	return both, nil
}
