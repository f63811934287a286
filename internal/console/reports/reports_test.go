package reports_test

import (
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ccms/internal/console/backend"
	"ccms/internal/console/frame"
	"ccms/internal/console/reports"
	"ccms/internal/httpserver"
	"ccms/internal/page/session"
	"ccms/internal/secret"
	"ccms/internal/upstream"
)

// services are a login service that knows one firm, and a card service that
// answers a report with body.
type services struct {
	status int
	body   io.Reader
	asked  string // the query of the report
}

func (s *services) RoundTrip(r *http.Request) (*http.Response, error) {
	res := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/csv"}}, Body: io.NopCloser(strings.NewReader(`{"firm_id":"f1","role":"viewer"}`))}
	if r.URL.Path == "/v1/reports/registrations" {
		s.asked = r.URL.RawQuery
		res.StatusCode, res.Body = s.status, io.NopCloser(s.body)
	}
	return res, nil
}

// get asks for a page of the firm as its viewer does.
func get(t *testing.T, s *services, path string) (*http.Response, []byte, error) {
	t.Helper()
	jar, err := session.New(secret.New([]byte(rand.Text() + rand.Text())[:32]), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	ask := backend.New(&upstream.Client{Transport: s, Vouch: func(*http.Request, netip.Addr) {}})
	now := func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }
	f, err := frame.New(frame.Config{Backend: ask, Sessions: jar, Parts: []frame.Part{reports.Part(ask, now)}})
	if err != nil {
		t.Fatal(err)
	}
	mux := httpserver.NewMux(slog.New(slog.DiscardHandler))
	f.Routes(mux)
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	t.Cleanup(server.Close)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/console/firms/f1/test/reports"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	kept := httptest.NewRecorder()
	if err := jar.Set(kept, session.Session{Token: "t", Person: "vera", Expires: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	req.AddCookie(kept.Result().Cookies()[0])
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, body, err
}

const file = "/file?what=registrations&format=csv&from=2026-10-01&to=2026-10-31"

func TestAFileIsPassedOnWhole(t *testing.T) {
	text := strings.Repeat("0123456789abcde\n", 1<<16)
	s := &services{status: http.StatusOK, body: strings.NewReader(text)}
	res, body, err := get(t, s, file)
	if err != nil || string(body) != text {
		t.Errorf("%d bytes of %d, %v", len(body), len(text), err)
	}
	if s.asked != "format=csv&from=2026-10-01&to=2026-11-01" {
		t.Errorf("asked %s: a person's last day counts", s.asked)
	}
	if got := res.Header.Get("Content-Disposition"); got != `attachment; filename="registrations-test-20261001-20261031.csv"` {
		t.Errorf("%s", got)
	}
}

// breaking is a report whose service goes away in the middle.
type breaking struct{ left int }

func (b *breaking) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	b.left--
	return len(p), nil
}

func TestAPartIsNotTakenForTheWhole(t *testing.T) {
	_, body, err := get(t, &services{status: http.StatusOK, body: &breaking{left: 100}}, file)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

func TestWhatIsRefusedIsNoFile(t *testing.T) {
	refused := func() *services {
		return &services{status: http.StatusBadRequest, body: strings.NewReader(`{"error":"Request validation failed","errorCode":"VALIDATION_ERROR","details":"Send the format json, csv or ndjson."}`)}
	}
	for name, path := range map[string]string{
		"by the card service": file + "x",
		"a day there is not":  "/file?what=registrations&format=csv&from=2026-02-30",
		"neither of the two":  "/file?what=cards&format=csv",
	} {
		t.Run(name, func(t *testing.T) {
			res, _, err := get(t, refused(), path)
			if err != nil || res.StatusCode != http.StatusBadRequest || res.Header.Get("Content-Disposition") != "" {
				t.Errorf("%d, %v, %v", res.StatusCode, res.Header, err)
			}
		})
	}
}

func TestALineOfEachMonthIsShown(t *testing.T) {
	s := &services{status: http.StatusOK, body: strings.NewReader(`{"data":[{"day":"2026-09-30","status":"verified","count":2},{"day":"2026-09-01","status":"rejected","count":3}]}`)}
	_, body, err := get(t, s, "?by=month&from=2026-08-15&to=2026-10-02")
	if err != nil || s.asked != "from=2026-08-15&group=day%2Cstatus&to=2026-10-03" {
		t.Errorf("asked %s, %v", s.asked, err)
	}
	for _, line := range []string{"<time>2026-08</time></th><td class=\"number\">0</td>", "<time>2026-09</time></th><td class=\"number\">2</td><td class=\"number\">0</td><td class=\"number\">3</td>", "<time>2026-10</time>"} {
		if !strings.Contains(string(body), line) {
			t.Errorf("no %s in %s", line, body)
		}
	}
}
