package identity

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"ccms/internal/clocktest"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

const (
	testIssuer   = "https://cards.example"
	testAudience = "ccms"
)

func newClock() *clocktest.Clock {
	return clocktest.At(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
}

// boundSealer seals under a key of its own and binds purpose and id, as the
// key ring does.
type boundSealer struct{ aead cipher.AEAD }

func newSealer(t testing.TB) boundSealer {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return boundSealer{aead}
}

func (s boundSealer) Seal(_ context.Context, purpose, id string, plaintext []byte) ([]byte, error) {
	return s.aead.Seal(nil, nil, plaintext, []byte(purpose+"\x00"+id)), nil
}

func (s boundSealer) Open(_ context.Context, purpose, id string, sealed []byte) (secret.Bytes, error) {
	b, err := s.aead.Open(nil, nil, sealed, []byte(purpose+"\x00"+id))
	return secret.New(b), err
}

// house is a login service's share of this package over one store.
type house struct {
	t      testing.TB
	clock  *clocktest.Clock
	db     store.DB
	sealer boundSealer
}

func newHouse(t testing.TB) house {
	return house{t, newClock(), storetest.New(t), newSealer(t)}
}

// open starts one instance.
func (h house) open(algorithm string) instance {
	h.t.Helper()
	keys, err := OpenKeys(h.t.Context(), KeysConfig{
		DB: h.db, Sealer: h.sealer, Algorithm: algorithm, Now: h.clock.Now,
		Secret: secret.New(make([]byte, minSecret)), TokenLife: time.Hour,
	})
	if err != nil {
		h.t.Fatalf("open keys: %v", err)
	}
	return h.with(keys, ES256, RS256, HS256)
}

func (h house) with(keys *Keys, algorithms ...string) instance {
	return instance{
		t: h.t, clock: h.clock, keys: keys,
		issuer: NewIssuer(IssuerConfig{Keys: keys, Issuer: testIssuer, Audience: testAudience, Now: h.clock.Now}),
		verifier: NewVerifier(VerifierConfig{
			Issuer: testIssuer, Audience: testAudience, Lookup: keys.Lookup, Algorithms: algorithms, Now: h.clock.Now,
		}),
	}
}

// instance is one process of the login service.
type instance struct {
	t        testing.TB
	clock    *clocktest.Clock
	keys     *Keys
	issuer   *Issuer
	verifier *Verifier
}

func customer() Claims {
	return Claims{
		Subject: "cus_7", Username: "johndoe", Email: "john.doe@example.com",
		Validated: new(true), Session: "ses_1", TokenID: "jti_1", Scope: "account cards",
	}
}

func (i instance) issue(c Claims, ttl time.Duration) string {
	i.t.Helper()
	token, err := i.issuer.Issue(i.t.Context(), c, ttl)
	if err != nil {
		i.t.Fatalf("issue: %v", err)
	}
	return token
}

// verify returns the principal and the word the caller would see: "" for none.
func (i instance) verify(token string) (Principal, string) {
	i.t.Helper()
	p, err := i.verifier.Verify(i.t.Context(), token)
	if err == nil {
		return p, ""
	}
	e, ok := errors.AsType[*problem.Error](err)
	if !ok {
		i.t.Fatalf("verify: %v is no problem", err)
	}
	return p, e.Code
}

func (i instance) wants(token, code string) {
	i.t.Helper()
	if _, got := i.verify(token); got != code {
		i.t.Fatalf("verify: got %q, want %q", got, code)
	}
}

// The words of the two refusals.
const (
	unauthorized = "UNAUTHORIZED"
	expired      = "TOKEN_EXPIRED"
)
