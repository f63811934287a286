package verification_test

import (
	"crypto/elliptic"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/problem"
	"ccms/internal/registration/verification"
	"ccms/internal/secret"
	"ccms/internal/webhook"
)

func TestAdopt(t *testing.T) {
	ec := ecKey(t, elliptic.P256())
	good := jwk(t, jose.JSONWebKey{Key: &ec.PublicKey})
	private := jwk(t, jose.JSONWebKey{Key: ec})
	const url = "https://firm.example/verify"
	type endpoint = verification.Endpoint
	for _, tt := range []struct {
		name string
		e    endpoint
		ok   bool
	}{
		{"a URL alone", endpoint{URL: url}, true},
		{"a URL and a key that is not used yet", endpoint{URL: url, CodeKey: good}, true},
		{"a URL and no key", endpoint{URL: url, CodeKey: jsontext.Value("null")}, true},
		{"the code, encrypted", endpoint{URL: url, SendCode: true, CodeKey: good}, true},
		{"an RSA key of 2048 bits", endpoint{URL: url, CodeKey: jwk(t, jose.JSONWebKey{Key: &rsaKey(t, 2048).PublicKey, Algorithm: "RSA-OAEP-256"})}, true},
		{"the code without a key", endpoint{URL: url, SendCode: true}, false},
		{"the code with a null key", endpoint{URL: url, SendCode: true, CodeKey: jsontext.Value("null")}, false},
		{"a URL of http in live", endpoint{URL: "http://firm.example/"}, false},
		{"no URL", endpoint{}, false},
		{"a private key", endpoint{URL: url, CodeKey: private}, false},
		{"a shared key", endpoint{URL: url, CodeKey: jwk(t, jose.JSONWebKey{Key: make([]byte, 32)})}, false},
		{"a key to sign with", endpoint{URL: url, CodeKey: jwk(t, jose.JSONWebKey{Key: &ec.PublicKey, Use: "sig"})}, false},
		{"a key for another algorithm", endpoint{URL: url, CodeKey: jwk(t, jose.JSONWebKey{Key: &ec.PublicKey, Algorithm: "ECDH-ES"})}, false},
		{"RSA with SHA-1", endpoint{URL: url, CodeKey: jwk(t, jose.JSONWebKey{Key: &rsaKey(t, 2048).PublicKey, Algorithm: "RSA-OAEP"})}, false},
		{"an RSA key of 1024 bits", endpoint{URL: url, CodeKey: jwk(t, jose.JSONWebKey{Key: &rsaKey(t, 1024).PublicKey})}, false},
		{"a key off its curve", endpoint{URL: url, CodeKey: jsontext.Value(`{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}`)}, false},
		{"a key that is text", endpoint{URL: url, CodeKey: jsontext.Value(`"key"`)}, false},
		{"a key past its length", endpoint{URL: url, CodeKey: jsontext.Value(`{"kty":"EC","x":"` + strings.Repeat("A", 9000) + `"}`)}, false},
		{"a version of the secret before there is one", endpoint{URL: url, SecretVersion: 4}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := open(t, config(newClock()))
			rules, made, err := p.Adopt(verification.Change{FirmID: "firm_1", Mode: "live", After: verification.Rules{Endpoint: &tt.e}})
			if !tt.ok {
				if !errors.Is(err, problem.Validation("")) || made.Len() > 0 {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || rules.Endpoint.SecretVersion != 1 || rules.Velocity != "flag" || rules.BINWalk != "flag" {
				t.Fatalf("%+v, %v", rules, err)
			}
			if key, err := webhook.ParseSecret(made); err != nil || key.Len() != 32 {
				t.Errorf("the secret: %v", err)
			}
			if tt.e.SecretVersion == 1 || tt.e.Seed != nil {
				t.Error("the firm's own value was changed")
			}
		})
	}
}

// TestTheSigningSecretIsReplacedWithOverlap raises the version as a firm would.
func TestTheSigningSecretIsReplacedWithOverlap(t *testing.T) {
	clock := newClock()
	f := newFirm(t, nil, say(`{"decision":"approve"}`))
	f.p = open(t, config(clock))
	f.rules = verification.Rules{}
	f.secrets = nil
	set := func(version int) error {
		_, made, err := f.p.Adopt(verification.Change{FirmID: "firm_1", Mode: "test", Before: f.rules, After: verification.Rules{Endpoint: &verification.Endpoint{URL: "https://firm.example/", SecretVersion: version}}})
		if err == nil {
			f.adopt(&verification.Endpoint{URL: f.url, SecretVersion: version})
		}
		made.Wipe()
		return err
	}
	signedBy := func() (by []int) {
		t.Helper()
		if _, err := f.ask(); err != nil {
			t.Fatal(err)
		}
		bodies, heads := f.heard()
		for i, s := range f.secrets {
			if webhook.Verify(heads[len(heads)-1], []byte(bodies[len(bodies)-1]), clock.Now(), parse(t, s)) == nil {
				by = append(by, i)
			}
		}
		return by
	}
	expect := func(what string, want ...int) {
		t.Helper()
		got := signedBy()
		if len(got) != len(want) || got[0] != want[0] || got[len(got)-1] != want[len(want)-1] {
			t.Errorf("%s: signed by %v, want %v", what, got, want)
		}
	}
	for _, v := range []int{0, 0, 1} { // set, and sent again as it was
		if err := set(v); err != nil {
			t.Fatal(err)
		}
	}
	expect("at first", 0)
	for _, v := range []int{3, -1} {
		if err := set(v); !errors.Is(err, problem.Validation("")) {
			t.Errorf("version %d: %v", v, err)
		}
	}
	if err := set(2); err != nil {
		t.Fatal(err)
	}
	expect("after the change", 0, 1)
	clock.Advance(24*time.Hour - time.Second)
	expect("a day later", 0, 1)
	clock.Advance(time.Second)
	expect("past the day", 1)
	if len(f.secrets) != 2 {
		t.Errorf("%d secrets were made", len(f.secrets))
	}
}

func parse(t *testing.T, text secret.Bytes) secret.Bytes {
	t.Helper()
	key, err := webhook.ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestFirmsHaveDifferentSecrets(t *testing.T) {
	p := open(t, config(newClock()))
	seen := map[string]bool{}
	for _, firm := range []string{"firm_1", "firm_2", "firm_1"} {
		_, made, err := p.Adopt(verification.Change{FirmID: firm, Mode: "live", After: verification.Rules{Endpoint: &verification.Endpoint{URL: "https://firm.example/"}}})
		if err != nil {
			t.Fatal(err)
		}
		seen[strings.Clone(text(made))] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d secrets for three endpoints", len(seen))
	}
}

func text(s secret.Bytes) string { b := s.Reveal(); return string(b) }

func TestRulesComeBackFromTheStoreAndFromTheFirm(t *testing.T) {
	p := open(t, config(newClock()))
	rules, made, err := p.Adopt(verification.Change{FirmID: "firm_1", Mode: "live", After: verification.Rules{
		Brands: []string{"Visa"}, BINAllow: []string{"411111"}, BINDeny: []string{"41111112"}, Velocity: "refuse",
		Endpoint: &verification.Endpoint{URL: "https://firm.example/", SendCode: true, CodeKey: jwk(t, jose.JSONWebKey{Key: &ecKey(t, elliptic.P521()).PublicKey, KeyID: "1"})},
	}})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := bson.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	var back verification.Rules
	if err := bson.Unmarshal(stored, &back); err != nil || !same(t, back, rules) || string(back.Endpoint.Seed) != string(rules.Endpoint.Seed) {
		t.Errorf("%+v, %v", back, err)
	}
	shown, err := json.Marshal(rules)
	if err != nil || strings.Contains(string(shown), "seed") || strings.Contains(string(shown), text(made)) {
		t.Errorf("%s, %v", shown, err)
	}
	var sent verification.Rules
	if err := json.Unmarshal(shown, &sent, json.RejectUnknownMembers(true)); err != nil {
		t.Fatal(err)
	}
	again, none, err := p.Adopt(verification.Change{FirmID: "firm_1", Mode: "live", Before: back, After: sent})
	if err != nil || none.Len() > 0 || !same(t, again, rules) || string(again.Endpoint.Seed) != string(rules.Endpoint.Seed) {
		t.Errorf("%+v, %v", again, err)
	}
	if err := json.Unmarshal([]byte(`{"endpoint":{"url":"https://firm.example/","Seed":"AAAA"}}`), &sent, json.RejectUnknownMembers(true)); err == nil {
		t.Error("a firm may set the seed")
	}
}

func same(t *testing.T, a, b verification.Rules) bool {
	t.Helper()
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return string(x) == string(y)
}

func FuzzCodeKey(f *testing.F) {
	f.Add([]byte(`{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`))
	f.Add([]byte(`{"kty":"RSA","n":"AQAB","e":"AQAB"}`))
	f.Add([]byte(`null`))
	config := config(newClock())
	f.Fuzz(func(t *testing.T, key []byte) {
		p := open(t, config)
		rules, _, err := p.Adopt(verification.Change{Mode: "live", After: verification.Rules{Endpoint: &verification.Endpoint{URL: "https://firm.example/", SendCode: true, CodeKey: key}}})
		if err != nil {
			return
		}
		if jwe, err := verification.Encrypt(secret.NewString("737"), rules.Endpoint.CodeKey); err != nil || jwe == "" {
			t.Errorf("%s passes, and nothing can be encrypted to it: %v", key, err)
		}
	})
}
