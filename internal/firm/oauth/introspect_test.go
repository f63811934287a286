package oauth

import (
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/firm"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/store/storetest"
)

// isInactive checks that an answer says no and nothing more.
func isInactive(t *testing.T, a answer) {
	t.Helper()
	if a.is(t, 200); a.raw != `{"active":false}` {
		t.Errorf("got %s", a.raw)
	}
}

func TestIntrospectionTellsAFirmAboutItsTokens(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.usual()
	twin := h.client(firm.NewClient{FirmID: c.FirmID, Mode: firm.Live})
	token := h.token(c, "cards:read", "reports:read")
	p, err := h.s.cfg.Verifier.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"active": true, "scope": "cards:read reports:read", "client_id": c.ID, "token_type": "Bearer", "sub": c.ID, "aud": "ccms", "iss": issuer,
		"exp": float64(p.Expires.Unix()), "iat": float64(p.Expires.Unix() - 600), "jti": p.TokenID, "firm_id": c.FirmID, "mode": "test",
	}
	for name, who := range map[string]member{"its own client": c, "another of the firm": twin} {
		if a := h.introspect(who, token).is(t, 200); !reflect.DeepEqual(a.body, want) {
			t.Errorf("%s is told %s", name, a.raw)
		}
	}
	hinted := h.send(call{path: introspectPath, basic: &c, body: values("token", token, "token_type_hint", "refresh_token")})
	if hinted.body["active"] != true {
		t.Error("a wrong hint hides the token")
	}
}

func TestIntrospectionTellsNothingElse(t *testing.T) {
	t.Parallel()
	h := open(t)
	c, other := h.usual(), h.usual()
	operator, operator2 := h.client(firm.NewClient{Operator: true}), h.client(firm.NewClient{Operator: true})
	token, operators := h.token(c), h.token(operator)
	issue := func(c identity.Claims) string { return must(h.issuer.Issue(t.Context(), c, time.Hour)) }
	person := issue(identity.Claims{Subject: "person", Session: "s", Scope: "account cards"})
	tests := []struct {
		name  string
		by    member
		token string
	}{
		{"another firm's token", other, token},
		{"a firm's token, to an operators' client", operator, token},
		{"an operators' token, to a firm", c, operators},
		{"a person's token", c, person},
		{"a person's token, to an operators' client", operator, person},
		{"a token that names a person and a client", c, issue(identity.Claims{Subject: "person", ClientID: c.ID, FirmID: c.FirmID, Mode: "test"})},
		{"a token of another firm than the client's", c, issue(identity.Claims{Subject: other.ID, ClientID: other.ID, FirmID: c.FirmID, Mode: "test"})},
		{"a token of another mode than the client's", c, issue(identity.Claims{Subject: c.ID, ClientID: c.ID, FirmID: c.FirmID, Mode: "live"})},
		{"garbage", c, "garbage"},
		{"a changed signature", c, token[:len(token)-6] + "AAAAAA"},
		{"a secret", c, c.secret},
		{"a long text", c, strings.Repeat("a.b.c", 2000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { isInactive(t, h.introspect(tt.by, tt.token)) })
	}
	if h.introspect(operator2, operators).body["active"] != true {
		t.Error("the operators' clients do not see their own tokens")
	}
	h.pass(TokenLife)
	isInactive(t, h.introspect(c, token))
}

func TestIntrospectionAndRevocationNeedAClientAndAToken(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.usual()
	token := h.token(c)
	wrong := member{c.Client, "wrong"}
	for _, path := range []string{introspectPath, revokePath} {
		h.send(call{path: path, body: values("token", token)}).is(t, 401, "invalid_client")
		h.send(call{path: path, basic: &wrong, body: values("token", token)}).is(t, 401, "invalid_client")
		h.send(call{path: path, body: values("token", token), header: http.Header{"Authorization": {"Bearer " + token}}}).is(t, 401, "invalid_client")
		h.send(call{path: path, basic: &c}).is(t, 400, "invalid_request")
		h.send(call{path: path, basic: &c, body: "token="}).is(t, 400, "invalid_request")
		h.send(call{path: path, basic: &c, body: "token=a&token=b"}).is(t, 400, "invalid_request")
	}
	if h.introspect(c, token).body["active"] != true {
		t.Error("the token died")
	}
}

func TestARevokedTokenIsDeadAtOnceHereAndWithinASecondElsewhere(t *testing.T) {
	t.Parallel()
	h := open(t)
	elsewhere := must(Open(t.Context(), h.s.cfg)) // another instance, on the same store
	c := h.usual()
	token, sibling := h.token(c), h.token(c)
	seen := func() bool {
		_, err := elsewhere.standing(t.Context(), token)
		return err == nil
	}
	if h.introspect(c, token).body["active"] != true || !seen() {
		t.Fatal("the token is not good to begin with")
	}
	if a := h.revoke(c, token).is(t, 200); a.raw != "{}" {
		t.Errorf("got %s", a.raw)
	}
	isInactive(t, h.introspect(c, token))
	if _, err := h.check(token); !errors.Is(err, problem.NoToken()) {
		t.Errorf("Check says %v", err)
	}
	h.pass(2 * remembered)
	if seen() {
		t.Error("another instance still takes it")
	}
	if h.introspect(c, sibling).body["active"] != true {
		t.Error("another token of the client died with it")
	}
	h.revoke(c, token).is(t, 200)

	acts := h.acts("token.revoke")
	p, _ := h.s.cfg.Verifier.Verify(t.Context(), token)
	if len(acts) != 4 || acts[0].Actor != c.ID || acts[0].Owner != c.FirmID || acts[0].Reason != "jti="+digest(p.TokenID) || acts[1].Result != "success" {
		t.Errorf("on record: %+v", acts)
	}
	if rec, err := h.s.revoked.Get(t.Context(), digest(p.TokenID)); err != nil || !rec.Value.Expires.Equal(p.Expires) {
		t.Errorf("the mark is %+v %v", rec, err)
	}
}

func TestRevokeLeavesAloneWhatIsNotTheClients(t *testing.T) {
	t.Parallel()
	h := open(t)
	c, other := h.usual(), h.usual()
	twin := h.client(firm.NewClient{FirmID: c.FirmID})
	operator := h.client(firm.NewClient{Operator: true})
	token := h.token(c)
	person := must(h.issuer.Issue(t.Context(), identity.Claims{Subject: "person", Session: "s"}, time.Hour))
	h.revoke(other, token).is(t, 200)
	h.revoke(operator, token).is(t, 200)
	h.revoke(operator, person).is(t, 200)
	h.revoke(c, person).is(t, 200)
	h.revoke(c, "garbage").is(t, 200)
	h.revoke(twin, token).is(t, 400, "unauthorized_client")
	if h.introspect(c, token).body["active"] != true {
		t.Error("somebody else ended the token")
	}
	if acts := h.acts("token.revoke"); len(acts) != 0 {
		t.Errorf("on record: %+v", acts)
	}
	h.pass(TokenLife)
	h.revoke(c, token).is(t, 200)
}

func TestARevocationThatIsNotStoredIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.usual()
	token := h.token(c)
	h.db.Add(storetest.Rule{Collection: "RevokedToken", Op: storetest.Insert, Times: 1, Err: errors.New("disk full")})
	h.revoke(c, token).is(t, 503, "temporarily_unavailable")
	if acts := h.acts("token.revoke"); len(acts) != 2 || acts[1].Result != "failed" {
		t.Errorf("on record: %+v", acts)
	}
	h.db.Clear()
	h.db.Add(storetest.Rule{Collection: "RevokedToken", Op: storetest.Insert, Times: 1, After: true, Err: errors.New("answer lost")})
	h.revoke(c, token).is(t, 503, "temporarily_unavailable")
	h.revoke(c, token).is(t, 200)
	isInactive(t, h.introspect(c, token))
}

func TestWithoutAStoreNothingIsSaidToBeGood(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.usual()
	token := h.token(c)
	h.db.Add(storetest.Rule{Collection: "RevokedToken", Op: storetest.Get, Err: errors.New("gone")})
	h.introspect(c, token).is(t, 503, "temporarily_unavailable")
	if _, err := h.check(token); err == nil || errors.Is(err, problem.NoToken()) {
		t.Errorf("Check says %v", err)
	}
	h.db.Clear()
	h.db.Add(storetest.Rule{Collection: "Audit", Op: storetest.Insert, Err: errors.New("gone")})
	h.send(call{path: tokenPath, basic: &c, body: grant}).is(t, 503, "temporarily_unavailable")
	h.revoke(c, token).is(t, 503, "temporarily_unavailable")
	h.db.Clear()
	h.pass(remembered)
	h.db.Add(storetest.Rule{Collection: "Client", Op: storetest.Get, Err: errors.New("gone")})
	h.introspect(c, token).is(t, 503, "temporarily_unavailable")
	h.db.Clear()
	if h.introspect(c, token).body["active"] != true {
		t.Error("the token did not survive the outage")
	}
}

func TestTheCurrentStateWinsOverTheToken(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.usual()
	twin := h.client(firm.NewClient{FirmID: c.FirmID})
	token, twins := h.token(c), h.token(twin)
	scopes := func() []string {
		p, err := h.check(token)
		if err != nil {
			return nil
		}
		return p.Scope
	}
	change := func(scopes ...string) {
		h.t.Helper()
		if _, err := h.firms.Change(t.Context(), firm.Administrator(), c.ID, firm.ClientChange{Scopes: scopes}); err != nil {
			t.Fatal(err)
		}
	}
	if h.introspect(c, token).text("scope") != "cards:read cards:register reports:read webhooks:manage" {
		t.Error("not all scopes to begin with")
	}
	change("cards:read", "cards:manage")
	if got := scopes(); !slices.Equal(got, []string{"cards:read"}) {
		t.Errorf("scopes %q: one taken away must be gone, one given later needs a new token", got)
	}
	h.pass(2 * remembered)
	if a := h.introspect(c, token); a.text("scope") != "cards:read" {
		t.Errorf("introspection says %s", a.raw)
	}
	if _, err := h.firms.Revoke(t.Context(), firm.Administrator(), c.ID); err != nil {
		t.Fatal(err)
	}
	if scopes() != nil {
		t.Error("a revoked client's token still counts")
	}
	h.pass(2 * remembered)
	isInactive(t, h.introspect(twin, token))
	if _, err := h.firms.Suspend(t.Context(), firm.Administrator(), c.FirmID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := h.check(twins); !errors.Is(err, problem.NoToken()) {
		t.Errorf("a suspended firm's token: %v", err)
	}
	h.pass(remembered)
	h.introspect(twin, twins).is(t, 401, "invalid_client")
}

func TestIntrospectionRemembersForLessThanASecond(t *testing.T) {
	t.Parallel()
	var clients counted
	h := open(t, func(c *Config) { clients.Clients = c.Clients; c.Clients = &clients })
	c := h.usual()
	h.stop()
	token := h.token(c)
	h.introspect(c, token)
	before := clients.asked.Load()
	h.db.Add(storetest.Rule{Collection: "RevokedToken", Op: storetest.Get, Err: errors.New("asked again")})
	for range 20 {
		h.introspect(c, token).is(t, 200)
	}
	if n := clients.asked.Load() - before; n > 2 {
		t.Errorf("asked for the client %d times", n)
	}
	h.pass(remembered)
	h.introspect(c, token).is(t, 503)
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	h := open(t)
	res := must(http.Get(h.url + metadataPath))
	defer res.Body.Close()
	var got map[string]any
	if err := json.UnmarshalRead(res.Body, &got); err != nil || res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Fatalf("%d %v %v", res.StatusCode, res.Header, err)
	}
	methods := []any{"client_secret_basic", "client_secret_post", "private_key_jwt"}
	algorithms := []any{"ES256", "EdDSA", "PS256", "RS256"}
	want := map[string]any{
		"issuer":                   issuer,
		"token_endpoint":           issuer + "/oauth2/token",
		"introspection_endpoint":   issuer + "/oauth2/introspect",
		"revocation_endpoint":      issuer + "/oauth2/revoke",
		"jwks_uri":                 issuer + "/.well-known/jwks.json",
		"scopes_supported":         []any{"cards:register", "cards:read", "cards:reveal", "cards:manage", "reports:read", "webhooks:manage", "actuator:read"},
		"response_types_supported": []any{},
		"grant_types_supported":    []any{"client_credentials"},

		"token_endpoint_auth_methods_supported": methods, "token_endpoint_auth_signing_alg_values_supported": algorithms,
		"introspection_endpoint_auth_methods_supported": methods, "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
		"revocation_endpoint_auth_methods_supported": methods, "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}
