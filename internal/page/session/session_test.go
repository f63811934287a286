package session_test

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ccms/internal/page/session"
	"ccms/internal/secret"
)

func jar(t *testing.T, https bool, now func() time.Time) *session.Jar {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	j, err := session.New(secret.New(key), https, now)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func kept(t *testing.T, j *session.Jar, s session.Session) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	if err := j.Set(w, s); err != nil {
		t.Fatal(err)
	}
	return w.Result().Cookies()[0]
}

func with(c *http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/cards", http.NoBody)
	r.AddCookie(c)
	return r
}

// TestTheCookieIsSealed would fail if a session could be read, altered, moved
// to another deployment or used past its token's end.
func TestTheCookieIsSealed(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	j := jar(t, false, clock)
	want := session.Session{Token: "header.payload.signature", Person: "jane", Expires: now.Add(time.Hour)}
	c := kept(t, j, want)
	if strings.Contains(c.Value, "payload") || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
		t.Errorf("cookie %v", c)
	}
	if got, ok := j.Get(with(c)); !ok || got != want {
		t.Errorf("got %v, %t", got, ok)
	}
	if _, ok := jar(t, false, clock).Get(with(c)); ok {
		t.Error("another key opens it")
	}
	altered := *c
	altered.Value = "A" + c.Value[1:]
	if altered.Value == c.Value {
		altered.Value = "B" + c.Value[1:]
	}
	if _, ok := j.Get(with(&altered)); ok {
		t.Error("an altered cookie opens")
	}
	now = want.Expires
	if _, ok := j.Get(with(c)); ok {
		t.Error("it outlives its token")
	}
}

// TestOverHTTPSTheCookieBelongsToTheHost would fail if a neighbour could set or
// see it.
func TestOverHTTPSTheCookieBelongsToTheHost(t *testing.T) {
	c := kept(t, jar(t, true, nil), session.Session{Token: "x", Expires: time.Now().Add(time.Hour)})
	if c.Name != "__Host-ccms" || !c.Secure || c.Domain != "" || c.Path != "/" {
		t.Errorf("cookie %v", c)
	}
}
