package httpserver_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"ccms/internal/httpserver"
)

// secured gives a server the certificate of httptest, and returns a client that
// believes it and speaks HTTP/2 or only HTTP/1.1.
func secured(t *testing.T) (change func(*httpserver.Config), client func(h2 bool) *http.Client) {
	t.Helper()
	example := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(example.Close)
	own, believing := example.TLS.Certificates, example.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	change = func(c *httpserver.Config) { c.TLS = &tls.Config{Certificates: own, MinVersion: tls.VersionTLS12} }
	client = func(h2 bool) *http.Client {
		transport := &http.Transport{ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{RootCAs: believing, ServerName: "example.com", MinVersion: tls.VersionTLS12}}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
	return change, client
}

func TestPlainHTTPIsForLoopbackOnly(t *testing.T) {
	withTLS, _ := secured(t)
	tests := []struct {
		name, addr string
		change     func(*httpserver.Config)
		want       string // of the error; "" for none
	}{
		{"on loopback", "127.0.0.1:0", nil, ""},
		{"on loopback by name", "localhost:0", nil, ""},
		{"on all addresses", ":0", nil, "will not serve plain HTTP off loopback"},
		{"on all addresses of one kind", "0.0.0.0:0", nil, "will not serve plain HTTP off loopback"},
		{"on all addresses, behind a proxy", "0.0.0.0:0", func(c *httpserver.Config) { c.InsecureHTTP = true }, ""},
		{"on all addresses with a certificate", "0.0.0.0:0", withTLS, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			cfg := httpserver.Config{Name: "test", Addr: tc.addr, Handler: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler)}
			if tc.change != nil {
				tc.change(&cfg)
			}
			s, err := httpserver.Listen(t.Context(), cfg)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Fatalf("error %v, want %q", err, tc.want)
			}
			if err == nil {
				ctx, stop := context.WithCancel(t.Context())
				stop()
				_ = s.Run(ctx)
			}
		})
	}
}

// TestLimitsHoldOverTLS would fail if HTTP/2 went around what HTTP/1.1 keeps to.
func TestLimitsHoldOverTLS(t *testing.T) {
	change, client := secured(t)
	s := start(t, change)
	if !strings.HasPrefix(s.URL(), "https://localhost:") {
		t.Errorf("URL %s", s.URL())
	}
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(name, func(t *testing.T) {
			c := client(h2)
			ask := func(method, path, body string, header ...string) (int, string) {
				req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				for i := 0; i < len(header); i += 2 {
					req.Header.Set(header[i], header[i+1])
				}
				if host := req.Header.Get("Host"); host != "" {
					req.Host = host
				}
				res, err := c.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if res.Proto != name {
					t.Errorf("spoke %s", res.Proto)
				}
				b, err := io.ReadAll(res.Body)
				if err != nil {
					t.Error(err)
				}
				return res.StatusCode, string(b)
			}
			const kind, json = "Content-Type", "application/json"
			for _, tc := range []struct {
				name   string
				status int
				want   string
				do     func() (int, string)
			}{
				{"an ordinary request", 201, "Hello", func() (int, string) { return ask("POST", "/greet", `{"name":"x","word":"y"}`, kind, json) }},
				{"a large header", 431, "HEADERS_TOO_LARGE", func() (int, string) { return ask("GET", "/who", "", "X-Large", strings.Repeat("a", 17<<10)) }},
				{"a large body", 413, "PAYLOAD_TOO_LARGE", func() (int, string) {
					return ask("POST", "/greet", `{"name":"`+strings.Repeat("x", 300)+`"}`, kind, json)
				}},
				{"another host", 421, "", func() (int, string) { return ask("GET", "/who", "", "Host", "rebound.example") }},
				{"a panic", 500, "SERVER_ERROR", func() (int, string) { return ask("GET", "/fails/panic", "") }},
			} {
				if status, body := tc.do(); status != tc.status || !strings.Contains(body, tc.want) {
					t.Errorf("%s: %d %s", tc.name, status, body)
				}
			}
		})
	}
	res, err := http.Get(strings.Replace(s.URL(), "https:", "http:", 1) + "/who")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 400 {
		t.Errorf("plain HTTP on the same port: %d", res.StatusCode)
	}
}

// TestAStopOverHTTP2LosesNothing would fail if a stopping server cut a stream it
// had accepted, or held a connection open for ever.
func TestAStopOverHTTP2LosesNothing(t *testing.T) {
	change, client := secured(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	const streams = 20
	entered, release := make(chan struct{}, streams), make(chan struct{})
	mux := httpserver.NewMux(slog.New(slog.DiscardHandler))
	mux.Handle("GET /slow", func(w http.ResponseWriter, _ *http.Request) error {
		entered <- struct{}{}
		<-release
		return httpserver.WriteJSON(w, 200, strings.Repeat("done ", 10_000))
	})
	cfg := httpserver.Config{Name: "test", Addr: "127.0.0.1:0", Handler: mux, Log: slog.New(slog.DiscardHandler)}
	change(&cfg)
	s, err := httpserver.Listen(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	c := client(true)
	warm, err := c.Get(s.URL() + "/") // so that all streams share one connection
	if err != nil {
		t.Fatal(err)
	}
	warm.Body.Close()
	var asking sync.WaitGroup
	for range streams {
		asking.Go(func() {
			res, err := c.Get(s.URL() + "/slow")
			if err != nil {
				t.Errorf("lost: %v", err)
				return
			}
			defer res.Body.Close()
			if b, err := io.ReadAll(res.Body); err != nil || res.ProtoMajor != 2 || len(b) != 50_002 {
				t.Errorf("%s, %d bytes, %v", res.Proto, len(b), err)
			}
		})
	}
	for range streams {
		<-entered
	}
	stop()
	close(release)
	asking.Wait()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	c.CloseIdleConnections()
}

// TestAStopAnswersWhoIsShakingHands would fail if a connection that was accepted
// before the listener closed, and became TLS after it, were cut.
func TestAStopAnswersWhoIsShakingHands(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %t", h2), func(t *testing.T) {
			change, client := secured(t)
			mux := httpserver.NewMux(slog.New(slog.DiscardHandler))
			mux.Handle("GET /hello", func(w http.ResponseWriter, _ *http.Request) error {
				return httpserver.WriteJSON(w, 200, "hello")
			})
			cfg := httpserver.Config{Name: "test", Addr: "127.0.0.1:0", Handler: mux, Log: slog.New(slog.DiscardHandler)}
			change(&cfg)
			begun, closed := make(chan struct{}), make(chan struct{})
			cfg.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
				close(begun)
				<-closed
				return nil, nil
			}
			s, err := httpserver.Listen(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx) }()
			answered := make(chan error, 1)
			go func() {
				res, err := client(h2).Get(s.URL() + "/hello")
				if err == nil {
					err = res.Body.Close()
				}
				answered <- err
			}()
			<-begun
			stop()
			for { // until nobody is let in any more
				c, err := net.Dial("tcp", s.Addr().String())
				if err != nil {
					break
				}
				_ = c.Close()
			}
			close(closed)
			if err := <-answered; err != nil {
				t.Errorf("lost: %v", err)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
