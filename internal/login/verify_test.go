package login

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ccms/internal/identity"
)

func verifyPath(token string) string { return "/api/customer/verify?token=" + token }

func TestSendVerification(t *testing.T) {
	t.Parallel()
	h := open(t)
	verified := h.member("mary")
	waiting := someone("jane")
	h.join(waiting)
	h.pass(time.Minute)
	tests := []struct {
		name   string
		body   any
		status int
		code   string
		text   string
	}{
		{"no address", obj{}, 400, "INVALID_EMAIL", "Invalid email format"},
		{"what is no address", obj{"email": "mary"}, 400, "INVALID_EMAIL", "Invalid email format"},
		{"an unknown address", obj{"email": "nobody@example.com"}, 404, "USER_NOT_FOUND", "Customer not found"},
		{"an unknown address again", obj{"email": "Nobody@Example.com"}, 429, "TOO_MANY_REQUESTS", "Please wait before requesting again"},
		{"a verified one", obj{"email": verified.email}, 409, "ALREADY_VERIFIED", "Account is already validated"},
		{"a verified one again", obj{"email": verified.email}, 429, "TOO_MANY_REQUESTS", "Please wait before requesting again"},
		{"an unverified one", obj{"email": waiting.email}, 200, "", ""},
		{"an unverified one again", obj{"email": waiting.email}, 429, "TOO_MANY_REQUESTS", "Please wait before requesting again"},
		{"a number", obj{"email": 7}, 400, "VALIDATION_ERROR", "Request validation failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := h.call("POST", "/api/customer/send-verification", tt.body)
			if tt.code == "" {
				a.is(t, tt.status)
				if a.text("message") == "" || len(a.body) != 1 {
					t.Errorf("got %s", a.raw)
				}
				return
			}
			a.is(t, tt.status, tt.code, tt.text)
		})
	}
	h.call("GET", verifyPath(h.post.token(t, waiting.email, "verify")), nil).is(t, 200)
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := someone("mary")
	good := h.join(p)
	unknown := h.unknownToken()
	mangled := "A" + good[1:]
	if good[0] == 'A' {
		mangled = "B" + good[1:]
	}
	tests := []struct {
		name, token  string
		status       int
		code, answer string
	}{
		{"no token", "", 400, "INVALID_TOKEN", "Invalid verification token"},
		{"garbage", "abc", 400, "INVALID_TOKEN", "Invalid verification token"},
		{"a UUID", "b9a2ba62-57d6-4149-a45b-9c51ef370f30", 400, "INVALID_TOKEN", "Invalid verification token"},
		{"a changed letter", mangled, 400, "INVALID_TOKEN", "Invalid verification token"},
		{"a token cut short", good[:len(good)-1], 400, "INVALID_TOKEN", "Invalid verification token"},
		{"a token with more behind it", good + "A", 400, "INVALID_TOKEN", "Invalid verification token"},
		{"a token with a line break", good[:10] + "%0A" + good[10:], 400, "INVALID_TOKEN", "Invalid verification token"},
		{"a padded token", good + "%3D", 400, "INVALID_TOKEN", "Invalid verification token"},
		{"a well-formed unknown token", unknown, 404, "TOKEN_NOT_FOUND", "Verification token not found"},
		{"a reset token", h.resetToken(p), 404, "TOKEN_NOT_FOUND", "Verification token not found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h.call("GET", verifyPath(tt.token), nil).is(t, tt.status, tt.code, tt.answer)
		})
	}
	h.call("GET", verifyPath(good), nil).is(t, 200)
}

func TestAVerificationTokenLivesADayAndIsRememberedAfterwards(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := someone("mary")
	used := h.join(p)
	h.call("GET", verifyPath(used), nil).is(t, 200)
	h.call("GET", verifyPath(used), nil).is(t, 200) // again inside its life
	q := someone("jane")
	late := h.join(q)
	h.pass(24 * time.Hour)
	h.call("GET", verifyPath(used), nil).is(t, 400, "TOKEN_EXPIRED", "Verification token has expired")
	h.call("GET", verifyPath(late), nil).is(t, 400, "TOKEN_EXPIRED", "Verification token has expired")
	h.call("POST", first, q.credentials()).is(t, 403, "UNVERIFIED_ACCOUNT")
}

func TestOlderVerificationLinksStayGoodUntilOneIsUsed(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := someone("mary")
	links := []string{h.join(p)}
	for range 2 {
		h.pass(time.Minute)
		h.call("POST", "/api/customer/send-verification", obj{"email": p.email}).is(t, 200)
		links = append(links, h.post.token(t, p.email, "verify"))
	}
	h.call("GET", verifyPath(links[1]), nil).is(t, 200)
	h.call("GET", verifyPath(links[1]), nil).is(t, 200)
	h.call("GET", verifyPath(links[0]), nil).is(t, 404, "TOKEN_NOT_FOUND")
	h.call("GET", verifyPath(links[2]), nil).is(t, 404, "TOKEN_NOT_FOUND")
}

func TestMailScannersVerifyNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := someone("mary")
	token := h.join(p)
	for name, ask := range map[string]func() answer{
		"a browser": func() answer {
			return h.call("GET", verifyPath(token), nil, header{"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
		},
		"HEAD": func() answer { return h.call("HEAD", verifyPath(token), nil) },
	} {
		a := ask()
		a.is(t, 303)
		if got := a.header.Get("Location"); got != publicURL+"/verify?token="+token {
			t.Errorf("%s was sent to %q", name, got)
		}
	}
	a := h.call("GET", verifyPath("%22%3E%3Cscript%3E%0d%0aX:y"), nil, header{"Accept": "text/html"})
	if got := a.header.Get("Location"); strings.ContainsAny(got, "<>\"\r\n ") || a.header.Get("X") != "" {
		t.Errorf("sent to %q", got)
	}
	h.call("POST", first, p.credentials()).is(t, 403, "UNVERIFIED_ACCOUNT")
	h.call("GET", verifyPath(token), nil, header{"Accept": "*/*"}).is(t, 200)
}

func TestHostileHeadersDoNotChangeLinks(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := someone("mary")
	hostile := header{
		"Forwarded": "host=evil.example;proto=http", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http",
		"X-Forwarded-Prefix": "/evil", "Origin": "https://evil.example", "Referer": "https://evil.example/",
	}
	h.call("POST", "/api/customer/signup", p.signUp(), hostile).is(t, 201)
	m := h.post.take(t, p.email, "verify")
	if strings.Contains(m.Text+m.HTML, "evil") || !strings.Contains(m.Text, publicURL+"/verify?token=") {
		t.Errorf("the mail says %s", m.Text)
	}
	h.call("POST", "/api/customer/forgot-password", obj{"email": p.email}, hostile).is(t, 200)
	m = h.post.take(t, p.email, "reset-password")
	if strings.Contains(m.Text+m.HTML, "evil") || !strings.Contains(m.Text, publicURL+"/reset-password?token=") {
		t.Errorf("the mail says %s", m.Text)
	}
}

func TestThePageMayAskWhoseTokenItIs(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := someone("mary")
	token := h.join(p)
	path := "/internal/verification"
	h.call("GET", path+"?token="+token, nil).is(t, 403, "FORBIDDEN")
	proof := must(h.prover.Sign("login-service", identity.PurposeInternal, http.MethodGet, path))
	ask := func(token string) answer {
		return h.call("GET", path+"?token="+token, nil, header{identity.ProofHeader: proof})
	}
	for range 2 {
		a := ask(token)
		a.is(t, 200)
		if a.text("username") != "mary" || len(a.body) != 1 {
			t.Errorf("got %s", a.raw)
		}
	}
	h.call("POST", first, p.credentials()).is(t, 403, "UNVERIFIED_ACCOUNT")
	h.call("GET", verifyPath(token), nil).is(t, 200)
	ask(token).is(t, 200)
	unknown := h.unknownToken()
	ask(unknown).is(t, 404, "TOKEN_NOT_FOUND")
	ask("x").is(t, 400, "INVALID_TOKEN")
	forward := must(h.prover.Sign("login-service", identity.PurposeForward, http.MethodGet, path))
	h.call("GET", path+"?token="+token, nil, header{identity.ProofHeader: forward}).is(t, 403, "FORBIDDEN")
}

func TestManyVerificationsAtOnceAllSucceedOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	token := h.join(someone("mary"))
	var wg sync.WaitGroup
	var good atomic.Int32
	for range 64 {
		wg.Go(func() {
			if a, err := h.try("GET", verifyPath(token), nil); err == nil && a.status == 200 {
				good.Add(1)
			}
		})
	}
	wg.Wait()
	if good.Load() != 64 {
		t.Errorf("%d of 64 succeeded", good.Load())
	}
	if rev := h.record(someone("mary")).Rev; rev != 2 {
		t.Errorf("the account was written %d times", rev)
	}
}

func TestNoTokenLiesInTheStoreOrTheLog(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := someone("mary")
	tokens := []string{h.join(p), h.resetToken(p), h.logIn(p)}
	for _, name := range []string{"Customer", "OneTimeToken", "Outbox", "Audit", "Counter"} {
		for _, secret := range append(tokens, p.password) {
			if h.stored(name, secret) {
				t.Errorf("a token or password lies in %s", name)
			}
		}
	}
	for _, secret := range append(tokens, p.password) {
		if strings.Contains(h.log.String(), secret) {
			t.Error("a token or password was logged")
		}
	}
}
