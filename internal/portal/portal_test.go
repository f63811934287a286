package portal

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/page/session"
	"ccms/internal/secret"
	"ccms/internal/upstream"
)

// behind is a real HTTP server that stands for the services; the transport
// sends every service's name to it.
type behind struct {
	seen   chan *http.Request
	answer func(w http.ResponseWriter, r *http.Request)
	base   string
}

func (b *behind) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.base == "" {
		return nil, errors.New("no instance")
	}
	out := r.Clone(r.Context())
	out.Header.Set("X-Service", r.URL.Host)
	out.URL.Host = b.base
	return http.DefaultTransport.RoundTrip(out)
}

func startPortal(t *testing.T, b *behind) string {
	t.Helper()
	b.seen = make(chan *http.Request, 10)
	services := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.seen <- r
		b.answer(w, r)
	}))
	t.Cleanup(services.Close)
	u, _ := url.Parse(services.URL)
	b.base = u.Host
	sessions, err := session.New(secret.New(bytes.Repeat([]byte{1}, 32)), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	edge, err := New(Config{
		Sessions:  sessions,
		Transport: b,
		Vouch:     func(r *http.Request, client netip.Addr) { r.Header.Set("X-Forwarded-For", client.String()) },
		PublicURL: "http://localhost:5000",
		Log:       slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := httpserver.NewMux(slog.New(slog.DiscardHandler))
	edge.Routes(mux)
	s, err := httpserver.Listen(t.Context(), httpserver.Config{Name: "portal", Addr: "127.0.0.1:0", Handler: mux, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() { stop(); http.DefaultClient.CloseIdleConnections(); <-done })
	return s.URL()
}

func fetch(t *testing.T, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

func TestEachPathGoesToTheServiceThatHasIt(t *testing.T) {
	b := &behind{answer: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") }}
	base := startPortal(t, b)
	for path, service := range map[string]string{
		"/api/customer/login":                   upstream.Login,
		"/api/customer/jwt/validate?token=a":    upstream.Login,
		"/api/account":                          upstream.Login,
		"/api/account/sessions/1":               upstream.Login,
		"/.well-known/jwks.json":                upstream.Login,
		"/api/customer/creditcard":              upstream.Cards,
		"/api/customer/creditcard/a%2Fb/toggle": upstream.Cards,
		"/api/creditcards":                      upstream.Cards,
	} {
		if res, _ := fetch(t, "POST", base+path, "{}"); res.StatusCode != 200 {
			t.Errorf("%s: %d", path, res.StatusCode)
			continue
		}
		got := <-b.seen
		if got.Header.Get("X-Service") != service || got.RequestURI != path {
			t.Errorf("%s went to %s as %s", path, got.Header.Get("X-Service"), got.RequestURI)
		}
	}
	for _, path := range []string{"/internal/verification?token=a", "/actuator/shutdown", "/api/other", "/eureka/apps"} {
		if res, _ := fetch(t, "GET", base+path, ""); res.StatusCode != 404 || len(b.seen) > 0 {
			t.Errorf("%s: %d, passed on: %d", path, res.StatusCode, len(b.seen))
		}
	}
}

func TestOnlyThePortalSaysWhoTheClientIs(t *testing.T) {
	b := &behind{answer: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "theirs")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(429)
	}}
	base := startPortal(t, b)
	res, _ := fetch(t, "POST", base+"/api/customer/login", "{}",
		"X-Forwarded-For", "203.0.113.9", "Forwarded", "for=203.0.113.9", "X-Real-Ip", "203.0.113.9", "X-Forwarded-Host", "evil.example",
		identity.ProofHeader, "forged", "Cookie", "session=1", "X-Request-Id", "chosenbyclient")
	if res.StatusCode != 429 || res.Header.Get("Retry-After") != "7" {
		t.Errorf("the answer did not pass: %d %v", res.StatusCode, res.Header)
	}
	if ids := res.Header.Values("X-Request-Id"); len(ids) != 1 || ids[0] == "theirs" || ids[0] == "chosenbyclient" {
		t.Errorf("request ids %v", ids)
	}
	got := <-b.seen
	if got.Header.Get("X-Forwarded-For") != "127.0.0.1" {
		t.Errorf("passed on as %v", got.Header)
	}
	for _, name := range []string{"Forwarded", "X-Real-Ip", "X-Forwarded-Host", "X-Request-Id", identity.ProofHeader, "Cookie"} {
		if v := got.Header.Get(name); v != "" {
			t.Errorf("%s was passed on: %s", name, v)
		}
	}
}

func TestAServiceThatCannotBeReachedIsUnavailable(t *testing.T) {
	b := &behind{}
	base := startPortal(t, b)
	b.base = ""
	res, body := fetch(t, "GET", base+"/api/account", "")
	if res.StatusCode != 503 || !strings.Contains(body, `"SERVICE_UNAVAILABLE"`) || res.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v %s", res.StatusCode, res.Header, body)
	}
}

func TestAClientWhoBreaksOffHisBodyIsToldSo(t *testing.T) {
	for name, body := range map[string]string{
		"of a length that is known": "Content-Length: 9\r\n\r\n{}",
		"in chunks":                 "Transfer-Encoding: chunked\r\n\r\n9\r\n{}",
	} {
		t.Run(name, func(t *testing.T) {
			b := &behind{answer: func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) }}
			base := startPortal(t, b)
			c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = io.WriteString(c, "POST /api/customer/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+body)
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if text, _ := io.ReadAll(res.Body); res.StatusCode != 400 || !strings.Contains(string(text), `"VALIDATION_ERROR"`) {
				t.Errorf("%d %s", res.StatusCode, text)
			}
		})
	}
}

func problemAnswer(status int, code, details string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"error":"e","errorCode":"`+code+`","timestamp":"t","path":"/","details":"`+details+`"}`)
	}
}

func TestThePagesSayWhatHappened(t *testing.T) {
	found := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"username":"jane<script>"}`) }
	done := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"message":"ok"}`) }
	const form = "newPassword=a&confirmPassword=b"
	tests := []struct {
		name, method, path, body string
		answer                   func(http.ResponseWriter, *http.Request)
		status                   int
		shows                    string
	}{
		{"the confirm page names the account", "GET", "/verify?token=a", "", found, 200, "jane&lt;script&gt;"},
		{"confirmed", "POST", "/verify?token=a", "", done, 200, "is confirmed"},
		{"an expired link", "GET", "/verify?token=a", "", problemAnswer(400, "TOKEN_EXPIRED", "d"), 400, "has expired"},
		{"an unknown link", "POST", "/verify?token=a", "", problemAnswer(404, "TOKEN_NOT_FOUND", "d"), 404, "do not know this link"},
		{"half a link", "GET", "/verify", "", problemAnswer(400, "INVALID_TOKEN", "d"), 400, "incomplete"},
		{"the login service is away", "GET", "/verify?token=a", "", problemAnswer(503, "SERVICE_UNAVAILABLE", "Try later."), 503, "One of our systems does not answer"},
		{"the login service talks nonsense", "GET", "/verify?token=a", "", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, 500, "Something went wrong on our side"},
		{"a form for a new password", "GET", "/reset-password?token=a", "", nil, 200, `autocomplete="new-password"`},
		{"no token, no form", "GET", "/reset-password", "", nil, 400, "does not work"},
		{"changed", "POST", "/reset-password?token=a", form, done, 200, "Log in with the new password"},
		{"not the same", "POST", "/reset-password?token=a", form, problemAnswer(400, "PASSWORD_MISMATCH", "d"), 400, `href="#confirmPassword"`},
		{"too weak", "POST", "/reset-password?token=a", form, problemAnswer(400, "WEAK_PASSWORD", "d"), 400, "Choose another password"},
		{"a used link", "POST", "/reset-password?token=a", form, problemAnswer(400, "INVALID_TOKEN", "d"), 400, "does not work"},
		{"a page nobody has", "GET", "/none", "", nil, 404, "Page not found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := &behind{answer: tt.answer}
			base := startPortal(t, b)
			res, body := fetch(t, tt.method, base+tt.path, tt.body, "Accept", "text/html", "Content-Type", "application/x-www-form-urlencoded")
			if res.StatusCode != tt.status || !strings.Contains(body, tt.shows) {
				t.Errorf("%d, does not show %q:\n%s", res.StatusCode, tt.shows, body)
			}
			h := res.Header
			if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none';") || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store" {
				t.Errorf("header %v", h)
			}
			if strings.Contains(body, "token=") || strings.Count(body, "<script") != strings.Count(body, `<script type="module" src="/assets/`) {
				t.Errorf("the page holds a token or a script of its own:\n%s", body)
			}
			if strings.Contains(body, "Error: ") != strings.Contains(body, "There is a problem") {
				t.Error("title and summary disagree about an error")
			}
		})
	}
}

func TestAFormOfAnotherSiteIsRefused(t *testing.T) {
	b := &behind{}
	base := startPortal(t, b)
	for _, path := range []string{"/verify?token=a", "/reset-password?token=a"} {
		res, _ := fetch(t, "POST", base+path, "", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
		if res.StatusCode != 403 || len(b.seen) > 0 {
			t.Errorf("%s: %d, asked: %d", path, res.StatusCode, len(b.seen))
		}
	}
	res, _ := fetch(t, "POST", base+"/reset-password?token=a", "newPassword="+strings.Repeat("a", 20<<10), "Content-Type", "application/x-www-form-urlencoded")
	if res.StatusCode != 413 {
		t.Errorf("a huge form: %d", res.StatusCode)
	}
}

func TestTheStylesheetIsKeptForEverUnderItsName(t *testing.T) {
	base := startPortal(t, &behind{})
	_, body := fetch(t, "GET", base+"/", "", "Accept", "text/html")
	_, rest, ok := strings.Cut(body, `href="/assets/`)
	name, _, _ := strings.Cut(rest, `"`)
	if !ok || name == "" {
		t.Fatalf("no stylesheet in %s", body)
	}
	res, css := fetch(t, "GET", base+"/assets/"+name, "")
	if res.StatusCode != 200 || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") || !strings.Contains(css, "focus-visible") {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	if res, _ := fetch(t, "GET", base+"/assets/other.css", ""); res.StatusCode != 404 {
		t.Errorf("another name: %d", res.StatusCode)
	}
}
