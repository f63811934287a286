package verification

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/webhook"
)

const (
	overlap    = 24 * time.Hour // how long the signing secret before signs too
	maxKeyText = 8 << 10
)

// Endpoint is where a firm decides itself.
type Endpoint struct {
	URL string `json:"url" bson:"url"`
	// SecretVersion counts the signing secrets, from 1. Whoever sends one more
	// than stands there gets a new secret; 0 leaves it as it is.
	SecretVersion int `json:"secret_version,omitzero" bson:"secretVersion"`
	// SendCode asks for the security code, encrypted to CodeKey: a public JWK,
	// RSA for RSA-OAEP-256 or EC for ECDH-ES+A256KW.
	SendCode bool           `json:"send_code,omitzero" bson:"sendCode,omitempty"`
	CodeKey  jsontext.Value `json:"code_key,omitzero" bson:"codeKey,omitempty"`

	// Seed makes the signing secret, together with Config.Secret, which the
	// store does not hold. SeedBefore made the one before, which signs too until
	// SeedUntil.
	Seed       []byte    `json:"-" bson:"seed,omitempty"`
	SeedBefore []byte    `json:"-" bson:"seedBefore,omitempty"`
	SeedUntil  time.Time `json:"-" bson:"seedUntil,omitempty"`
}

// Change is what PUT /v1/settings asks for.
type Change struct {
	FirmID        string
	Mode          string // "test" or "live": what the endpoint's URL may be
	Before, After Rules
}

// Adopt checks a change and returns the rules to store. Where a signing secret
// was made, for a first endpoint or a raised SecretVersion, it comes along as
// the text "whsec_…": the answer shows it, once, and the caller wipes it. The
// error is 400 VALIDATION_ERROR.
func (p *Pipeline) Adopt(c Change) (Rules, secret.Bytes, error) {
	if err := c.After.Validate(); err != nil {
		return Rules{}, secret.Bytes{}, err
	}
	after := c.After.Stated()
	after.BINAllow, after.BINDeny = sorted(after.BINAllow), sorted(after.BINDeny)
	if after.Endpoint == nil {
		return after, secret.Bytes{}, nil
	}
	e := *after.Endpoint
	after.Endpoint = &e
	if string(e.CodeKey) == "null" {
		e.CodeKey = nil
	}
	if err := p.admit(c.Mode, e); err != nil {
		return Rules{}, secret.Bytes{}, err
	}
	made, err := e.succeed(c.Before.Endpoint, p.now())
	if err != nil || !made {
		return after, secret.Bytes{}, err
	}
	key := p.derive(c.FirmID, e.Seed)
	defer key.Wipe()
	return after, webhook.FormatSecret(key), nil
}

func sorted(bins []string) []string { return slices.Compact(slices.Sorted(slices.Values(bins))) }

// admit checks what a firm may set of its endpoint.
func (p *Pipeline) admit(mode string, e Endpoint) error {
	if _, err := p.client.ParseURL(mode, e.URL); err != nil {
		return err
	}
	if e.CodeKey == nil {
		if e.SendCode {
			return problem.Validation("Set code_key to a public key: send_code sends the code encrypted only.")
		}
		return nil
	}
	if _, _, err := readCodeKey(e.CodeKey); err != nil {
		return problem.Validation("Set code_key to one public JWK for encryption: RSA of 2048 to 8192 bits (RSA-OAEP-256), or EC (ECDH-ES+A256KW).")
	}
	return nil
}

// succeed takes over the secrets of the endpoint before and makes one where it
// is asked for.
func (e *Endpoint) succeed(before *Endpoint, now time.Time) (made bool, err error) {
	asked := e.SecretVersion
	e.SecretVersion = 1
	e.Seed, e.SeedBefore, e.SeedUntil = nil, nil, time.Time{}
	if before != nil {
		e.SecretVersion = before.SecretVersion
		e.Seed, e.SeedBefore, e.SeedUntil = before.Seed, before.SeedBefore, before.SeedUntil
		switch asked {
		case 0, before.SecretVersion:
			return false, nil
		case before.SecretVersion + 1:
			e.SecretVersion, e.SeedBefore, e.SeedUntil = asked, before.Seed, now.Add(overlap)
		default:
			return false, problem.Validation("Raise secret_version by one for a new signing secret, or leave it as it is.")
		}
	}
	e.Seed = make([]byte, sha256.Size)
	_, _ = rand.Read(e.Seed) // never fails since Go 1.24
	return true, nil
}

// keys are the firm's signing keys at now; the caller wipes them.
func (p *Pipeline) keys(firm string, e *Endpoint, now time.Time) []secret.Bytes {
	all := []secret.Bytes{p.derive(firm, e.Seed)}
	if len(e.SeedBefore) > 0 && now.Before(e.SeedUntil) {
		all = append(all, p.derive(firm, e.SeedBefore))
	}
	return all
}

func (p *Pipeline) derive(firm string, seed []byte) secret.Bytes {
	h := hmac.New(sha256.New, p.secret.Reveal())
	h.Write(seed) // of one length, so that nothing runs together
	h.Write([]byte(firm))
	return secret.New(h.Sum(nil))
}

// readCodeKey reads a public JWK that codes may be encrypted to.
func readCodeKey(text []byte) (*jose.JSONWebKey, jose.KeyAlgorithm, error) {
	var key jose.JSONWebKey
	if len(text) > maxKeyText {
		return nil, "", errCodeKey
	}
	if err := key.UnmarshalJSON(text); err != nil || !key.Valid() || !key.IsPublic() || key.Use != "" && key.Use != "enc" {
		return nil, "", errCodeKey
	}
	var alg jose.KeyAlgorithm
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits >= 2048 && bits <= 8192 {
			alg = jose.RSA_OAEP_256
		}
	case *ecdsa.PublicKey:
		alg = jose.ECDH_ES_A256KW
	}
	if alg == "" || key.Algorithm != "" && key.Algorithm != string(alg) {
		return nil, "", errCodeKey
	}
	return &key, alg, nil
}
