package login

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"ccms/internal/store/storetest"
)

var errDisk = errors.New("disk is gone")

func TestAStoreThatIsDownIsToldAsSuch(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	waiting := someone("jane")
	link := h.join(waiting)
	reset := h.resetToken(p)
	token := h.logIn(p)
	h.pass(2 * time.Minute) // so that the session wants a write
	h.db.Add(storetest.Rule{Err: errDisk})
	requests := []struct {
		method, path string
		body         any
	}{
		{"POST", "/api/customer/signup", someone("new").signUp()},
		{"POST", first, p.credentials()},
		{"POST", first, p.wrong()},
		{"POST", later, someone("nobody").wrong()},
		{"POST", "/api/customer/send-verification", obj{"email": waiting.email}},
		{"GET", verifyPath(link), nil},
		{"POST", "/api/customer/forgot-password", obj{"email": p.email}},
		{"POST", resetPath, resetBody(reset, nextPassword)},
		{"GET", "/api/customer/jwt/validate", nil},
		{"POST", "/api/customer/logout", nil},
		{"POST", "/api/customer/logout?all=true", nil},
		{"GET", "/api/account", nil},
		{"PUT", "/api/account", obj{}},
		{"DELETE", "/api/account", obj{"password": p.password}},
		{"POST", "/api/account/password", obj{}},
		{"GET", "/api/account/export", nil},
		{"GET", "/api/account/sessions", nil},
		{"DELETE", "/api/account/sessions/x", nil},
	}
	for _, r := range requests {
		a := h.call(r.method, r.path, r.body, bearer(token))
		a.is(t, 503, "DATABASE_ERROR", "Database operation failed")
		if a.header.Get("Retry-After") == "" {
			t.Errorf("%s %s: no Retry-After", r.method, r.path)
		}
	}
	h.db.Clear()
	if h.valid(token) != 200 {
		t.Error("the session is gone with the failure")
	}
	h.logIn(p) // and nothing was counted as a failure
	h.call("POST", resetPath, resetBody(reset, nextPassword)).is(t, 200)
}

func TestAStoreThatDoesNotAnswerIsATimeout(t *testing.T) {
	t.Parallel()
	h := open(t)
	token := h.logIn(h.member("mary"))
	h.db.Add(storetest.Rule{Collection: "Customer", Op: storetest.Get, Delay: time.Minute})
	h.call("GET", "/api/customer/jwt/validate", nil, bearer(token)).is(t, 504, "TIMEOUT", "Request timed out")
}

// TestAFailureAnywhereLeavesALoginThatWorks lets every operation of a login
// fail in turn, before and after its effect.
func TestAFailureAnywhereLeavesALoginThatWorks(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	for _, after := range []bool{false, true} {
		for skip := range 14 {
			h.db.Add(storetest.Rule{Skip: skip, Times: 1, After: after, Err: errDisk})
			for _, body := range []obj{p.credentials(), p.wrong()} {
				a := h.call("POST", first, body, from(fmt.Sprintf("198.51.%d.1", skip)))
				if a.status != 200 && a.status != 503 && (a.status != 401 || body["password"] == p.password) {
					t.Errorf("operation %d, after its effect %v: %s", skip, after, a.raw)
				}
			}
			h.db.Clear()
			if a := h.call("POST", first, p.credentials(), from(fmt.Sprintf("198.51.%d.1", skip))); a.status != 200 {
				t.Errorf("operation %d, after its effect %v: the next login got %s", skip, after, a.raw)
			}
		}
	}
}

// TestAFailureAnywhereLeavesAResetWholeOrUndone lets every operation of a reset
// fail in turn: the old password and the token are good, or the new password.
func TestAFailureAnywhereLeavesAResetWholeOrUndone(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	for _, after := range []bool{false, true} {
		for skip := range 10 {
			token := h.resetToken(p)
			next := fmt.Sprintf("green cup %d %v tea", skip, after)
			h.db.Add(storetest.Rule{Collection: "Customer", Skip: skip, Times: 1, After: after, Err: errDisk})
			h.call("POST", resetPath, resetBody(token, next))
			h.db.Clear()
			again := h.call("POST", resetPath, resetBody(token, next))
			if again.status != 200 && again.text("errorCode") != "INVALID_TOKEN" {
				t.Errorf("operation %d: the token is neither good nor used: %s", skip, again.raw)
			}
			p.password = next
			h.logIn(p)
			h.pass(time.Minute)
		}
	}
}

func TestWithoutARecordNothingHappens(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	reset := h.resetToken(p)
	token := h.logIn(p)
	before := h.record(p)
	h.db.Add(storetest.Rule{Collection: "Audit", Op: storetest.Insert, Err: errDisk})
	for _, r := range []struct {
		method, path string
		body         any
	}{
		{"POST", "/api/customer/signup", someone("new").signUp()},
		{"POST", first, p.credentials()},
		{"POST", resetPath, resetBody(reset, nextPassword)},
		{"POST", "/api/customer/logout", nil},
		{"GET", "/api/account/export", nil},
		{"DELETE", "/api/account", obj{"password": p.password}},
	} {
		h.call(r.method, r.path, r.body, bearer(token)).is(t, 503, "DATABASE_ERROR")
	}
	h.db.Clear()
	if h.record(p).Rev != before.Rev {
		t.Error("the account was changed")
	}
	if _, ok, _ := h.s.customers.ByEmail(t.Context(), "new@example.com"); ok {
		t.Error("an account was made")
	}
}

func TestRunSweepsUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	h := open(t)
	idle := someone("idle")
	h.join(idle)
	id := h.record(idle).ID
	h.pass(8 * 24 * time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.s.Run(ctx) }()
	h.gone(id)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
