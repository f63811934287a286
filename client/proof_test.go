package client_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"ccms/client"
)

func edKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// The assertions hold for a library that is not ours.
func TestAssertionsAreThoseOfRFC7523(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2027, 3, 10, 8, 0, 0, 0, time.UTC)
	for algorithm, key := range map[jose.SignatureAlgorithm]crypto.Signer{jose.ES256: ec, jose.EdDSA: edKey(t), jose.RS256: rs} {
		t.Run(string(algorithm), func(t *testing.T) {
			s := &service{say: func(int, asked) answer { return made() }}
			c := s.open(t, func(cfg *client.Config) {
				cfg.Secret, cfg.PrivateKey, cfg.KeyID = client.Secret{}, key, "key-1"
				cfg.Scopes, cfg.Now = []string{"cards:read", "cards:register"}, func() time.Time { return now }
			})
			if _, err := c.Register(t.Context(), aCard()); err != nil {
				t.Fatal(err)
			}
			form := s.tokens[0]
			if form.Get("scope") != "cards:read cards:register" || form.Has("client_secret") ||
				form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
				t.Errorf("asked with %v", form)
			}
			signed, err := jose.ParseSignedCompact(form.Get("client_assertion"), []jose.SignatureAlgorithm{algorithm})
			if err != nil {
				t.Fatal(err)
			}
			text, err := signed.Verify(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			var claims struct {
				Issuer, Subject, Audience, ID string
				Expires                       int64
			}
			var raw map[string]any
			if err := json.Unmarshal(text, &raw); err != nil {
				t.Fatal(err)
			}
			claims.Issuer, _ = raw["iss"].(string)
			claims.Subject, _ = raw["sub"].(string)
			claims.Audience, _ = raw["aud"].(string)
			claims.ID, _ = raw["jti"].(string)
			exp, _ := raw["exp"].(float64)
			claims.Expires = int64(exp)
			if claims.Issuer != "client_1" || claims.Subject != "client_1" || claims.Audience != "https://cards.example.com" ||
				len(claims.ID) < 20 || claims.Expires != now.Unix()+60 || signed.Signatures[0].Header.KeyID != "key-1" {
				t.Errorf("%+v", raw)
			}
		})
	}
}

func TestKeysThatNobodyTakesAreRefused(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.New(client.Config{BaseURL: "https://cards.example.com", ClientID: "c", PrivateKey: key}); err == nil {
		t.Error("P-384 is taken")
	}
}
