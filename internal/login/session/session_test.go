package session

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/identity"
	"ccms/internal/login/trail"
	"ccms/internal/store/storetest"
)

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	good := h.logIn(p)
	id := p
	issue := func(c identity.Claims) string { return must(h.issuer.Issue(t.Context(), c, time.Hour)) }
	parts := strings.Split(good, ".")
	tests := []struct{ name, token string }{
		{"no token", ""},
		{"garbage", "abc"},
		{"a changed signature", good[:len(good)-6] + "AAAAAA"},
		{"a changed payload", parts[0] + "." + parts[1][:len(parts[1])-4] + "AAAA." + parts[2]},
		{"alg none", "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + parts[1] + "."},
		{"dots without end", strings.Repeat(".", 8000)},
		{"a token without a session", issue(identity.Claims{Subject: id})},
		{"a session nobody opened", issue(identity.Claims{Subject: id, Session: "x"})},
		{"an account that is gone", issue(identity.Claims{Subject: "gone", Session: "x"})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := h.call("GET", "/api/customer/jwt/validate", tt.token)
			a.is(t, 401, "UNAUTHORIZED", "Invalid or missing token")
			if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("WWW-Authenticate %q", a.header.Get("WWW-Authenticate"))
			}
			h.call("POST", "/api/customer/logout", tt.token)
		})
	}
	h.call("GET", "/api/customer/jwt/validate", "").is(t, 401, "UNAUTHORIZED")
	h.call("GET", "/api/customer/jwt/validate?token=abc", "").is(t, 401, "UNAUTHORIZED")
	if h.valid(good) != 200 {
		t.Error("the good token died")
	}
}

func TestAnotherAccountsSessionIsNotTheTokensOwn(t *testing.T) {
	t.Parallel()
	h := open(t)
	mary, jane := h.member("mary"), h.member("jane")
	h.logIn(mary)
	sid := h.record(mary).Value.Sessions[0].ID
	token := must(h.issuer.Issue(t.Context(), identity.Claims{Subject: jane, Session: sid}, time.Hour))
	if h.valid(token) != 401 {
		t.Error("a session of another account was accepted")
	}
}

func TestAnExpiredTokenIsToldAndMayLogOut(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	token := h.logIn(p)
	h.pass(time.Hour)
	h.call("GET", "/api/customer/jwt/validate", token).is(t, 403, "TOKEN_EXPIRED", "Token has expired")
	h.call("GET", "/api/customer/jwt/validate", token[:len(token)-6]+"AAAAAA").is(t, 401, "UNAUTHORIZED")
	h.call("POST", "/api/customer/logout", token).is(t, 200)
}

func TestLogout(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	one, two, three := h.logIn(p), h.logIn(p), h.logIn(p)
	logout := func(token, query string) answer {
		return h.call("POST", "/api/customer/logout"+query, token)
	}
	h.call("POST", "/api/customer/logout", "").is(t, 401, "UNAUTHORIZED", "Invalid or missing token")
	logout(one[:len(one)-6]+"AAAAAA", "").is(t, 401, "UNAUTHORIZED")
	logout(one, "?all=perhaps").is(t, 400, "VALIDATION_ERROR")
	a := logout(one, "")
	a.is(t, 200)
	if a.text("message") == "" || len(a.body) != 1 {
		t.Errorf("got %s", a.raw)
	}
	if h.valid(one) != 401 || h.valid(two) != 200 {
		t.Error("logout ended the wrong session")
	}
	logout(one, "?all=true").is(t, 200) // a dead session ends no others
	if h.valid(two) != 200 {
		t.Error("a dead session ended others")
	}
	logout(two, "?all=true").is(t, 200)
	logout(two, "?all=true").is(t, 200)
	if h.valid(two) != 401 || h.valid(three) != 401 {
		t.Error("a session survived")
	}
}

func TestAnIdleSessionEndsAndAUsedOneDoesNot(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	used, idle := h.logIn(p), h.logIn(p)
	writes := h.record(p).Rev
	for range 4 {
		h.pass(10 * time.Minute)
		if h.valid(used) != 200 {
			t.Fatal("a session in use ended")
		}
	}
	if h.valid(idle) != 401 {
		t.Error("an idle session went on")
	}
	h.call("POST", "/api/customer/logout?all=true", idle).is(t, 200)
	if h.valid(used) != 200 {
		t.Error("an idle session ended another one")
	}
	if n := h.record(p).Rev - writes; n != 5 {
		t.Errorf("%d writes for four uses far apart and one logout", n)
	}
}

func TestActivityIsWrittenAtMostEveryTenthOfTheLimit(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	token := h.logIn(p)
	before := h.record(p).Rev
	for range 20 {
		h.pass(4 * time.Second)
		h.valid(token)
	}
	if n := h.record(p).Rev - before; n != 0 {
		t.Errorf("%d writes in 80 s", n)
	}
	h.pass(20 * time.Second)
	h.valid(token)
	if n := h.record(p).Rev - before; n != 1 {
		t.Errorf("%d writes in 100 s", n)
	}
}

func TestAClockThatStepsBackEndsNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	token := h.logIn(p)
	h.pass(-time.Second)
	if h.valid(token) != 200 {
		t.Error("the session ended")
	}
	h.logIn(p)
}

func TestSessionsAreListedAndEndedByTheirOwnerOnly(t *testing.T) {
	t.Parallel()
	h := open(t)
	mary, jane := h.member("mary"), h.member("jane")
	phone := h.logIn(mary, trail.Caller{Network: "198.51.100.0/24", Device: "phone"})
	laptop := h.logIn(mary)
	stranger := h.logIn(jane)
	list := func(token string) []View {
		var out []View
		a := h.call("GET", "/api/account/sessions", token)
		a.is(t, 200)
		if err := json.Unmarshal([]byte(a.raw), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	own := list(laptop)
	if len(own) != 2 || own[0].Device != "phone" || own[0].Network != "198.51.100.0/24" || own[0].Current || !own[1].Current {
		t.Fatalf("got %+v", own)
	}
	path := "/api/account/sessions/" + own[0].ID
	for _, method := range []string{"GET", "DELETE"} {
		h.call(method, path, stranger).is(t, 404, "NOT_FOUND", "Resource not found")
		h.call(method, "/api/account/sessions/none", laptop).is(t, 404, "NOT_FOUND", "Resource not found")
	}
	if h.valid(phone) != 200 {
		t.Fatal("a stranger ended a session")
	}
	h.call("GET", path, laptop).is(t, 200)
	h.call("DELETE", path, laptop).is(t, 200)
	h.call("DELETE", path, laptop).is(t, 404)
	if h.valid(phone) != 401 || h.valid(laptop) != 200 {
		t.Error("the wrong session ended")
	}
	h.call("DELETE", "/api/account/sessions", laptop).is(t, 200)
	if h.valid(laptop) != 401 || h.valid(stranger) != 200 {
		t.Error("not exactly the own sessions ended")
	}
}

func TestAClientsTokenIsJudgedByWhoKnowsClients(t *testing.T) {
	t.Parallel()
	h := open(t)
	account := h.member("live") // a person whose id is the client's
	h.logIn(account)
	sid := h.record(account).Value.Sessions[0].ID
	token := func(client string) string {
		return must(h.issuer.Issue(t.Context(), identity.Claims{
			Subject: client, ClientID: client, FirmID: "firm_1", Session: sid, Scope: "cards:read cards:reveal account cards",
		}, 10*time.Minute))
	}
	validate := func(client string) answer { return h.call("GET", "/api/customer/jwt/validate", token(client)) }
	a := validate("live")
	a.is(t, 200)
	if len(a.body) != 5 || a.body["valid"] != true || a.text("firm_id") != "firm_1" || a.text("client_id") != "live" || a.text("scope") != "cards:read" || a.body["exp"] == nil {
		t.Errorf("got %s", a.raw)
	}
	validate("dead").is(t, 401, "UNAUTHORIZED", "Invalid or missing token")
	validate("unsure").is(t, 503, "DATABASE_ERROR")
	for _, c := range []struct{ method, path string }{{"GET", "/api/account/sessions"}, {"POST", "/api/customer/logout?all=true"}} {
		a = h.call(c.method, c.path, token("live"))
		a.is(t, 403, "FORBIDDEN", "Access denied")
		if got := a.header.Get("WWW-Authenticate"); got != `Bearer error="insufficient_scope", scope="account"` {
			t.Errorf("%s challenges with %q", c.path, got)
		}
		h.call(c.method, c.path, token("dead")).is(t, 401, "UNAUTHORIZED")
		h.call(c.method, c.path, token("unsure")).is(t, 503, "DATABASE_ERROR")
	}
	late := token("live")
	h.pass(10 * time.Minute)
	h.call("POST", "/api/customer/logout", late).is(t, 403, "TOKEN_EXPIRED")
	if len(h.record(account).Value.Sessions) != 1 {
		t.Error("a client's token ended a person's session")
	}
}

// A full disk must not stop who only reads: the use of the session is recorded
// as soon as that can be done, and until then its limit stands where it stood.
func TestAUseThatCannotBeRecordedCountsAllTheSame(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	token := h.logIn(p)
	h.fault.Add(storetest.Rule{Op: storetest.Replace, Err: errors.New("disk full")})
	h.pass(10 * time.Minute)
	if got := h.valid(token); got != 200 {
		t.Errorf("got %d", got)
	}
	h.pass(6 * time.Minute)
	if got := h.valid(token); got != 401 {
		t.Errorf("16 minutes after the last use on record: %d", got)
	}
	other := h.member("jane")
	h.fault.Clear()
	token = h.logIn(other)
	h.pass(10 * time.Minute)
	h.valid(token)
	h.pass(6 * time.Minute)
	if got := h.valid(token); got != 200 {
		t.Errorf("6 minutes after the last use: %d", got)
	}
}
