package login

import (
	"strings"
	"sync"
	"testing"
	"time"

	"ccms/internal/login/gate"
)

const resetPath = "/api/customer/forgot-password/reset-password"

const nextPassword = "four green cups 4 tea"

func resetBody(token, password string) obj {
	return obj{"token": token, "newPassword": password, "confirmPassword": password}
}

func TestForgotPassword(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	tests := []struct {
		name   string
		body   any
		status int
		code   string
		text   string
	}{
		{"no address", obj{}, 400, "INVALID_EMAIL", "Invalid email format"},
		{"what is no address", obj{"email": "@"}, 400, "INVALID_EMAIL", "Invalid email format"},
		{"an unknown address", obj{"email": "nobody@example.com"}, 404, "USER_NOT_FOUND", "No account found"},
		{"an unknown address again", obj{"email": "nobody@example.com"}, 429, "TOO_MANY_REQUESTS", "Please wait before requesting"},
		{"a known one", obj{"email": p.email}, 200, "", ""},
		{"a known one again", obj{"email": strings.ToUpper(p.email)}, 429, "TOO_MANY_REQUESTS", "Please wait before requesting"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := h.call("POST", "/api/customer/forgot-password", tt.body)
			if tt.code == "" {
				a.is(t, tt.status)
				return
			}
			a.is(t, tt.status, tt.code, tt.text)
		})
	}
	h.call("POST", first, p.credentials()).is(t, 200) // asking changes nothing
}

func TestResetRefusesInOrderAndKeepsTheToken(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := someone("mary")
	verification := h.join(p)
	token := h.resetToken(p)
	unknown := h.unknownToken()
	const invalid = "Invalid or expired reset token"
	tests := []struct {
		name string
		body any
		code string
		text string
	}{
		{"no token", obj{"newPassword": nextPassword, "confirmPassword": nextPassword}, "INVALID_TOKEN", invalid},
		{"garbage", resetBody("abc", nextPassword), "INVALID_TOKEN", invalid},
		{"a changed token", resetBody(token[:47]+"!", nextPassword), "INVALID_TOKEN", invalid},
		{"an unknown token", resetBody(unknown, nextPassword), "INVALID_TOKEN", invalid},
		{"a verification token", resetBody(verification, nextPassword), "INVALID_TOKEN", invalid},
		{"an unknown token before all else", obj{"token": unknown, "newPassword": "a", "confirmPassword": "b"}, "INVALID_TOKEN", invalid},
		{"no password", obj{"token": token}, "WEAK_PASSWORD", "Password does not meet requirements"},
		{"another confirmation", obj{"token": token, "newPassword": nextPassword, "confirmPassword": "x"}, "PASSWORD_MISMATCH", "Passwords do not match"},
		{"match before strength", obj{"token": token, "newPassword": "a", "confirmPassword": "b"}, "PASSWORD_MISMATCH", "Passwords do not match"},
		{"a weak password", resetBody(token, "short1"), "WEAK_PASSWORD", "Password does not meet requirements"},
		{"the current password", resetBody(token, p.password), "WEAK_PASSWORD", "Password does not meet requirements"},
		{"the own username", resetBody(token, "mary11111111"), "WEAK_PASSWORD", "Password does not meet requirements"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h.call("POST", resetPath, tt.body).is(t, 400, tt.code, tt.text)
		})
	}
	h.call("POST", resetPath, resetBody(token, nextPassword)).is(t, 200)
	h.call("POST", resetPath, resetBody(token, "another good 1 here")).is(t, 400, "INVALID_TOKEN", invalid)
}

func TestAResetUnlocksVerifiesAndEndsSessions(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := someone("mary")
	link := h.join(p)
	session := h.logIn(p)
	older := h.resetToken(p)
	h.pass(time.Minute)
	token := h.resetToken(p)
	for range 5 {
		h.call("POST", first, p.wrong(), from("198.51.100.1"))
		h.call("POST", first, p.wrong())
	}
	h.call("POST", resetPath, resetBody(token, nextPassword)).is(t, 200)
	h.post.take(t, p.email, "password was changed")
	if h.valid(session) != 401 {
		t.Error("a session outlived the reset")
	}
	h.call("POST", first, p.credentials()).is(t, 401)
	p.password = nextPassword
	h.call("POST", first, p.credentials()).is(t, 200) // verified, and not locked
	h.call("POST", first, p.credentials(), from("198.51.100.1")).is(t, 200)
	h.call("POST", resetPath, resetBody(older, "another good 1 here")).is(t, 400, "INVALID_TOKEN")
	h.call("GET", verifyPath(link), nil).is(t, 200) // not used, so still good
}

func TestAResetTokenLivesThirtyMinutes(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	token := h.resetToken(p)
	h.pass(30 * time.Minute)
	h.call("POST", resetPath, resetBody(token, nextPassword)).is(t, 400, "INVALID_TOKEN", "Invalid or expired reset token")
}

func TestTheLastFourPasswordsAreRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	used := []string{p.password}
	for _, next := range []string{"second horse 22", "third horse 333", "fourth horse 4", "fifth horse 55"} {
		token := h.resetToken(p)
		for _, old := range used {
			h.call("POST", resetPath, resetBody(token, old)).is(t, 400, "WEAK_PASSWORD")
		}
		h.call("POST", resetPath, resetBody(token, next)).is(t, 200)
		used = append(used, next)
		used = used[max(0, len(used)-4):]
		h.pass(time.Minute)
	}
	h.call("POST", resetPath, resetBody(h.resetToken(p), p.password)).is(t, 200) // five ago
	if n := len(h.record(p).Value.PasswordHistory); n != 4 {
		t.Errorf("%d passwords are kept", n)
	}
}

func TestOfManyResetsWithOneTokenExactlyOneWins(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	token := h.resetToken(p)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var winners []string
	for i := range 64 {
		wg.Go(func() {
			next := nextPassword + string(rune('A'+i%26)) + string(rune('A'+i/26))
			a, err := h.try("POST", resetPath, resetBody(token, next))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case a.status == 200:
				winners = append(winners, next)
			case a.text("errorCode") != "INVALID_TOKEN":
				t.Errorf("a loser got %s", a.raw)
			}
		})
	}
	wg.Wait()
	if len(winners) != 1 {
		t.Fatalf("%d winners", len(winners))
	}
	h.logIn(person{email: p.email, password: winners[0]})
}

func TestALoginThatBeganBeforeAResetLeavesNoSession(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	token := h.resetToken(p)
	stale := h.record(p) // what a slow login has read
	h.call("POST", resetPath, resetBody(token, nextPassword)).is(t, 200)
	_, err := h.s.enter(t.Context(), stale, gate.Claim{Route: "customer.login", Wrong: wrongCredentials()})
	if err == nil {
		t.Error("a session was opened with a password that was reset")
	}
	if n := len(h.record(p).Value.Sessions); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

func TestALetterThatCannotBeSentIsSentLater(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.post.breakDown(true)
	p := someone("mary")
	h.call("POST", "/api/customer/signup", p.signUp()).is(t, 201)
	h.post.breakDown(false)
	h.call("GET", verifyPath(h.post.token(t, p.email, "verify")), nil).is(t, 200)
}
