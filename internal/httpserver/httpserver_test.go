package httpserver_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"go.uber.org/goleak"

	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/secret"
)

type greeting struct {
	Name string       `json:"name"`
	Word secret.Bytes `json:"word"`
}

// server is a running Server with every kind of route.
type server struct {
	*httpserver.Server
	log  *bytes.Buffer
	seen chan httpserver.Observation
}

func start(t *testing.T, change func(*httpserver.Config)) *server {
	t.Helper()
	s := &server{log: new(bytes.Buffer), seen: make(chan httpserver.Observation, 100)}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	mux := httpserver.NewMux(log)
	mux.Handle("POST /greet", httpserver.JSON(func(_ *http.Request, in greeting) (httpserver.Message, error) {
		return httpserver.Message{Message: "Hello " + in.Name}, nil
	}, httpserver.JSONOptions{Status: 201, Limit: 200}))
	mux.Handle("GET /cards/{number}", httpserver.JSON(func(r *http.Request, _ httpserver.None) ([]string, error) {
		return []string{r.PathValue("number")}, nil
	}))
	mux.Handle("GET /fails/{how}", func(_ http.ResponseWriter, r *http.Request) error {
		switch r.PathValue("how") {
		case "unknown":
			return errors.New("dial db.internal:27017: 4111111111111111")
		case "panic":
			panic("secret-word")
		case "wait":
			return problem.Throttled(1500 * time.Millisecond)
		case "scope":
			return problem.NeedsScope("cards:read")
		case "role":
			return problem.Denied("Ask somebody else.")
		case "expired":
			return problem.ExpiredToken()
		}
		return problem.NoToken()
	})
	mux.Handle("GET /who", httpserver.JSON(func(r *http.Request, _ httpserver.None) (map[string]any, error) {
		return map[string]any{"client": httpserver.Client(r).String(), "proof": httpserver.Proof(r), "local": httpserver.Local(r)}, nil
	}))
	mux.Handle("GET /internal/thing", httpserver.Internal(httpserver.JSON(func(*http.Request, httpserver.None) (httpserver.Message, error) {
		return httpserver.Message{Message: "in"}, nil
	})))
	mux.Handle("GET /me", httpserver.As(authenticate, httpserver.JSON(func(r *http.Request, _ httpserver.None) (string, error) {
		return identity.FromContext(r.Context()).Subject, nil
	})))
	mux.Handle("/tree/{rest...}", httpserver.JSON(func(r *http.Request, _ httpserver.None) (string, error) {
		return r.PathValue("rest"), nil
	}))
	mux.Handle("GET /{$}", httpserver.JSON(func(*http.Request, httpserver.None) (map[string]int, error) {
		return map[string]int{"e": 5, "c": 3, "a": 1, "d": 4, "b": 2}, nil
	}))
	mux.Handle("GET /once/{secret}", httpserver.JSON(func(*http.Request, httpserver.None) (string, error) { return "", nil }))
	mux.Mount("/raw", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.EscapedPath()) }))
	cfg := httpserver.Config{Name: "test", Addr: "127.0.0.1:0", Handler: mux, Log: log, Observe: func(o httpserver.Observation) { s.seen <- o }}
	if change != nil {
		change(&cfg)
	}
	var err error
	if s.Server, err = httpserver.Listen(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		http.DefaultClient.CloseIdleConnections()
		if err := <-done; err != nil {
			t.Errorf("Run ended with %v", err)
		}
	})
	return s
}

func authenticate(r *http.Request) (identity.Principal, error) {
	if httpserver.Bearer(r) != "good" {
		return identity.Principal{}, problem.NoToken()
	}
	return identity.Principal{Subject: "someone"}, nil
}

func (s *server) do(t *testing.T, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Add(header[i], header[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
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

func TestEveryErrorIsTheContractsObject(t *testing.T) {
	s := start(t, nil)
	const typed = "application/json"
	tests := []struct {
		name, method, path, body string
		header                   []string
		status                   int
		code, message            string
	}{
		{"an unknown path", "GET", "/nowhere", "", nil, 404, "NOT_FOUND", "Resource not found"},
		{"a wrong method", "DELETE", "/greet", "", nil, 405, "METHOD_NOT_ALLOWED", "Method not allowed"},
		{"OPTIONS", "OPTIONS", "/greet", "", nil, 405, "METHOD_NOT_ALLOWED", "Method not allowed"},
		{"a path that is not clean", "GET", "/cards//4111111111111111", "", nil, 404, "NOT_FOUND", "Resource not found"},
		{"a path with dots", "GET", "/x/../cards/1", "", nil, 404, "NOT_FOUND", "Resource not found"},
		{"nothing but slashes", "GET", "//", "", nil, 404, "NOT_FOUND", "Resource not found"},
		{"a path that lacks its slash", "GET", "/tree", "", nil, 404, "NOT_FOUND", "Resource not found"},
		{"a path with a slash too many", "GET", "/me/", "", nil, 404, "NOT_FOUND", "Resource not found"},
		{"a body without a type", "POST", "/greet", "{}", nil, 415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type"},
		{"a form", "POST", "/greet", "a=b", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type"},
		{"another charset", "POST", "/greet", "{}", []string{"Content-Type", typed + "; charset=latin1"}, 415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type"},
		{"a compressed body", "POST", "/greet", "{}", []string{"Content-Type", typed, "Content-Encoding", "gzip"}, 415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type"},
		{"no body", "POST", "/greet", "", []string{"Content-Type", typed}, 400, "VALIDATION_ERROR", "Request validation failed"},
		{"null", "POST", "/greet", "null", []string{"Content-Type", typed}, 400, "VALIDATION_ERROR", "Request validation failed"},
		{"an array", "POST", "/greet", "[]", []string{"Content-Type", typed}, 400, "VALIDATION_ERROR", "Request validation failed"},
		{"two objects", "POST", "/greet", "{}{}", []string{"Content-Type", typed}, 400, "VALIDATION_ERROR", "Request validation failed"},
		{"an unknown member", "POST", "/greet", `{"x":1}`, []string{"Content-Type", typed}, 400, "VALIDATION_ERROR", "Request validation failed"},
		{"a member twice", "POST", "/greet", `{"name":"a","name":"b"}`, []string{"Content-Type", typed}, 400, "VALIDATION_ERROR", "Request validation failed"},
		{"a member in other case", "POST", "/greet", `{"Name":"a"}`, []string{"Content-Type", typed}, 400, "VALIDATION_ERROR", "Request validation failed"},
		{"a wrong type", "POST", "/greet", `{"name":1}`, []string{"Content-Type", typed}, 400, "VALIDATION_ERROR", "Request validation failed"},
		{"invalid UTF-8", "POST", "/greet", "{\"name\":\"\xff\"}", []string{"Content-Type", typed}, 400, "VALIDATION_ERROR", "Request validation failed"},
		{"a lone surrogate", "POST", "/greet", `{"name":"\ud800"}`, []string{"Content-Type", typed}, 400, "VALIDATION_ERROR", "Request validation failed"},
		{"a body over its limit", "POST", "/greet", `{"name":"` + strings.Repeat("a", 200) + `"}`, []string{"Content-Type", typed}, 413, "PAYLOAD_TOO_LARGE", "Request body too large"},
		{"headers over 16 KiB", "GET", "/who", "", []string{"X-Long", strings.Repeat("a", 17<<10)}, 431, "HEADERS_TOO_LARGE", "Request headers too large"},
		{"a failure nobody foresaw", "GET", "/fails/unknown", "", nil, 500, "SERVER_ERROR", "Internal server error"},
		{"a panic", "GET", "/fails/panic", "", nil, 500, "SERVER_ERROR", "Internal server error"},
		{"a throttle", "GET", "/fails/wait", "", nil, 429, "TOO_MANY_REQUESTS", "Too many requests"},
		{"no token", "GET", "/me", "", nil, 401, "UNAUTHORIZED", "Invalid or missing token"},
		{"an internal route", "GET", "/internal/thing", "", nil, 403, "FORBIDDEN", "Access denied"},
		{"a foreign host", "GET", "/who", "", []string{"Host", "evil.example"}, 421, "FORBIDDEN", "Access denied"},
	}
	stamp := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, body := s.do(t, tt.method, tt.path, tt.body, tt.header...)
			var got map[string]string
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("answer %d %q: %v", res.StatusCode, body, err)
			}
			if res.StatusCode != tt.status || got["errorCode"] != tt.code || got["error"] != tt.message {
				t.Errorf("got %d %v", res.StatusCode, got)
			}
			if len(got) != 5 || got["details"] == "" || !stamp.MatchString(got["timestamp"]) {
				t.Errorf("not the five members: %v", got)
			}
			h := res.Header
			if h.Get("Content-Type") != "application/json; charset=utf-8" || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("header %v", h)
			}
			if strings.Contains(body, "4111111111111111") || strings.Contains(body, "secret-word") || strings.Contains(body, "db.internal") {
				t.Errorf("the answer tells too much: %s", body)
			}
		})
	}
	if log := s.log.String(); strings.Contains(log, "4111111111111111") || strings.Contains(log, "secret-word") {
		t.Errorf("the log tells too much: %s", log)
	}
}

func TestHeadersThatGoWithAnError(t *testing.T) {
	s := start(t, nil)
	tests := []struct {
		name, method, path string
		send               []string
		header, want       string
	}{
		{"405 names the methods", "PATCH", "/greet", nil, "Allow", "POST"},
		{"429 rounds Retry-After up", "GET", "/fails/wait", nil, "Retry-After", "2"},
		{"401 without a token challenges", "GET", "/me", nil, "Www-Authenticate", "Bearer"},
		{"401 with a bad token says so", "GET", "/me", []string{"Authorization", "Bearer bad"}, "Www-Authenticate", `Bearer error="invalid_token"`},
		{"401 with two tokens says so", "GET", "/me", []string{"Authorization", "Bearer bad", "Authorization", "bearer bad"}, "Www-Authenticate", `Bearer error="invalid_token"`},
		{"401 with a token in the query says so", "GET", "/me?token=bad", nil, "Www-Authenticate", `Bearer error="invalid_token"`},
		{"401 with another scheme is 401 without a token", "GET", "/me", []string{"Authorization", "Basic YTpi"}, "Www-Authenticate", "Bearer"},
		{"403 names the scope a token lacks", "GET", "/fails/scope", nil, "Www-Authenticate", `Bearer error="insufficient_scope", scope="cards:read"`},
		{"403 of a role challenges nobody", "GET", "/fails/role", nil, "Www-Authenticate", ""},
		{"403 of an expired token says that it is invalid", "GET", "/fails/expired", nil, "Www-Authenticate", `Bearer error="invalid_token"`},
		{"problem details on request", "GET", "/me", []string{"Accept", "application/problem+json"}, "Content-Type", "application/problem+json; charset=utf-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, _ := s.do(t, tt.method, tt.path, "", tt.send...)
			if got := res.Header.Get(tt.header); got != tt.want {
				t.Errorf("%s = %q, want %q", tt.header, got, tt.want)
			}
		})
	}
}

func TestPathsAreMaskedWhereTheyAreShown(t *testing.T) {
	s := start(t, nil)
	tests := []struct{ name, path, want string }{
		{"a card number", "/x/4111111111111111", "/x/************1111"},
		{"with escapes between", "/x/4111%201111-1111%2D1111", "/x/****%20****-****%2D1111"},
		{"escaped digits", "/x/%34111111111111111", "/x/************1111"},
		{"a registration id", "/x/12345678-1234-1234-1234-123456789012", "/x/12345678-1234-1234-1234-123456789012"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, body := s.do(t, "GET", tt.path+"?token=abc", "")
			var got map[string]string
			if err := json.Unmarshal([]byte(body), &got); err != nil || got["path"] != tt.want {
				t.Errorf("path = %q, want %q", got["path"], tt.want)
			}
		})
	}
}

func TestASecretInAPathIsInNoLog(t *testing.T) {
	s := start(t, nil)
	for _, request := range [][2]string{{"GET", "/once/abc-secret"}, {"POST", "/once/abc-secret"}, {"GET", "/once/abc-secret/more"}} {
		s.do(t, request[0], request[1]+"?lang=en", "")
		<-s.seen
	}
	if log := s.log.String(); strings.Contains(log, "abc-secret") || strings.Count(log, "url.path=/once/{secret}") != 3 {
		t.Errorf("the log has %s", log)
	}
}

func TestWhatMayBeASecretIsInNoLogWhereNoRouteWasFound(t *testing.T) {
	const secret = "kZ3mQ7vR1xW9_bN5-cT2pLd8"
	s := start(t, nil)
	for _, path := range []string{"/onec/" + secret, "/" + secret + "/once", "/once%2F" + secret} {
		s.do(t, "GET", path, "")
		<-s.seen
	}
	s.do(t, "GET", "/once/"+secret, "", "Host", "elsewhere.example")
	<-s.seen
	s.do(t, "GET", "/nowhere/at/all", "")
	<-s.seen
	log := s.log.String()
	if strings.Contains(log, secret) || !strings.Contains(log, "url.path=/onec/{hidden}") || !strings.Contains(log, "url.path=/nowhere/at/all") {
		t.Errorf("the log has %s", log)
	}
}

func TestAnswersOfHandlers(t *testing.T) {
	s := start(t, nil)
	tests := []struct {
		name, method, path, body string
		header                   []string
		status                   int
		want                     string
	}{
		{"a decoded body", "POST", "/greet", `{"name":"Jane","word":"x"}`, []string{"Content-Type", "application/json; charset=UTF-8"}, 201, `{"message":"Hello Jane"}`},
		{"a path value with an escaped slash", "GET", "/cards/a%2Fb", "", nil, 200, `["a/b"]`},
		{"a body nobody reads", "GET", "/cards/1", "nonsense", []string{"Content-Type", "text/plain"}, 200, `["1"]`},
		{"the principal", "GET", "/me", "", []string{"Authorization", "bearer good"}, 200, `"someone"`},
		{"a mounted tree gets its path untouched", "GET", "/raw/a%2Fb//..", "", nil, 200, `/raw/a%2Fb//..`},
		{"a map, in the order of its names", "GET", "/", "", nil, 200, `{"a":1,"b":2,"c":3,"d":4,"e":5}`},
		{"HEAD of a GET route", "HEAD", "/cards/1", "", nil, 200, ``},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, body := s.do(t, tt.method, tt.path, tt.body, tt.header...)
			if res.StatusCode != tt.status || body != tt.want {
				t.Errorf("got %d %s", res.StatusCode, body)
			}
		})
	}
}

func TestWhoTheClientIs(t *testing.T) {
	prove := func(r *http.Request) string { return strings.TrimPrefix(r.Header.Get(identity.ProofHeader), "proof-") }
	public, _ := url.Parse("https://pay.example.com")
	tests := []struct {
		name   string
		change func(*httpserver.Config)
		header []string
		want   string
	}{
		{"the peer", nil, nil, `{"client":"127.0.0.1","local":true,"proof":""}`},
		{"a claim nobody vouches for", nil, []string{"X-Forwarded-For", "203.0.113.9"}, `{"client":"127.0.0.1","local":false,"proof":""}`},
		{"the last hop of a trusted proxy", func(c *httpserver.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} },
			[]string{"X-Forwarded-For", "198.51.100.1, 203.0.113.9"}, `{"client":"203.0.113.9","local":false,"proof":""}`},
		{"the last hop when the peer proves itself", func(c *httpserver.Config) { c.Prove = prove },
			[]string{"X-Forwarded-For", "203.0.113.9", identity.ProofHeader, "proof-forward"}, `{"client":"203.0.113.9","local":false,"proof":"forward"}`},
		{"a false proof", func(c *httpserver.Config) { c.Prove = func(*http.Request) string { return "" } },
			[]string{"X-Forwarded-For", "203.0.113.9", identity.ProofHeader, "x"}, `{"client":"127.0.0.1","local":false,"proof":""}`},
		{"a hop that is no address", func(c *httpserver.Config) { c.Prove = prove },
			[]string{"X-Forwarded-For", "unknown", identity.ProofHeader, "proof-forward"}, `{"client":"127.0.0.1","local":false,"proof":"forward"}`},
		{"a public URL elsewhere", func(c *httpserver.Config) { c.PublicURL = public }, nil, `{"client":"127.0.0.1","local":false,"proof":""}`},
		{"the public host", func(c *httpserver.Config) { c.PublicURL = public }, []string{"Host", "pay.example.com"}, `{"client":"127.0.0.1","local":false,"proof":""}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, tt.change)
			res, body := s.do(t, "GET", "/who", "", tt.header...)
			var got map[string]any
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%d %s", res.StatusCode, body)
			}
			text := fmt.Sprintf(`{"client":%q,"local":%v,"proof":%q}`, got["client"], got["local"], got["proof"])
			if text != tt.want {
				t.Errorf("got %s, want %s", text, tt.want)
			}
		})
	}
}

func TestInternalRoutesOpenForTheInternalPurposeOnly(t *testing.T) {
	s := start(t, func(c *httpserver.Config) {
		c.Prove = func(r *http.Request) string { return r.Header.Get(identity.ProofHeader) }
	})
	for purpose, want := range map[string]int{"internal": 200, "forward": 403, "registry": 403} {
		if res, _ := s.do(t, "GET", "/internal/thing", "", identity.ProofHeader, purpose); res.StatusCode != want {
			t.Errorf("purpose %s: %d, want %d", purpose, res.StatusCode, want)
		}
	}
}

func TestObservationsHoldTheRouteAndNeverThePath(t *testing.T) {
	s := start(t, nil)
	s.do(t, "GET", "/cards/4111111111111111", "")
	if o := <-s.seen; o.Route != "GET /cards/{number}" || o.Status != 200 {
		t.Errorf("observed %+v", o)
	}
	s.do(t, "GET", "/nowhere/4111111111111111", "")
	if o := <-s.seen; o.Route != "UNKNOWN" || o.Status != 404 {
		t.Errorf("observed %+v", o)
	}
}

// Who hangs up is no failure of ours, or anybody could make an alarm go off.
func TestACallerWhoHangsUpIsNoFailure(t *testing.T) {
	entered, fails := make(chan struct{}), make(chan struct{})
	s := start(t, func(c *httpserver.Config) {
		mux := httpserver.NewMux(slog.New(slog.DiscardHandler))
		mux.Handle("GET /slow", func(_ http.ResponseWriter, r *http.Request) error {
			entered <- struct{}{}
			select {
			case <-r.Context().Done():
				return r.Context().Err()
			case <-fails:
				return errors.New("disk on fire")
			}
		})
		c.Handler = mux
	})
	ctx, leave := context.WithCancel(t.Context())
	ask := func(ctx context.Context) chan int {
		answered := make(chan int, 1)
		go func() {
			req, _ := http.NewRequestWithContext(ctx, "GET", s.URL()+"/slow", nil)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				answered <- 0
				return
			}
			_ = res.Body.Close()
			answered <- res.StatusCode
		}()
		<-entered
		return answered
	}
	gone := ask(ctx)
	leave()
	if o := <-s.seen; o.Status != 499 || <-gone != 0 {
		t.Errorf("observed %+v", o)
	}
	stays := ask(t.Context())
	close(fails)
	if o := <-s.seen; o.Status != 500 || <-stays != 500 {
		t.Errorf("observed %+v of who waited", o)
	}
}

func TestAnUnreadableRequestIsAnsweredAndAHalfSentBodyIsAnError(t *testing.T) {
	s := start(t, nil)
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "POST /greet HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\n{}\r\n0\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.StatusCode != 400 {
		t.Fatalf("got %v %v", res, err)
	}
	res.Body.Close()
}

func TestAnAddressInUseIsNamedWithWhatToDo(t *testing.T) {
	s := start(t, nil)
	_, err := httpserver.Listen(t.Context(), httpserver.Config{Name: "test", Addr: s.Addr().String(), Log: slog.New(slog.DiscardHandler)})
	if want := "test: listen on " + s.Addr().String() + ": another program listens there: stop it, or give another address"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestAServerThatStopsAnswersWhatItAccepted(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	entered, release := make(chan struct{}), make(chan struct{})
	mux := httpserver.NewMux(slog.New(slog.DiscardHandler))
	mux.Handle("GET /slow", func(w http.ResponseWriter, _ *http.Request) error {
		close(entered)
		<-release
		return httpserver.WriteJSON(w, 200, "done")
	})
	s, err := httpserver.Listen(t.Context(), httpserver.Config{Name: "test", Addr: "127.0.0.1:0", Handler: mux, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended, answered := make(chan error, 1), make(chan string, 1)
	go func() { ended <- s.Run(ctx) }()
	go func() {
		res, err := http.Get(s.URL() + "/slow")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		answered <- string(b)
	}()
	<-entered
	stop()
	close(release)
	if got := <-answered; got != `"done"` {
		t.Errorf("answer %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}
