package identity

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"ccms/internal/problem"
)

func TestATokenVerifiedBeforeIsRefusedOnceItsKeyIsGoneOrAnother(t *testing.T) {
	f := newForger(t, ES256)
	token := f.token(f.head(), goodPayload)
	public := f.private.Public()
	key, err := &public, error(nil)
	v := NewVerifier(VerifierConfig{
		Issuer: testIssuer, Audience: testAudience, Now: f.clock.Now,
		Lookup: func(context.Context, string) (*jose.JSONWebKey, error) { return key, err },
	})
	wants := func(want error) {
		t.Helper()
		if _, got := v.Verify(t.Context(), token); !errors.Is(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	wants(nil)
	other, _ := newPrivate(ES256)
	stranger, _ := newJWK(other, ES256)
	impostor := stranger.Public()
	impostor.KeyID = public.KeyID
	key = &impostor
	wants(problem.NoToken())
	key = &public
	wants(nil)
	key, err = nil, ErrUnknownKey
	wants(problem.NoToken())
	away := errors.New("store away")
	err = away
	wants(away)
}

func TestAnAlgorithmNotAllowedIsRefusedThoughTheKeyIsKnown(t *testing.T) {
	h := newHouse(t)
	for _, algorithm := range []string{ES256, RS256, HS256} {
		i := h.open(algorithm)
		token := i.issue(customer(), time.Hour)
		for _, allowed := range []string{ES256, RS256, HS256} {
			want := unauthorized
			if allowed == algorithm {
				want = ""
			}
			h.with(i.keys, allowed).wants(token, want)
		}
	}
}

func TestVerifiersDoNotAllowSecretsUnlessTold(t *testing.T) {
	h := newHouse(t)
	i := h.open(HS256)
	h.with(i.keys).wants(i.issue(customer(), time.Hour), unauthorized)
}

func TestUnverifiedReadsClaimsButNotThoseOfOthers(t *testing.T) {
	h := newHouse(t)
	i := h.open(HS256)
	token := i.issue(customer(), time.Hour)
	if p, err := i.verifier.Unverified(token[:len(token)-2] + "AA"); err != nil || p.Subject != "cus_7" {
		t.Errorf("%+v, %v", p, err)
	}
	f := newForger(t, HS256)
	for name, bad := range map[string]string{
		"another issuer": f.token(f.head(), strings.Replace(goodPayload, "cards", "other", 1)),
		"crit":           f.token(`{"alg":"HS256","crit":["x"],"kid":"k","typ":"JWT"}`, goodPayload),
		"no token":       "a.b",
	} {
		if p, err := i.verifier.Unverified(bad); !errors.Is(err, problem.NoToken()) || p.Subject != "" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestErrorsNeverRepeatTheToken(t *testing.T) {
	f := newForger(t, ES256)
	marked := strings.Replace(goodPayload, "cus_7", "canary-4711", 1)
	for _, token := range []string{
		f.token(f.head(), strings.Replace(marked, `"exp":1795352400`, `"exp":"canary-4711"`, 1)),
		f.token(`{"alg":"canary-4711","kid":"canary-4711","typ":"JWT"}`, marked),
		f.token(f.head(), marked) + "canary-4711",
	} {
		if _, err := f.verifier.Verify(t.Context(), token); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%v", err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	forge := newForger(f, HS256)
	good := forge.token(forge.head(), goodPayload)
	for _, seed := range []string{
		good, "", "..", "a.b.c", good + ".", strings.Repeat(".", 5000),
		forge.token(`{"alg":"none","typ":"JWT","kid":"k"}`, "{}"),
		forge.token(forge.head(), `{"exp":1e400}`), forge.token(forge.head(), strings.Repeat("[", 2000)),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		_, err := forge.verifier.Verify(t.Context(), token)
		if err == nil && token != good {
			t.Errorf("accepted %q", token)
		}
		if err != nil && !errors.Is(err, problem.NoToken()) {
			t.Errorf("%v", err)
		}
	})
}

// FuzzClaims gives any payload a good signature: what is accepted must mean the
// same to a lenient decoder, which takes the last of repeated members and
// ignores case.
func FuzzClaims(f *testing.F) {
	forge := newForger(f, HS256)
	for _, seed := range []string{goodPayload, "{}", "null", `{"exp":1,"EXP":2}`, `{"iss":"https://cards.example","iss":"x"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		forge := forge
		forge.t = t
		p, err := forge.verifier.Verify(t.Context(), forge.token(forge.head(), payload))
		if err != nil {
			return
		}
		var lenient struct {
			Iss, Aud, Sub, Jti, Username string
			Exp, Iat                     int64
		}
		if err := json.Unmarshal([]byte(payload), &lenient); err != nil {
			t.Fatalf("accepted %q: %v", payload, err)
		}
		if lenient.Iss != testIssuer || lenient.Aud != testAudience || lenient.Sub != p.Subject || lenient.Jti != p.TokenID ||
			lenient.Username != p.Username || lenient.Exp != p.Expires.Unix() || lenient.Exp <= forge.clock.Now().Unix() || lenient.Iat <= 0 {
			t.Errorf("accepted %q as %+v", payload, p)
		}
	})
}

func FuzzProof(f *testing.F) {
	clock := newClock()
	p := NewProver(newCredential(), clock.Now)
	good := p.must(f)
	f.Add(good)
	f.Add(good + "\n")
	f.Add(proofHeader + "e30.AAAA")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := p.Check(text, "creditcard-service", "POST", internalPath); err == nil && text != good {
			t.Errorf("holds: %q", text)
		}
	})
}

func BenchmarkIssue(b *testing.B) {
	for _, algorithm := range []string{ES256, RS256, HS256} {
		b.Run(algorithm, func(b *testing.B) {
			i := newHouse(b).open(algorithm)
			for b.Loop() {
				i.issue(customer(), time.Hour)
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, algorithm := range []string{ES256, RS256, HS256} {
		i := newHouse(b).open(algorithm)
		token := i.issue(customer(), time.Hour)
		b.Run(algorithm+"/first", func(b *testing.B) {
			for b.Loop() {
				if _, err := i.verifier.prove(b.Context(), token, Digest{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(algorithm+"/again", func(b *testing.B) {
			for b.Loop() {
				i.wants(token, "")
			}
		})
	}
}

func BenchmarkProof(b *testing.B) {
	p := NewProver(newCredential(), nil)
	for b.Loop() {
		if _, err := p.Check(p.must(b), "creditcard-service", "POST", internalPath); err != nil {
			b.Fatal(err)
		}
	}
}
