package boot

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"ccms/internal/certs"
	"ccms/internal/config"
	"ccms/internal/eureka/discovery"
	"ccms/internal/eureka/registry"
	"ccms/internal/httpserver"
)

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
	g := newStage(t.Context(), func(err error) { t.Error(err) })
	g.start(c.Run)
	t.Cleanup(g.stop)
	if err := c.Ready(t.Context(), apps...); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestImpostorsGetNoRequest lets a foreign registry name others as the login
// service. It would fail if any of them saw so much as a request line, or if
// the real one were not found among them.
func TestImpostorsGetNoRequest(t *testing.T) {
	s := settings(t)
	p, err := newProcess(Start{Settings: s, OwnTLS: true, Console: Console{Err: t.Output()}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	ours := p.dir.File("tls")
	foreign := foreignRegistry(t)
	elsewhere, stolen := target(t, filepath.Join(t.TempDir(), "ca"), ownName(loginName))
	stray, astray := target(t, ours, ownName(cardName))
	register(t, foreign, loginName, "a-of-another-authority", elsewhere)
	register(t, foreign, loginName, "b-another-service-of-ours", stray)
	register(t, foreign, loginName, "c-in-the-clear-elsewhere", "http://192.0.2.1:8081")

	c := follow(t, discovery.Config{URLs: []string{foreign}, Secure: p.trust.secure()}, loginName)
	if list := c.Instances(loginName); len(list) != 2 {
		t.Errorf("an address in the clear off loopback is believed: %v", list)
	}
	ask := func(method string) (string, error) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+loginName+"/api/customer/login", strings.NewReader("secret"))
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Transport(p.base).RoundTrip(req)
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
	genuine, asked := target(t, ours, ownName(loginName))
	register(t, foreign, loginName, "d-real", genuine)
	c = follow(t, discovery.Config{URLs: []string{foreign}, Secure: p.trust.secure()}, loginName) // which sees the new one at once
	for range 6 {                                                                                 // whoever comes first
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
	p, err := newProcess(Start{Settings: settings(t), OwnTLS: true, Console: Console{Err: t.Output()}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for name, want := range map[string]bool{"127.0.0.1": true, "eureka.ccms.internal": true, "login-service.ccms.internal": false} {
		base, _ := target(t, p.dir.File("tls"), name)
		res, err := (&http.Client{Transport: p.trust.transports["eureka"]}).Get(base)
		if err == nil {
			res.Body.Close()
		}
		if (err == nil) != want {
			t.Errorf("a registry with a certificate for %s: %v", name, err)
		}
	}
}

// TestReloadKeepsWhatWorks would fail if a bad certificate or bad settings took
// the place of good ones, or if a good one did not.
func TestReloadKeepsWhatWorks(t *testing.T) {
	dir := t.TempDir()
	pair := certs.Pair{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	ca := filepath.Join(dir, "ca")
	issue := func() {
		t.Helper()
		a, err := certs.OpenAuthority(ca, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(pair.Cert)
		if _, err := a.Renew(pair, ownName(loginName)); err != nil {
			t.Fatal(err)
		}
	}
	issue()
	s := settings(t, "tls.cert-file", pair.Cert, "tls.key-file", pair.Key, "tls.ca-file", filepath.Join(ca, "ca.pem"), "log.level", "warn", "log.format", "json")
	newer, wrong := s, error(nil)
	var log bytes.Buffer
	p, err := newProcess(Start{Settings: s, Reread: func() (config.Settings, error) { return newer, wrong }, Console: Console{Err: &log}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	first := p.trust.Fingerprint()

	good, err := os.ReadFile(pair.Cert)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(pair.Cert, good[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	p.reloadCertificates()
	if p.trust.Fingerprint() != first || !strings.Contains(log.String(), "the old ones hold") {
		t.Errorf("after a bad certificate: %s", log.String())
	}
	log.Reset()
	issue()
	p.reloadCertificates()
	if p.trust.Fingerprint() == first || log.Len() > 0 {
		t.Errorf("after a good one: still %s: %s", first, log.String())
	}

	wrong = errors.New("ccms.yaml:1: nonsense")
	p.rereadSettings()
	if !strings.Contains(log.String(), "nonsense") || p.log.Enabled(t.Context(), slog.LevelInfo) {
		t.Errorf("after bad settings: %s", log.String())
	}
	log.Reset()
	wrong, newer.Log.Level, newer.Login.LockAfter = nil, slog.LevelDebug, 7
	p.rereadSettings()
	if !p.log.Enabled(t.Context(), slog.LevelDebug) || !strings.Contains(log.String(), `"login.lock-after"`) || !strings.Contains(log.String(), `"log.level"`) {
		t.Errorf("after good settings: %s", log.String())
	}
}

// TestCertificatesThatKeepAProcessFromStarting are told in one line.
func TestCertificatesThatKeepAProcessFromStarting(t *testing.T) {
	dir := t.TempDir()
	a, err := certs.OpenAuthority(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	pair := certs.Pair{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	if _, err := a.Renew(pair, "localhost"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(pair.Key, 0o644); err != nil { //nolint:gosec // that is the point
		t.Fatal(err)
	}
	s := settings(t, "tls.cert-file", pair.Cert, "tls.key-file", pair.Key)
	err = Up(context.Background(), Start{Settings: s, Console: Console{Out: io.Discard, Err: t.Output()}})
	if err == nil || !strings.Contains(err.Error(), "others may read "+pair.Key) || strings.Contains(err.Error(), "\n") {
		t.Errorf("a key that others may read: %v", err)
	}
}

func TestTheAddressTowardsTheRegistry(t *testing.T) {
	for _, tc := range []struct {
		name     string
		registry []string
		here     bool // or at least nothing to go by
	}{
		{"a registry here", []string{"http://127.0.0.1:8761/eureka/"}, true},
		{"a registry here by name", []string{"http://localhost:8761/eureka/"}, true},
		{"no registry", nil, true},
		{"a registry that cannot be found", []string{"http://registry.invalid:8761/eureka/"}, true},
		{"a registry elsewhere", []string{"http://192.0.2.1:8761/eureka/"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := (&process{registry: tc.registry}).towardsRegistry()
			// A machine without a route to elsewhere has no address to give.
			if got != "" && (tc.here || net.ParseIP(got) == nil || discovery.LoopbackHost(got)) {
				t.Errorf("got %q", got)
			}
		})
	}
}
