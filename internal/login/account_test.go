package login

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ccms/internal/login/customer"
	"ccms/internal/login/trail"
	"ccms/internal/meter"
	"ccms/internal/problem"
)

// ownRoutes are the routes that need a person's token.
var ownRoutes = []string{
	"GET /api/account", "PUT /api/account", "DELETE /api/account", "POST /api/account/password", "GET /api/account/export",
	"GET /api/account/sessions", "DELETE /api/account/sessions", "GET /api/account/sessions/x", "DELETE /api/account/sessions/x",
}

func TestAccountRoutesNeedALiveToken(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	live := h.logIn(p)
	out := h.logIn(p)
	h.call("POST", "/api/customer/logout", nil, bearer(out)).is(t, 200)
	forged := live[:len(live)-6] + "AAAAAA"
	for _, route := range ownRoutes {
		method, path, _ := strings.Cut(route, " ")
		for name, head := range map[string]header{
			"no token": {}, "a forged token": bearer(forged), "a logged-out token": bearer(out), "Basic": {"Authorization": "Basic bWFyeTp4"},
		} {
			a := h.call(method, path, nil, head)
			if a.status != 401 || a.text("errorCode") != "UNAUTHORIZED" || a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s with %s: %d %s", route, name, a.status, a.raw)
			}
		}
	}
	h.pass(time.Hour)
	for _, route := range ownRoutes {
		method, path, _ := strings.Cut(route, " ")
		h.call(method, path, nil, bearer(live)).is(t, 403, "TOKEN_EXPIRED", "Token has expired")
	}
}

func TestAccountIsShownAndChanged(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	token := bearer(h.logIn(p))
	a := h.call("GET", "/api/account", nil, token)
	a.is(t, 200)
	if a.text("username") != "mary" || a.text("email") != p.email || a.body["accountValidated"] != true || strings.Contains(a.raw, "$2a$") {
		t.Errorf("got %s", a.raw)
	}
	a = h.call("PUT", "/api/account", obj{"name": obj{"first": "Maria"}}, token)
	a.is(t, 200)
	if fmt.Sprint(a.body["name"]) != "map[first:Maria last:Jones]" || a.text("email") != p.email {
		t.Errorf("got %s", a.raw)
	}
	h.call("PUT", "/api/account", obj{}, token).is(t, 200)
	h.call("PUT", "/api/account", obj{"email": strings.ToUpper(p.email)}, token).is(t, 200) // the same address
	tests := []struct {
		name   string
		body   obj
		status int
		code   string
	}{
		{"an empty name", obj{"name": obj{"first": " "}}, 400, "VALIDATION_ERROR"},
		{"accountValidated", obj{"accountValidated": true}, 400, "VALIDATION_ERROR"},
		{"roles", obj{"roles": []string{"operator"}}, 400, "VALIDATION_ERROR"},
		{"the username", obj{"username": "other"}, 400, "VALIDATION_ERROR"},
		{"the password", obj{"password": "x"}, 400, "VALIDATION_ERROR"},
		{"an address without the password", obj{"email": "new@example.com"}, 400, "VALIDATION_ERROR"},
		{"what is no address", obj{"email": "new", "currentPassword": p.password}, 400, "INVALID_EMAIL"},
		{"an address with a wrong password", obj{"email": "new@example.com", "currentPassword": "wrong"}, 403, "INVALID_CREDENTIALS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h.call("PUT", "/api/account", tt.body, token).is(t, tt.status, tt.code)
		})
	}
	if h.post.count(p.email) != 0 {
		t.Error("letters were sent about nothing")
	}
}

func TestANewAddressTakesEffectWhenConfirmed(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	taken := h.member("jane")
	token := bearer(h.logIn(p))
	change := func(email string) answer {
		return h.call("PUT", "/api/account", obj{"email": email, "currentPassword": p.password}, token)
	}
	change(taken.email).is(t, 409, "EMAIL_EXISTS")
	a := change("new@example.com")
	a.is(t, 200)
	if a.text("email") != p.email || a.text("pendingEmail") != "new@example.com" {
		t.Errorf("got %s", a.raw)
	}
	change("new@example.com").is(t, 429, "TOO_MANY_REQUESTS")
	h.post.take(t, p.email, "about to change")
	link := h.post.token(t, "new@example.com", "verify")
	h.call("POST", first, person{email: "new@example.com", password: p.password}.credentials()).is(t, 401)

	h.call("GET", verifyPath(link), nil).is(t, 200)
	h.call("GET", verifyPath(link), nil).is(t, 200)
	v := h.call("GET", "/api/customer/jwt/validate", nil, token)
	if v.text("email") != "new@example.com" {
		t.Errorf("the token still says %s", v.raw)
	}
	h.call("POST", first, p.credentials()).is(t, 401)
	h.call("POST", first, person{email: "new@example.com", password: p.password}.credentials()).is(t, 200)
	h.pass(time.Minute)
	h.call("POST", "/api/customer/signup", person{"other", p.email, goodPassword}.signUp()).is(t, 201) // the old one is free
}

func TestANewPasswordCancelsAPendingAddress(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	reset := h.resetToken(p)
	h.call("PUT", "/api/account", obj{"email": "thief@example.com", "currentPassword": p.password}, bearer(h.logIn(p))).is(t, 200)
	link := h.post.token(t, "thief@example.com", "verify")
	h.call("POST", resetPath, resetBody(reset, nextPassword)).is(t, 200)
	h.call("GET", verifyPath(link), nil).is(t, 404, "TOKEN_NOT_FOUND")
}

func TestLinksOfAnotherAddressAreDead(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := someone("mary")
	h.join(p)
	token := bearer(h.logIn(p))
	move := func(email string) string {
		t.Helper()
		h.call("PUT", "/api/account", obj{"email": email, "currentPassword": p.password}, token).is(t, 200)
		return h.post.token(t, email, "verify")
	}
	abandoned := move("one@example.com")
	good := move("two@example.com")
	h.call("GET", verifyPath(abandoned), nil).is(t, 404, "TOKEN_NOT_FOUND")
	h.call("POST", first, p.credentials()).is(t, 403, "UNVERIFIED_ACCOUNT")
	reset := h.resetToken(p)
	h.call("GET", verifyPath(good), nil).is(t, 200)
	h.call("POST", resetPath, resetBody(reset, nextPassword)).is(t, 400, "INVALID_TOKEN") // went to the old address
}

func TestAnAddressTakenMeanwhileIsRefusedAtTheLink(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	h.call("PUT", "/api/account", obj{"email": "new@example.com", "currentPassword": p.password}, bearer(h.logIn(p))).is(t, 200)
	link := h.post.token(t, "new@example.com", "verify")
	h.pass(time.Minute)
	h.join(person{"jane", "new@example.com", goodPassword})
	h.call("GET", verifyPath(link), nil).is(t, 409, "EMAIL_EXISTS")
	h.logIn(p)
}

func TestPasswordChange(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	other := h.logIn(p)
	token := h.logIn(p)
	body := func(current, next, confirm string) obj {
		return obj{"currentPassword": current, "newPassword": next, "confirmPassword": confirm}
	}
	tests := []struct {
		name   string
		body   obj
		status int
		code   string
		text   string
	}{
		{"no current password", obj{"newPassword": nextPassword, "confirmPassword": nextPassword}, 400, "VALIDATION_ERROR", "Request validation failed"},
		{"a wrong current password", body("wrong", nextPassword, nextPassword), 403, "INVALID_CREDENTIALS", "Current password is wrong"},
		{"another confirmation", body(p.password, nextPassword, "x"), 400, "PASSWORD_MISMATCH", "Passwords do not match"},
		{"no new password", body(p.password, "", ""), 400, "WEAK_PASSWORD", "Password does not meet requirements"},
		{"a weak password", body(p.password, "monkey123456", "monkey123456"), 400, "WEAK_PASSWORD", "Password does not meet requirements"},
		{"the same password", body(p.password, p.password, p.password), 400, "WEAK_PASSWORD", "Password does not meet requirements"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h.call("POST", "/api/account/password", tt.body, bearer(token)).is(t, tt.status, tt.code, tt.text)
		})
	}
	h.call("POST", "/api/account/password", body(p.password, nextPassword, nextPassword), bearer(token)).is(t, 200)
	h.post.take(t, p.email, "password was changed")
	if h.valid(token) != 401 || h.valid(other) != 401 {
		t.Error("a session outlived the password")
	}
	h.call("POST", first, p.credentials()).is(t, 401)
	h.logIn(person{email: p.email, password: nextPassword})
}

func TestWrongCurrentPasswordsLockAsLoginsDo(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	token := bearer(h.logIn(p))
	for i := range 5 {
		route := []string{"DELETE /api/account", "POST /api/account/password", "PUT /api/account"}[i%3]
		method, path, _ := strings.Cut(route, " ")
		body := []obj{{"password": "wrong"}, {"currentPassword": "wrong"}, {"email": "n@example.com", "currentPassword": "wrong"}}[i%3]
		h.call(method, path, body, token).is(t, 403, "INVALID_CREDENTIALS", "Current password is wrong")
	}
	h.call("DELETE", "/api/account", obj{"password": p.password}, token).is(t, 403, "ACCOUNT_LOCKED", "Account is locked. Please reset your password")
	h.call("POST", first, p.credentials()).is(t, 403, "ACCOUNT_LOCKED")
}

func TestExportGivesWhatIsKept(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	a := h.call("GET", "/api/account/export", nil, bearer(h.logIn(p, header{"User-Agent": "curl/8"})))
	a.is(t, 200)
	for _, part := range []string{`"username":"mary"`, `"email":"mary@example.com"`, `"device":"curl/8"`, `"network":"127.0.0.0/24"`, "************1111"} {
		if !strings.Contains(a.raw, part) {
			t.Errorf("no %s in %s", part, a.raw)
		}
	}
	if strings.Contains(a.raw, "$2a$") {
		t.Error("a hash is exported")
	}
}

func TestWhoKnewOnlyTheOldPasswordChangesNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	stale := h.record(p) // what a slow request has read
	h.call("POST", resetPath, resetBody(h.resetToken(p), nextPassword)).is(t, 200)
	err := h.s.startErasing(t.Context(), trail.Caller{}, stale.ID, sameOwner(stale, func(*customer.Customer) {}))
	if !errors.Is(err, problem.NoToken()) {
		t.Errorf("got %v", err)
	}
	h.logIn(person{email: p.email, password: nextPassword})
}

func TestWhatPeopleDoIsOnRecordWithoutTheirAddress(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	for range 5 {
		h.call("POST", first, p.wrong())
		h.call("POST", first, someone("nobody").wrong())
	}
	h.call("POST", resetPath, resetBody(h.resetToken(p), nextPassword)).is(t, 200)
	token := bearer(h.logIn(person{email: p.email, password: nextPassword}))
	h.call("GET", "/api/account/export", nil, token).is(t, 200)
	h.call("PUT", "/api/account", obj{}, token).is(t, 200)
	h.call("POST", "/api/customer/logout?all=true", nil, token).is(t, 200)
	for _, act := range []string{
		"customer.signup", "customer.verify", "customer.login", "customer.lock", "customer.password.reset",
		"customer.login.subsequent", "customer.export", "customer.account.update", "customer.logout.all", h.record(p).ID,
	} {
		if !h.stored("Audit", act) {
			t.Errorf("no %s on record", act)
		}
	}
	if h.stored("Audit", "example.com") {
		t.Error("an address is on record")
	}
}

func TestGuessesAndLocksAreMeasured(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	h.logIn(p)
	for range 6 {
		h.call("POST", first, p.wrong())
	}
	h.call("POST", "/api/customer/forgot-password", obj{"email": "nobody@example.com"})
	want := `# HELP ccms_login_attempts_total Checks of a password by route and outcome (success, wrong, locked).
# TYPE ccms_login_attempts_total counter
ccms_login_attempts_total{outcome="locked",route="customer.login"} 1
ccms_login_attempts_total{outcome="success",route="customer.login.subsequent"} 1
ccms_login_attempts_total{outcome="wrong",route="customer.login"} 5
# HELP ccms_login_enumeration_probes_total Answers that told whether an address is known, by route.
# TYPE ccms_login_enumeration_probes_total counter
ccms_login_enumeration_probes_total{route="reset"} 1
# HELP ccms_login_lockouts_total Locks begun, for unknown addresses too.
# TYPE ccms_login_lockouts_total counter
ccms_login_lockouts_total 1
`
	shown := slices.DeleteFunc(must(h.metrics.Gather()), func(f meter.Family) bool {
		return !strings.HasPrefix(f.Name, "ccms_login") || strings.HasPrefix(f.Name, "ccms_login_hash")
	})
	if got := string(meter.AppendText(nil, shown)); got != want {
		t.Errorf("it shows\n%s", got)
	}
}
