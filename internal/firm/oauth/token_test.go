package oauth

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"ccms/internal/firm"
	"ccms/internal/identity"
)

func TestATokenSaysWhatTheClientIs(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.usual()
	a := h.send(call{path: tokenPath, basic: &c, body: grant}).is(t, 200)
	if len(a.body) != 4 || a.text("token_type") != "Bearer" || a.body["expires_in"] != 600.0 {
		t.Errorf("got %s", a.raw)
	}
	p, err := h.s.cfg.Verifier.Verify(t.Context(), a.text("access_token"))
	if err != nil {
		t.Fatal(err)
	}
	want := "cards:read cards:register reports:read webhooks:manage"
	if p.Subject != c.ID || p.ClientID != c.ID || p.FirmID != c.FirmID || p.Mode != "test" || strings.Join(p.Scope, " ") != want || a.text("scope") != want {
		t.Errorf("got %+v and %s", p, a.raw)
	}
	if p.Session != "" || p.Username != "" || p.Email != "" || p.Validated {
		t.Errorf("a client's token speaks of a person: %+v", p)
	}
	if left := p.Expires.Sub(h.now()); left > TokenLife || left < TokenLife-5*time.Second {
		t.Errorf("it lives %v", left)
	}
}

func TestTokenRefuses(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.usual()
	other := h.usual()
	basic := func(text string) http.Header {
		return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(text))}}
	}
	form := func(name string) http.Header { return http.Header{"Content-Type": {name}} }
	post := grant + "&" + values("client_id", c.ID, "client_secret", c.secret)
	proof := values("client_assertion_type", jwtBearer, "client_assertion", "a.b.c")
	tests := []struct {
		name   string
		call   call
		status int
		code   string
	}{
		{"no grant type", call{basic: &c}, 400, "invalid_request"},
		{"a grant type without a value", call{basic: &c, body: "grant_type="}, 400, "invalid_request"},
		{"another grant type", call{basic: &c, body: "grant_type=password&username=a&password=b"}, 400, "unsupported_grant_type"},
		{"a repeated parameter", call{basic: &c, body: grant + "&" + grant}, 400, "invalid_request"},
		{"a repeated unknown parameter", call{basic: &c, body: grant + "&x=1&x=2"}, 400, "invalid_request"},
		{"a broken form", call{basic: &c, body: grant + "&x=%"}, 400, "invalid_request"},
		{"a JSON body", call{basic: &c, body: `{"grant_type":"client_credentials"}`, header: form("application/json")}, 400, "invalid_request"},
		{"a form in Latin 1", call{basic: &c, body: grant, header: form("application/x-www-form-urlencoded; charset=iso-8859-1")}, 400, "invalid_request"},
		{"a compressed form", call{basic: &c, body: grant, header: http.Header{"Content-Encoding": {"gzip"}}}, 400, "invalid_request"},
		{"a body over the limit", call{basic: &c, body: grant + "&x=" + strings.Repeat("x", bodyLimit)}, 413, "invalid_request"},
		{"parameters in the query", call{path: tokenPath + "?" + post}, 400, "invalid_request"},

		{"no authentication", call{body: grant}, 401, "invalid_client"},
		{"an id alone", call{body: grant + "&client_id=" + c.ID}, 401, "invalid_client"},
		{"a secret without an id", call{body: grant + "&client_secret=" + c.secret}, 400, "invalid_request"},
		{"a wrong secret", call{body: grant, header: basic(c.ID + ":" + other.secret)}, 401, "invalid_client"},
		{"a wrong secret in the body", call{body: grant + "&" + values("client_id", c.ID, "client_secret", c.secret+"x")}, 401, "invalid_client"},
		{"a secret without its checksum", call{body: grant, header: basic(c.ID + ":" + c.secret[:len(c.secret)-6])}, 401, "invalid_client"},
		{"no secret", call{body: grant, header: basic(c.ID + ":")}, 401, "invalid_client"},
		{"a client that is not there", call{body: grant, header: basic("client_" + strings.Repeat("A", 26) + ":" + c.secret)}, 401, "invalid_client"},
		{"an id that is none", call{body: grant, header: basic("admin:" + c.secret)}, 401, "invalid_client"},
		{"an id with NUL", call{body: grant, header: basic(c.ID + "%00:" + c.secret)}, 401, "invalid_client"},
		{"a header that is no base64", call{body: grant, header: http.Header{"Authorization": {"Basic ###"}}}, 401, "invalid_client"},
		{"another scheme", call{body: grant, header: http.Header{"Authorization": {"Bearer x"}}}, 401, "invalid_client"},
		{"two headers", call{body: grant, header: http.Header{"Authorization": append(basic(c.ID + ":" + c.secret)["Authorization"], "Basic x")}}, 400, "invalid_request"},
		{"header and secret", call{basic: &c, body: post}, 400, "invalid_request"},
		{"header and assertion", call{basic: &c, body: grant + "&" + proof}, 400, "invalid_request"},
		{"secret and assertion", call{body: post + "&" + proof}, 400, "invalid_request"},
		{"header and another's id", call{basic: &c, body: grant + "&client_id=" + other.ID}, 400, "invalid_request"},
		{"an assertion without its type", call{body: grant + "&client_assertion=a.b.c"}, 400, "invalid_request"},
		{"a type without its assertion", call{body: grant + "&" + values("client_assertion_type", jwtBearer)}, 400, "invalid_request"},
		{"an assertion of another type", call{body: grant + "&client_assertion=x&" + values("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer")}, 401, "invalid_client"},
		{"an assertion that is none", call{body: grant + "&" + proof}, 401, "invalid_client"},

		{"a scope the client has not", call{basic: &c, body: grant + "&scope=cards:reveal"}, 400, "invalid_scope"},
		{"a scope nobody has", call{basic: &c, body: grant + "&scope=admin"}, 400, "invalid_scope"},
		{"a person's scope", call{basic: &c, body: grant + "&scope=account"}, 400, "invalid_scope"},
		{"one scope too many", call{basic: &c, body: grant + "&scope=cards:read+cards:manage"}, 400, "invalid_scope"},
		{"scopes with two spaces between", call{basic: &c, body: grant + "&scope=cards:read++reports:read"}, 400, "invalid_scope"},
		{"scopes with a tab between", call{basic: &c, body: grant + "&scope=cards:read%09reports:read"}, 400, "invalid_scope"},
		{"a scope in other letters", call{basic: &c, body: grant + "&scope=Cards:Read"}, 400, "invalid_scope"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.call.path == "" {
				tt.call.path = tokenPath
			}
			a := h.send(tt.call).is(t, tt.status, tt.code)
			if strings.Contains(a.raw, "ccms_secret_") || strings.Contains(a.raw, c.ID) {
				t.Errorf("the answer repeats what was sent: %s", a.raw)
			}
		})
	}
	h.token(c)
}

func TestWhatATokenMayBeAskedForWith(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.usual()
	all := "cards:read cards:register reports:read webhooks:manage"
	secretInBody := values("client_id", c.ID, "client_secret", c.secret)
	tests := []struct {
		name, body string
		basic      *member
		scope      string
	}{
		{"the header", grant, &c, all},
		{"the body", grant + "&" + secretInBody, nil, all},
		{"the header, and the id in the body", grant + "&client_id=" + c.ID, &c, all},
		{"the header, and an empty secret in the body", grant + "&client_secret=", &c, all},
		{"a parameter nobody knows", grant + "&resource=https%3A%2F%2Fx&audience=y", &c, all},
		{"an empty scope", grant + "&scope=", &c, all},
		{"one scope", grant + "&scope=cards:read", &c, "cards:read"},
		{"two scopes", grant + "&scope=reports%3Aread+cards%3Aread", &c, "cards:read reports:read"},
		{"a scope twice", grant + "&scope=cards:read+cards:read", &c, "cards:read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := h.send(call{path: tokenPath, basic: tt.basic, body: tt.body}).is(t, 200)
			if a.text("scope") != tt.scope {
				t.Errorf("scope %q, want %q", a.text("scope"), tt.scope)
			}
		})
	}
}

func TestAnOperatorsClient(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.client(firm.NewClient{Operator: true})
	p, err := h.check(h.token(c))
	if err != nil || p.FirmID != "" || p.Mode != "" || !p.Has(identity.ScopeActuator) || len(p.Scope) != 1 {
		t.Errorf("got %+v %v", p, err)
	}
	h.send(call{path: tokenPath, basic: &c, body: grant + "&scope=cards:read"}).is(t, 400, "invalid_scope")
}

func TestGoLangsOwnClient(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.usual()
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams, oauth2.AuthStyleAutoDetect} {
		cfg := clientcredentials.Config{
			ClientID: c.ID, ClientSecret: c.secret, TokenURL: h.url + tokenPath, AuthStyle: style,
			Scopes: []string{"cards:read", "reports:read"}, EndpointParams: url.Values{"resource": {"https://api.example.com"}},
		}
		token, err := cfg.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if token.Type() != "Bearer" || token.Extra("scope") != "cards:read reports:read" || time.Until(token.Expiry) > TokenLife {
			t.Errorf("style %d: %+v", style, token)
		}
		if a := h.introspect(c, token.AccessToken); a.body["active"] != true {
			t.Errorf("style %d: %s", style, a.raw)
		}
		cfg.ClientSecret += "x"
		if _, err := cfg.Token(t.Context()); err == nil || !strings.Contains(err.Error(), "invalid_client") {
			t.Errorf("style %d, wrong secret: %v", style, err)
		}
	}
}

func TestTwoSecretsLiveWhileOneIsReplaced(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.usual()
	try := func(secret string) int {
		w := member{c.Client, secret}
		token := h.send(call{path: tokenPath, basic: &w, body: grant}).status
		if seen := h.send(call{path: introspectPath, basic: &w, body: "token=x"}).status; seen != token {
			t.Errorf("%d at the token endpoint, %d at introspection", token, seen)
		}
		return token
	}
	if try(c.secret) != 200 {
		t.Fatal("the first secret does not work")
	}
	_, text, err := h.firms.Rotate(t.Context(), firm.Administrator(), c.ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	next := string(text.Reveal())
	if try(next) != 200 || try(c.secret) != 200 {
		t.Error("one of two secrets does not work")
	}
	h.pass(time.Hour)
	if try(next) != 200 || try(c.secret) != 401 {
		t.Error("after the overlap the new secret alone should work")
	}
}

func TestARevokedClientAndASuspendedFirmGetNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	c, other := h.usual(), h.usual()
	twin := h.client(firm.NewClient{FirmID: c.FirmID})
	fetch := func(c member) answer { return h.send(call{path: tokenPath, basic: &c, body: grant}) }
	if _, err := h.firms.Revoke(t.Context(), firm.Administrator(), c.ID); err != nil {
		t.Fatal(err)
	}
	fetch(c).is(t, 401, "invalid_client")
	fetch(twin).is(t, 200)
	if _, err := h.firms.Suspend(t.Context(), firm.Administrator(), c.FirmID, true); err != nil {
		t.Fatal(err)
	}
	fetch(twin).is(t, 401, "invalid_client")
	fetch(other).is(t, 200)
	if _, err := h.firms.Suspend(t.Context(), firm.Administrator(), c.FirmID, false); err != nil {
		t.Fatal(err)
	}
	fetch(twin).is(t, 200)
}

func TestOnlyFailuresAreThrottled(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.FailuresPerClient, c.FailuresPerNetwork = 3, 5 })
	c, other := h.usual(), h.usual()
	wrong := member{c.Client, other.secret}
	fetch := func(c member, from string) answer {
		return h.send(call{path: tokenPath, basic: &c, body: grant, from: from})
	}
	for range 3 {
		fetch(wrong, "192.0.2.1").is(t, 401, "invalid_client")
	}
	a := fetch(wrong, "198.51.100.1").is(t, 429, "temporarily_unavailable")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	fetch(c, "192.0.2.1").is(t, 200) // nobody locks a client out by failing in its name

	unknown := member{secret: other.secret}
	for range 2 {
		fetch(unknown, "192.0.2.77").is(t, 401, "invalid_client")
	}
	fetch(unknown, "192.0.2.99").is(t, 429, "temporarily_unavailable")
	h.send(call{path: introspectPath, basic: &unknown, body: "token=x", from: "192.0.2.1"}).is(t, 429, "temporarily_unavailable")
	fetch(unknown, "203.0.113.1").is(t, 401, "invalid_client")
	fetch(other, "192.0.2.1").is(t, 200)
	if n := len(h.acts("client.authenticate")); n != 6 {
		t.Errorf("%d failures are on record, want 6", n)
	}
	h.pass(failureWindow)
	fetch(wrong, "192.0.2.1").is(t, 401, "invalid_client")
}

func TestTokensAndFailuresAreOnRecord(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.usual()
	token := h.send(call{path: tokenPath, basic: &c, body: grant + "&scope=cards:read", from: "192.0.2.7"}).is(t, 200).text("access_token")
	h.send(call{path: tokenPath, basic: &c, body: grant + "&scope=nonsense"}).is(t, 400, "invalid_scope")
	wrong := member{c.Client, "nonsense"}
	h.send(call{path: tokenPath, basic: &wrong, body: grant}).is(t, 401, "invalid_client")

	p, err := h.s.cfg.Verifier.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	issued := h.acts("token.issue")
	if len(issued) != 2 {
		t.Fatalf("got %+v", issued)
	}
	ok, refused := issued[0], issued[1]
	if ok.Actor != c.ID || ok.Owner != c.FirmID || ok.From != "192.0.2.7" || ok.Result != "success" ||
		ok.Reason != "client_secret_basic jti="+digest(p.TokenID)+" scope=cards:read" {
		t.Errorf("got %+v", ok)
	}
	if refused.Actor != c.ID || refused.Owner != c.FirmID || refused.Result != "refused" || refused.Reason != "invalid_scope" {
		t.Errorf("got %+v", refused)
	}
	failed := h.acts("client.authenticate")
	if len(failed) != 1 || failed[0].Actor != c.ID || failed[0].Owner != c.FirmID || failed[0].Result != "refused" || failed[0].Reason != "invalid_client: wrong secret" {
		t.Errorf("got %+v", failed)
	}
	for _, r := range append(issued, failed...) {
		if strings.Contains(r.Reason, p.TokenID) || strings.Contains(r.Reason, token[:20]) || strings.Contains(r.Reason, "nonsense") {
			t.Errorf("the record holds what it should not: %+v", r)
		}
	}
}

func TestTheLastUseIsNotedOncePerMinuteAtMost(t *testing.T) {
	t.Parallel()
	var clients counted
	h := open(t, func(c *Config) { clients.Clients = c.Clients; c.Clients = &clients })
	c := h.usual()
	for range 5 {
		h.introspect(c, h.token(c))
	}
	if clients.used.Load() != 1 {
		t.Errorf("noted %d times", clients.used.Load())
	}
	if now, err := h.firms.Client(t.Context(), c.ID); err != nil || now.LastUsed == nil {
		t.Errorf("got %+v %v", now, err)
	}
	h.pass(stampEvery)
	h.token(c)
	if clients.used.Load() != 2 {
		t.Errorf("noted %d times after a minute", clients.used.Load())
	}
}
