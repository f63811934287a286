package trust_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ccms/internal/certs"
	"ccms/internal/eureka"
	"ccms/internal/eureka/discovery"
	"ccms/internal/eureka/registry"
	"ccms/internal/httpserver"
	"ccms/internal/trust"
)

const (
	loginName = "login-service"
	cardName  = "creditcard-service"
)

// own trusts certificates of its own making, in a folder.
func own(t *testing.T, folder string) *trust.Trust {
	t.Helper()
	believed, err := trust.Open(trust.Config{Services: []string{eureka.Audience, loginName, cardName}, Own: true, Folder: folder, Names: []string{"localhost"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(believed.CloseIdle)
	return believed
}

// foreignRegistry believes anyone, as one that is not ours may.
func foreignRegistry(t *testing.T) string {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	mux := httpserver.NewMux(log)
	registry.New(registry.Config{Log: log, Authorize: func(*http.Request) bool { return true }}).Routes(mux)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL + "/eureka/"
}

// target counts the requests it gets over TLS with the certificate that the
// authority in the folder gives for name.
func target(t *testing.T, authority, name string) (base string, got *atomic.Int64) {
	t.Helper()
	a, err := certs.OpenAuthority(authority, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pair := certs.Pair{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	if _, err := a.Renew(pair, name); err != nil {
		t.Fatal(err)
	}
	c, err := certs.Open(certs.Config{Pairs: []certs.Pair{pair}})
	if err != nil {
		t.Fatal(err)
	}
	got = new(atomic.Int64)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Add(1)
		_, _ = io.Copy(w, r.Body)
	}))
	// StartTLS would show a certificate of its own to whoever gives no name.
	s.Listener = tls.NewListener(s.Listener, c.Server())
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.Start()
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "http:", "https:", 1), got
}

// register puts an instance into a registry until the test ends.
func register(t *testing.T, registryURL, app, id, base string) {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	in, err := discovery.NewInstance(app, id, u)
	if err != nil {
		t.Fatal(err)
	}
	follow(t, discovery.Config{URLs: []string{registryURL}, Self: in})
}

// follow runs a registry client until the test ends; it returns once the client
// is registered or has seen the apps.
func follow(t *testing.T, cfg discovery.Config, apps ...string) *discovery.Client {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	c, err := discovery.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); wg.Wait() })
	if err := c.Ready(t.Context(), apps...); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestImpostorsGetNoRequest lets a foreign registry name others as the login
// service. It would fail if any of them saw so much as a request line, or if
// the real one were not found among them.
func TestImpostorsGetNoRequest(t *testing.T) {
	ours := t.TempDir()
	believed := own(t, ours)
	clear := trust.NewTransport()
	defer clear.CloseIdleConnections()
	foreign := foreignRegistry(t)
	elsewhere, stolen := target(t, filepath.Join(t.TempDir(), "ca"), trust.NameOf(loginName))
	stray, astray := target(t, ours, trust.NameOf(cardName))
	register(t, foreign, loginName, "a-of-another-authority", elsewhere)
	register(t, foreign, loginName, "b-another-service-of-ours", stray)
	register(t, foreign, loginName, "c-in-the-clear-elsewhere", "http://192.0.2.1:8081")

	c := follow(t, discovery.Config{URLs: []string{foreign}, Secure: believed.Secure()}, loginName)
	if list := c.Instances(loginName); len(list) != 2 {
		t.Errorf("an address in the clear off loopback is believed: %v", list)
	}
	ask := func(method string) (string, error) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+loginName+"/api/customer/login", strings.NewReader("secret"))
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Transport(clear).RoundTrip(req)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return string(b), err
	}
	for _, method := range []string{"POST", "GET"} {
		if got, err := ask(method); err == nil {
			t.Errorf("%s was answered: %s", method, got)
		} else if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
			t.Errorf("%s failed for another reason: %v", method, err)
		}
	}
	genuine, asked := target(t, ours, trust.NameOf(loginName))
	register(t, foreign, loginName, "d-real", genuine)
	c = follow(t, discovery.Config{URLs: []string{foreign}, Secure: believed.Secure()}, loginName) // which sees the new one at once
	for range 6 {                                                                                  // whoever comes first
		if got, err := ask("POST"); err != nil || got != "secret" {
			t.Errorf("the real service is not reached: %q, %v", got, err)
		}
	}
	if n := asked.Load(); n != 6 {
		t.Errorf("the real service got %d requests, want 6", n)
	}
	if stolen.Load() != 0 || astray.Load() != 0 {
		t.Errorf("impostors got %d and %d requests", stolen.Load(), astray.Load())
	}
}

// TestARegistryIsBelievedUnderItsOwnHost would fail if a registry that is not
// ours, with a certificate for its host, could not be used, or if any
// certificate of the authority would do.
func TestARegistryIsBelievedUnderItsOwnHost(t *testing.T) {
	ours := t.TempDir()
	believed := own(t, ours)
	for name, want := range map[string]bool{"127.0.0.1": true, trust.NameOf(eureka.Audience): true, trust.NameOf(loginName): false} {
		base, _ := target(t, ours, name)
		res, err := (&http.Client{Transport: believed.Transport(eureka.Audience)}).Get(base)
		if err == nil {
			res.Body.Close()
		}
		if (err == nil) != want {
			t.Errorf("a registry with a certificate for %s: %v", name, err)
		}
	}
}
