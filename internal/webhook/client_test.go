package webhook_test

import (
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ccms/internal/secret"
	"ccms/internal/webhook"
)

var (
	longHost = strings.Repeat(strings.Repeat("a", 60)+".", 5) + "example"
	longPath = strings.Repeat("a", 2048)
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func isAddress(host string) bool { _, err := netip.ParseAddr(host); return err == nil }

// endpoint is a firm's server, and a client that may call it.
func endpoint(t *testing.T, cfg webhook.ClientConfig, h http.HandlerFunc) (*httptest.Server, *webhook.Client) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	cfg.AllowPrivate = true
	return server, newClient(t, cfg)
}

func newClient(t *testing.T, cfg webhook.ClientConfig) *webhook.Client {
	c := webhook.NewClient(cfg)
	t.Cleanup(c.Close)
	return c
}

func post(ctx context.Context, c *webhook.Client, url string) (webhook.Answer, error) {
	return c.Post(ctx, webhook.Delivery{Mode: "test", URL: url, ID: "msg_1", Body: []byte(`{"type":"webhook.test"}`)})
}

func class(err error) string {
	if f, ok := errors.AsType[*webhook.Failure](err); ok {
		return f.Class
	}
	return fmt.Sprint(err)
}

func TestAPostIsSignedAndSentAsItIs(t *testing.T) {
	key, old := webhook.NewSecret(), webhook.NewSecret()
	at := time.Unix(1_800_000_000, 0)
	var got *http.Request
	var body []byte
	server, c := endpoint(t, webhook.ClientConfig{Now: func() time.Time { return at }}, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "thanks")
	})
	answer, err := c.Post(t.Context(), webhook.Delivery{
		Mode: "test", URL: server.URL + "/hook?a=b", ID: "msg_1", Body: []byte(`{"n":1}`), Keys: []secret.Bytes{key, old},
	})
	if err != nil || answer.Status != 202 || string(answer.Body) != "thanks" || answer.Header.Get("Retry-After") != "7" {
		t.Fatalf("%+v, %v", answer, err)
	}
	for _, k := range []secret.Bytes{key, old} {
		if err := webhook.Verify(got.Header, body, at, k); err != nil {
			t.Error(err)
		}
	}
	if got.Method != "POST" || got.RequestURI != "/hook?a=b" || string(body) != `{"n":1}` || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s %v %s", got.Method, got.RequestURI, got.Header, body)
	}
	if got.Header.Get("Accept-Encoding") != "" || got.Header.Get("Cookie") != "" || !strings.HasPrefix(got.UserAgent(), "CCMS-") {
		t.Errorf("header %v", got.Header)
	}
}

func TestWhatEndpointsDo(t *testing.T) {
	hijack := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	}
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		status  int
		class   string
	}{
		{"a refusal is an answer", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, 500, ""},
		{"a redirect is an answer and not followed", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				panic("followed")
			}
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, 307, ""},
		{"64 KiB are taken", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 64<<10)) }, 200, ""},
		{"one byte more is too large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 64<<10+1)) }, 0, "too_large"},
		{"an endless answer is too large", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		}, 0, "too_large"},
		{"an endless header is too large", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("a", 32<<10))
		}, 0, "too_large"},
		{"a connection closed at once is unreachable", hijack(""), 0, "unreachable"},
		{"a connection closed in the answer is unreachable", hijack("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), 0, "unreachable"},
		{"what is no HTTP is unreachable", hijack("hello\r\n\r\n"), 0, "unreachable"},
		{"no answer at all is too slow", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body) // only then is the client's departure noticed
			<-r.Context().Done()
		}, 0, "too_slow"},
		{"an answer that drips is too slow", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			_, _ = io.WriteString(w, "{")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, 0, "too_slow"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var cfg webhook.ClientConfig
			if tt.class == webhook.TooSlow {
				cfg.Total = 100 * time.Millisecond
			}
			server, c := endpoint(t, cfg, tt.handler)
			answer, err := post(t.Context(), c, server.URL)
			if tt.class == "" && (err != nil || answer.Status != tt.status) || tt.class != "" && class(err) != tt.class {
				t.Errorf("%d, %v", answer.Status, err)
			}
		})
	}
}

func TestACompressedAnswerIsNotInflated(t *testing.T) {
	server, c := endpoint(t, webhook.ClientConfig{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(make([]byte, 4<<20))
		_ = z.Close()
	})
	answer, err := post(t.Context(), c, server.URL)
	if err != nil || len(answer.Body) > 64<<10 || answer.Body[0] != 0x1f {
		t.Errorf("%d bytes, %v", len(answer.Body), err)
	}
}

// TestASlowAnswerEndsInTime is an endpoint that keeps us waiting byte by byte,
// where nothing of the answer counts but its status.
func TestASlowAnswerEndsInTime(t *testing.T) {
	for _, tt := range []struct {
		name, begins string
		status       int
		class        string
	}{
		{"in its status", "HTTP/1.1 20", 0, "too_slow"},
		{"in its header", "HTTP/1.1 200 OK\r\nX: ", 0, "too_slow"},
		{"in interim answers", "HTTP/1.1 103 Early Hints\r\n\r\n", 0, "too_slow"},
		{"in its body", "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n", 200, ""},
		{"in the size of a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, c := endpoint(t, webhook.ClientConfig{StatusOnly: true, Total: 300 * time.Millisecond}, func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					panic(err)
				}
				defer conn.Close()
				_, err = io.WriteString(conn, tt.begins)
				for tick := time.NewTicker(5 * time.Millisecond); err == nil; <-tick.C {
					_, err = io.WriteString(conn, "a")
				}
			})
			began := time.Now()
			answer, err := post(t.Context(), c, server.URL)
			if tt.class == "" && err != nil || tt.class != "" && class(err) != tt.class || answer.Status != tt.status {
				t.Errorf("%d, %v", answer.Status, err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestPrivateAddressesAreNotCalled(t *testing.T) {
	var called atomic.Int32
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	for _, resolved := range []string{"127.0.0.1", "169.254.169.254", "10.0.0.1", "0.0.0.0"} {
		c := newClient(t, webhook.ClientConfig{Roots: roots, Resolver: resolver(func() string { return resolved })})
		if _, err := post(t.Context(), c, "https://example.com:"+port+"/"); class(err) != "guarded" {
			t.Errorf("a name that leads to %s: %v", resolved, err)
		}
	}
	if _, err := post(t.Context(), newClient(t, webhook.ClientConfig{}), server.URL); class(err) != "unacceptable" {
		t.Errorf("a literal: %v", err)
	}
	if n := called.Load(); n > 0 {
		t.Errorf("called %d times", n)
	}
	c := newClient(t, webhook.ClientConfig{Roots: roots, AllowPrivate: true, Resolver: resolver(func() string { return "127.0.0.1" })})
	if _, err := post(t.Context(), c, "https://example.com:"+port+"/"); err != nil || called.Load() != 1 {
		t.Errorf("where it is allowed: %v", err)
	}
}

// TestANameThatLeadsElsewhereTheSecondTime is DNS rebinding: the first look-up
// is harmless, the second is not.
func TestANameThatLeadsElsewhereTheSecondTime(t *testing.T) {
	server, _ := endpoint(t, webhook.ClientConfig{}, func(http.ResponseWriter, *http.Request) {})
	var looked atomic.Int32
	c := newClient(t, webhook.ClientConfig{AllowPrivate: true, Resolver: resolver(func() string {
		if looked.Add(1) == 1 {
			return "127.0.0.1"
		}
		return "169.254.169.254"
	})})
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	if _, err := post(t.Context(), c, "http://rebind.example:"+port+"/"); err != nil {
		t.Fatal(err)
	}
	c.Close() // the connection that is kept
	if _, err := post(t.Context(), c, "http://rebind.example:"+port+"/"); class(err) != "guarded" {
		t.Errorf("got %v", err)
	}
}

func TestNamesNobodyKnows(t *testing.T) {
	c := newClient(t, webhook.ClientConfig{Resolver: resolver(func() string { return "" })})
	if _, err := post(t.Context(), c, "https://nobody.example/"); class(err) != "unknown_host" {
		t.Errorf("got %v", err)
	}
}

// resolver answers every question for an IPv4 address with what it is told, ""
// for an unknown name: a name server of one connection (RFC 1035).
func resolver(address func() string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			var size [2]byte
			if _, err := io.ReadFull(server, size[:]); err != nil {
				return
			}
			q := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(server, q); err != nil {
				return
			}
			_, _ = server.Write(nameAnswer(q, address))
		}()
		return client, nil
	}}
}

func nameAnswer(q []byte, address func() string) []byte {
	end := 12
	for q[end] != 0 {
		end += int(q[end]) + 1
	}
	end += 5 // the root's label, type and class
	a := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
	if binary.BigEndian.Uint16(q[end-4:]) == 1 { // type A
		if text := address(); text == "" {
			a[3] = 0x83 // no such name
		} else {
			a[7] = 1
			ip := netip.MustParseAddr(text).As4()
			a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
			a = append(a, ip[:]...)
		}
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(a))), a...)
}

func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	defer server.Close()
	old := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	old.Config.ErrorLog = quiet()
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10} //nolint:gosec // the point of it
	old.StartTLS()
	defer old.Close()
	past := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	past.Config.ErrorLog = quiet()
	expired := newCertificate(t, time.Now().Add(-time.Hour))
	past.TLS = &tls.Config{Certificates: []tls.Certificate{expired}}
	past.StartTLS()
	defer past.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	roots.AddCert(expired.Leaf)
	for _, tt := range []struct {
		name, url, class string
		roots            *x509.CertPool
	}{
		{"a certificate of an authority we believe", server.URL, "<nil>", roots},
		{"a certificate of another authority", server.URL, "untrusted", x509.NewCertPool()},
		{"a certificate for another name", strings.Replace(server.URL, "127.0.0.1", "localhost", 1), "untrusted", roots},
		{"a certificate that has expired", past.URL, "untrusted", roots},
		{"TLS 1.1", old.URL, "unreachable", roots},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, webhook.ClientConfig{AllowPrivate: true, Roots: tt.roots})
			if _, err := post(t.Context(), c, tt.url); class(err) != tt.class {
				t.Errorf("got %v", err)
			}
		})
	}
}

// newCertificate signs itself, for 127.0.0.1 until a time.
func newCertificate(t *testing.T, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: until.Add(-time.Hour), NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestNoProxyIsTakenFromTheEnvironment(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	c := newClient(t, webhook.ClientConfig{Resolver: resolver(func() string { return "10.0.0.1" })})
	for _, url := range []string{"https://firm.example/", "https://10.0.0.1/"} {
		if _, err := post(t.Context(), c, url); class(err) != "guarded" && class(err) != "unacceptable" {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestACallerWhoLeavesIsNoFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server, c := endpoint(t, webhook.ClientConfig{}, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		cancel()
		<-r.Context().Done()
	})
	if _, err := post(ctx, c, server.URL); err != context.Canceled {
		t.Errorf("got %v", err)
	}
}

func TestFailuresNameNothing(t *testing.T) {
	c := newClient(t, webhook.ClientConfig{AllowPrivate: true, Connect: time.Second, Resolver: resolver(func() string { return "" })})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	_ = l.Close()
	for _, url := range []string{"http://" + closed + "/canary", "http://canary.example/canary", "http://canary:canary@127.0.0.1/"} {
		_, err := post(t.Context(), c, url)
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "canary") || strings.Contains(err.Error(), "127.0") {
			t.Errorf("got %v", err)
		}
	}
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
