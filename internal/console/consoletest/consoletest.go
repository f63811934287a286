// Package consoletest is for tests of the console's pages: the frame and the
// pages under test are real, the services behind them answer as the test says.
package consoletest

import (
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ccms/internal/console/backend"
	"ccms/internal/console/frame"
	"ccms/internal/httpserver"
	"ccms/internal/page/session"
	"ccms/internal/secret"
	"ccms/internal/upstream"
)

// Firm is the path of the pages of the one firm there is, Acme & Sons, in test
// mode.
const Firm = frame.FirmPath + "/f1/test"

// World is a console. Whoever is logged in is called like his role: owner, admin,
// viewer, operator, or stranger for none. As the services do, it lets viewers
// change nothing, and operators see neither clients nor cards.
type World struct {
	// Answers are what the services answer, by "METHOD service path": JSON, or a
	// status before it. Where there is none it is 404. The page of a list after a
	// cursor is by "METHOD service path?cursor=…"; where there is none it is empty,
	// and the last.
	Answers map[string]string
	// Changes are the requests that would have changed something, with their body.
	Changes []string
	// Queries are those of the requests that only read, by path.
	Queries map[string][]string

	t   *testing.T
	mux *httpserver.Mux
	jar *session.Jar
}

// Now is the clock of the pages under test.
func Now() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// New returns a world with the pages of a part.
func New(t *testing.T, answers map[string]string, part func(*backend.Backend) frame.Part) *World {
	t.Helper()
	jar, err := session.New(secret.New([]byte(rand.Text() + rand.Text())[:32]), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &World{Answers: answers, Queries: map[string][]string{}, t: t, mux: httpserver.NewMux(slog.New(slog.DiscardHandler)), jar: jar}
	ask := backend.New(&upstream.Client{Transport: w, Vouch: func(*http.Request, netip.Addr) {}})
	f, err := frame.New(frame.Config{Backend: ask, PublicURL: "https://cards.example", Sessions: jar, Parts: []frame.Part{part(ask)}})
	if err != nil {
		t.Fatal(err)
	}
	f.Routes(w.mux)
	return w
}

const denied = `{"error":"Access denied","errorCode":"FORBIDDEN","details":"Your role does not let you do this."}`

// RoundTrip implements http.RoundTripper: it is the services.
func (w *World) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	who := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	path := r.URL.Host + " " + r.URL.EscapedPath()
	switch {
	case r.URL.RawQuery == "all=true" && who == "operator":
		return answer(http.StatusOK, `{"data":[]}`)
	case r.URL.RawQuery == "all=true":
		return answer(http.StatusForbidden, denied)
	case r.Method == http.MethodGet && path == "login-service /api/firms/f1" && who != "stranger":
		return answer(http.StatusOK, `{"firm_id":"f1","name":"Acme & Sons","role":"`+strings.TrimPrefix(who, "operator")+`"}`)
	case who == "viewer" && r.Method != http.MethodGet, who == "operator" && (r.URL.Host == upstream.Cards || strings.Contains(path, "/clients")):
		return answer(http.StatusForbidden, denied)
	}
	asked := r.Method + " " + path
	if r.Method == http.MethodGet {
		w.Queries[r.URL.Path] = append(w.Queries[r.URL.Path], r.URL.RawQuery)
	} else {
		w.Changes = append(w.Changes, strings.TrimSpace(asked+" "+string(body)))
	}
	cursor := r.URL.Query().Get("cursor")
	if cursor != "" {
		asked += "?cursor=" + cursor
	}
	text, ok := w.Answers[asked]
	switch {
	case !ok && cursor != "":
		return answer(http.StatusOK, `{"data":[]}`)
	case !ok:
		return answer(http.StatusNotFound, `{"error":"Resource not found","errorCode":"NOT_FOUND"}`)
	}
	if status, rest, _ := strings.Cut(text, " "); len(status) == 3 {
		if code, err := strconv.Atoi(status); err == nil {
			return answer(code, rest)
		}
	}
	return answer(http.StatusOK, text)
}

func answer(status int, text string) (*http.Response, error) {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text))}, nil
}

// Refusal is an answer by which a service refuses what a person filled in.
func Refusal(details string) string {
	return `400 {"error":"Request validation failed","errorCode":"VALIDATION_ERROR","details":"` + details + `"}`
}

// Get asks for a page of the firm as somebody's browser does.
func (w *World) Get(who, path string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.send(who, httptest.NewRequest(http.MethodGet, Firm+path, http.NoBody))
}

// Post sends a form of names and values from a page of ours.
func (w *World) Post(who, path string, form ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.post(who, path, "same-origin", form)
}

// PostFromElsewhere sends it from a page of another site.
func (w *World) PostFromElsewhere(who, path string, form ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.post(who, path, "cross-site", form)
}

func (w *World) post(who, path, from string, form []string) *httptest.ResponseRecorder {
	w.t.Helper()
	w.Changes = nil
	values := url.Values{}
	for pair := range slices.Chunk(form, 2) {
		values.Set(pair[0], pair[1])
	}
	r := httptest.NewRequest(http.MethodPost, Firm+path, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", from)
	return w.send(who, r)
}

func (w *World) send(who string, r *http.Request) *httptest.ResponseRecorder {
	w.t.Helper()
	kept := httptest.NewRecorder()
	if err := w.jar.Set(kept, session.Session{Token: who, Person: who, Expires: time.Now().Add(time.Hour)}); err != nil {
		w.t.Fatal(err)
	}
	r.AddCookie(kept.Result().Cookies()[0])
	got := httptest.NewRecorder()
	w.mux.ServeHTTP(got, r)
	return got
}

// Says reports as an error what a page does not say, and with a leading minus
// what it does say.
func Says(t *testing.T, got *httptest.ResponseRecorder, status int, texts ...string) {
	t.Helper()
	if got.Code != status {
		t.Fatalf("%d, want %d:\n%s", got.Code, status, got.Body)
	}
	for _, text := range texts {
		absent, not := strings.CutPrefix(text, "-")
		if strings.Contains(got.Body.String(), absent) == not {
			t.Errorf("page and %q:\n%s", text, got.Body)
		}
	}
}

// ChangesNothing reports as an error what a form changes when a viewer sends it, or
// an owner from another site; shown is what an answer to it must not say.
func (w *World) ChangesNothing(path, shown string, form ...string) {
	w.t.Helper()
	for who, send := range map[string]func(who, path string, form ...string) *httptest.ResponseRecorder{
		"owner": w.PostFromElsewhere, "viewer": w.Post,
	} {
		Says(w.t, send(who, path, form...), http.StatusForbidden, "-"+shown)
		if len(w.Changes) > 0 {
			w.t.Errorf("%s, %s: %q", path, who, w.Changes)
		}
	}
}

// Leads reports as an error when an answer does not lead to a page of the firm,
// or when the services were not asked for exactly this change.
func (w *World) Leads(got *httptest.ResponseRecorder, to, change string) {
	w.t.Helper()
	if got.Code != http.StatusSeeOther || got.Header().Get("Location") != to {
		w.t.Errorf("%d to %s, want %s:\n%s", got.Code, got.Header().Get("Location"), to, got.Body)
	}
	if len(w.Changes) != 1 || w.Changes[0] != change {
		w.t.Errorf("asked %q, want %q", w.Changes, change)
	}
}

// ShownOnce reports as an error a secret that is not shown, is shown twice, may
// be kept by a browser, or has no way on.
func ShownOnce(t *testing.T, got *httptest.ResponseRecorder, shown, onward string) {
	t.Helper()
	Says(t, got, http.StatusOK, `href="`+onward+`"`)
	if n := strings.Count(got.Body.String(), shown); n != 1 {
		t.Errorf("shown %d times:\n%s", n, got.Body)
	}
	h := got.Header()
	if h.Get("Cache-Control") != "no-store" || strings.Contains(h.Get("Location")+h.Get("Set-Cookie"), shown) {
		t.Errorf("header %v", h)
	}
}
