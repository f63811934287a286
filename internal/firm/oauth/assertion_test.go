package oauth

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"ccms/internal/firm"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

// prover is a client that authenticates with a private key.
type prover struct {
	member
	key crypto.Signer
	alg jose.SignatureAlgorithm
	kid string
}

// prover makes a client with a key for alg.
func (h *house) prover(alg jose.SignatureAlgorithm, in firm.NewClient) prover {
	h.t.Helper()
	key := newKey(h.t, alg)
	if in.FirmID == "" {
		in.FirmID = h.firm("Shop")
	}
	in.Keys = jwks(h.t, jose.JSONWebKey{Key: key, KeyID: "k1"})
	return prover{h.client(in), key, alg, "k1"}
}

// claims are those of a good assertion; change may spoil them.
func (h *house) claims(p prover, change func(map[string]any)) map[string]any {
	now := h.now().Unix()
	c := map[string]any{"iss": p.ID, "sub": p.ID, "aud": issuer, "jti": rand.Text(), "iat": now, "exp": now + 60}
	if change != nil {
		change(c)
	}
	return c
}

// sign makes an assertion.
func (p prover) sign(t testing.TB, claims any, options ...func(*jose.SignerOptions)) string {
	t.Helper()
	o := (&jose.SignerOptions{}).WithType("JWT")
	if p.kid != "" {
		o = o.WithHeader("kid", p.kid)
	}
	for _, f := range options {
		f(o)
	}
	s := must(jose.NewSigner(jose.SigningKey{Algorithm: p.alg, Key: p.key}, o))
	return must(must(s.Sign(must(json.Marshal(claims)))).CompactSerialize())
}

func proof(assertion string) string {
	return grant + "&" + values("client_assertion_type", jwtBearer, "client_assertion", assertion)
}

func TestPrivateKeyJWT(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, alg := range assertionAlgorithms() {
		t.Run(string(alg), func(t *testing.T) {
			p := h.prover(alg, firm.NewClient{})
			h.send(call{path: tokenPath, body: proof(p.sign(t, h.claims(p, nil)))}).is(t, 200)
			p.kid = ""
			h.send(call{path: tokenPath, body: proof(p.sign(t, h.claims(p, nil))) + "&client_id=" + p.ID}).is(t, 200)
			for _, path := range []string{introspectPath, revokePath} {
				h.send(call{path: path, body: proof(p.sign(t, h.claims(p, nil))) + "&token=x"}).is(t, 200)
			}
		})
	}
	if acts := h.acts("token.issue"); len(acts) != 8 || !strings.HasPrefix(acts[0].Reason, "private_key_jwt jti=") {
		t.Errorf("on record: %+v", acts)
	}
}

func TestAnAssertionIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.FailuresPerClient, c.FailuresPerNetwork = 1000, 1000 })
	p := h.prover(jose.ES256, firm.NewClient{})
	r := h.prover(jose.RS256, firm.NewClient{})
	other := h.prover(jose.ES256, firm.NewClient{FirmID: p.FirmID})
	withSecret := prover{h.usual(), p.key, p.alg, "k1"}
	set := func(name string, v any) string {
		return p.sign(t, h.claims(p, func(c map[string]any) { c[name] = v }))
	}
	without := func(name string) string {
		return p.sign(t, h.claims(p, func(c map[string]any) { delete(c, name) }))
	}
	now := func() int64 { return h.now().Unix() }
	good := p.sign(t, h.claims(p, nil))
	parts := strings.Split(good, ".")
	bare := func(header, payload, signature string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + payload + "." + signature
	}
	hmacWith := func(key []byte) string {
		s := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", "k1")))
		return must(must(s.Sign(must(json.Marshal(h.claims(r, nil))))).CompactSerialize())
	}
	der := must(x509.MarshalPKIXPublicKey(r.key.Public()))
	inHeader := func(name string, v any) string {
		return p.sign(t, h.claims(p, nil), func(o *jose.SignerOptions) { o.WithHeader(jose.HeaderKey(name), v) })
	}
	tests := []struct{ name, assertion, why string }{
		{"aud is the token URL", set("aud", issuer+tokenPath), "aud"},
		{"aud is an array of the issuer", set("aud", []string{issuer}), "aud"},
		{"aud is an array of two", set("aud", []string{issuer, "https://other.example"}), "aud"},
		{"aud has a slash at its end", set("aud", issuer+"/"), "aud"},
		{"aud in other letters", set("aud", strings.ToUpper(issuer)), "aud"},
		{"aud of another server", set("aud", "https://other.example"), "aud"},
		{"aud is null", set("aud", nil), "aud"},
		{"no aud", without("aud"), "aud"},
		{"iss of another client", set("iss", other.ID), "iss and sub"},
		{"no iss", without("iss"), "iss and sub"},
		{"sub of another client", set("sub", other.ID), "no key"},
		{"no sub", without("sub"), "no client's id"},
		{"sub is a number", set("sub", 7), "claims"},
		{"no jti", without("jti"), "jti"},
		{"an empty jti", set("jti", ""), "jti"},
		{"a huge jti", set("jti", strings.Repeat("x", maxJTI+1)), "jti"},
		{"no exp", without("exp"), "time"},
		{"exp is now", set("exp", now()), "time"},
		{"exp is past", set("exp", now()-1), "time"},
		{"exp is text", set("exp", "9999999999"), "claims"},
		{"exp is far ahead", set("exp", now()+305), "time"},
		{"exp beyond all times", set("exp", 1e300), "time"},
		{"exp is too long after iat", p.sign(t, h.claims(p, func(c map[string]any) { c["iat"] = now() - 100; c["exp"] = now() + 250 })), "time"},
		{"iat in the future", set("iat", now()+30), "time"},
		{"iat before all times", set("iat", -1), "time"},
		{"nbf in the future", set("nbf", now()+30), "time"},
		{"a claim twice", p.signRaw(t, `{"iss":"`+p.ID+`","iss":"`+p.ID+`"}`), "claims"},
		{"claims that are no object", p.signRaw(t, `[]`), "claims"},
		{"a payload that is no JSON", p.signRaw(t, `x`), "claims"},

		{"alg none", bare(`{"alg":"none","kid":"k1"}`, parts[1], ""), "accepted algorithm"},
		{"alg none with the signature", bare(`{"alg":"none","kid":"k1"}`, parts[1], parts[2]), "accepted algorithm"},
		{"HS256 with the public key", hmacWith(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), "accepted algorithm"},
		{"HS256 with the public key in DER", hmacWith(der), "accepted algorithm"},
		{"another algorithm named", bare(`{"alg":"RS256","kid":"k1"}`, parts[1], parts[2]), "no key"},
		{"an algorithm nobody has", bare(`{"alg":"ES999","kid":"k1"}`, parts[1], parts[2]), "accepted algorithm"},
		{"the key of another client", prover{p.member, other.key, other.alg, "k1"}.sign(t, h.claims(p, nil)), "no key"},
		{"an id no key has", prover{p.member, p.key, p.alg, "k2"}.sign(t, h.claims(p, nil)), "no key"},
		{"a key of its own in the header", prover{p.member, newKey(t, jose.ES256), p.alg, ""}.sign(t, h.claims(p, nil), func(o *jose.SignerOptions) { o.EmbedJWK = true }), "no key"},
		{"a signature cut off", good[:len(good)-8], "no key"},
		{"a signature changed", parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])), "no key"},
		{"claims changed", parts[0] + "." + strings.Split(set("exp", now()+200), ".")[1] + "." + parts[2], "no key"},
		{"a JWT of another purpose", p.sign(t, h.claims(p, nil), func(o *jose.SignerOptions) { o.WithType("at+jwt") }), "accepted algorithm"},
		{"a header that must be understood", inHeader("crit", []string{"x"}), ""},
		{"no compact form", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, "accepted algorithm"},
		{"five parts", good + ".a.b", "accepted algorithm"},
		{"huge", set("x", strings.Repeat("x", maxAssertion)), "accepted algorithm"},
		{"a client that has a secret only", withSecret.sign(t, h.claims(withSecret, nil)), "no key"},
		{"a client that is not there", p.sign(t, h.claims(p, func(c map[string]any) {
			c["iss"], c["sub"] = "client_"+strings.Repeat("A", 26), "client_"+strings.Repeat("A", 26)
		})), "no active client"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := len(h.acts("client.authenticate"))
			h.send(call{path: tokenPath, body: proof(tt.assertion)}).is(t, 401, "invalid_client")
			acts := h.acts("client.authenticate")
			if len(acts) != before+1 || !strings.Contains(acts[before].Reason, tt.why) {
				t.Errorf("on record: %+v, want %q", acts[before:], tt.why)
			}
		})
	}
	h.send(call{path: tokenPath, body: proof(good) + "&client_id=" + other.ID}).is(t, 401, "invalid_client")
	h.send(call{path: tokenPath, body: proof(good)}).is(t, 200) // none of this used the good one up
}

// signRaw signs any payload.
func (p prover) signRaw(t testing.TB, payload string) string {
	t.Helper()
	s := must(jose.NewSigner(jose.SigningKey{Algorithm: p.alg, Key: p.key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", p.kid)))
	return must(must(s.Sign([]byte(payload))).CompactSerialize())
}

func TestAnAssertionWithinTheLimits(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.prover(jose.ES256, firm.NewClient{})
	now := func() int64 { return h.now().Unix() }
	tests := []struct {
		name   string
		change func(map[string]any)
	}{
		{"no iat", func(c map[string]any) { delete(c, "iat") }},
		{"exp just below the limit", func(c map[string]any) { c["exp"] = now() + 300 }},
		{"exp with a fraction", func(c map[string]any) { c["exp"] = float64(now()) + 60.5 }},
		{"a clock a little ahead", func(c map[string]any) { c["iat"], c["nbf"] = now()+5, now()+5 }},
		{"claims nobody knows", func(c map[string]any) { c["x"] = []any{1, "y"} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h.send(call{path: tokenPath, body: proof(p.sign(t, h.claims(p, tt.change)))}).is(t, 200)
		})
	}
}

func TestTheTokenURLIsAnAudienceWhereTheClientSaysSo(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.prover(jose.PS256, firm.NewClient{AcceptTokenURL: true})
	for aud, status := range map[any]int{issuer + tokenPath: 200, issuer: 200, issuer + introspectPath: 401, "https://other.example" + tokenPath: 401} {
		a := h.send(call{path: tokenPath, body: proof(p.sign(t, h.claims(p, func(c map[string]any) { c["aud"], c["jti"] = aud, aud })))})
		if a.status != status {
			t.Errorf("%v: %d", aud, a.status)
		}
	}
}

func TestAnAssertionIsGoodOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	p, other := h.prover(jose.EdDSA, firm.NewClient{}), h.prover(jose.EdDSA, firm.NewClient{})
	jti := func(c map[string]any) { c["jti"] = "one" }
	first := proof(p.sign(t, h.claims(p, jti)))
	h.send(call{path: tokenPath, body: first}).is(t, 200)
	h.send(call{path: tokenPath, body: first}).is(t, 401, "invalid_client")
	h.send(call{path: introspectPath, body: first + "&token=x"}).is(t, 401, "invalid_client")
	h.send(call{path: tokenPath, body: proof(p.sign(t, h.claims(p, func(c map[string]any) { jti(c); c["exp"] = h.now().Unix() + 90 })))}).is(t, 401, "invalid_client")
	h.send(call{path: tokenPath, body: proof(other.sign(t, h.claims(other, jti)))}).is(t, 200) // an id is the client's own

	h.pass(59 * time.Second)
	h.send(call{path: tokenPath, body: first}).is(t, 401, "invalid_client") // the mark lives as long as the assertion
}

func TestOfManyUsesOfAnAssertionOneCounts(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.FailuresPerClient = 100 })
	p := h.prover(jose.ES256, firm.NewClient{})
	body := proof(p.sign(t, h.claims(p, nil)))
	var all sync.WaitGroup
	var good, bad atomic.Int64
	for range 32 {
		all.Go(func() {
			switch h.send(call{path: tokenPath, body: body}).status {
			case 200:
				good.Add(1)
			case 401:
				bad.Add(1)
			}
		})
	}
	all.Wait()
	if good.Load() != 1 || bad.Load() != 31 {
		t.Errorf("%d were good and %d refused", good.Load(), bad.Load())
	}
}

func TestAnAssertionWhoseMarkCannotBeStoredIsNotAccepted(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.prover(jose.ES256, firm.NewClient{})
	h.db.Add(storetest.Rule{Collection: "UsedAssertion", Op: storetest.Insert, Times: 1, Err: errors.New("disk full")})
	body := proof(p.sign(t, h.claims(p, nil)))
	a := h.send(call{path: tokenPath, body: body}).is(t, 503, "temporarily_unavailable")
	if a.header.Get("Retry-After") == "" || strings.Contains(a.raw, "disk") {
		t.Errorf("got %s", a.raw)
	}
	h.send(call{path: tokenPath, body: body}).is(t, 200)
	if _, err := must(store.Open[usedAssertion](t.Context(), h.db, store.Spec{Name: "UsedAssertion", Expires: "expires"})).First(t.Context(), store.Query{}); err != nil {
		t.Errorf("no mark is left: %v", err)
	}
}
