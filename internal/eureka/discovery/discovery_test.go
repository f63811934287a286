package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/eureka/discovery"
	"ccms/internal/eureka/registry"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
)

// site is a registry that can be stopped, restarted and replaced at one
// address, as a process can.
type site struct {
	t    *testing.T
	addr string

	mu    sync.Mutex
	reg   *registry.Registry
	srv   *httptest.Server
	calls atomic.Int64
	wrap  func(http.Handler) http.Handler
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, addr: "127.0.0.1:0"}
	s.start(registry.Config{})
	t.Cleanup(s.stop)
	return s
}

func proven(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get(identity.ProofHeader), "eureka ")
}

func (s *site) start(cfg registry.Config) {
	s.t.Helper()
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	cfg.Log, cfg.Authorize = slog.New(slog.DiscardHandler), proven
	reg := registry.New(cfg)
	mux := httpserver.NewMux(cfg.Log)
	reg.Routes(mux)
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		mux.ServeHTTP(w, r)
	})
	if s.wrap != nil {
		h = s.wrap(h)
	}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	srv.Start()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr, s.reg, s.srv = l.Addr().String(), reg, srv
}

func (s *site) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.srv.CloseClientConnections()
	s.srv.Close()
}

func (s *site) url() string { return "http://" + s.addr + "/eureka/" }

// app asks the registry itself.
func (s *site) app(name string) string {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), "GET", s.url()+"apps/"+name, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode == http.StatusNotFound {
		return ""
	}
	return string(b)
}

// sign stands for the real proof: it shows what it was made for.
func sign(audience, method, path string) (string, error) {
	return audience + " " + method + " " + path, nil
}

// service is an instance that answers with its name.
func service(t *testing.T, name string) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s %s", name, r.Method, r.Host, r.URL.Path, b)
	}))
	t.Cleanup(srv.Close)
	return srv
}

func self(t *testing.T, app, id, base string) *eureka.Instance {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	in, err := discovery.NewInstance(app, id, u)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// client runs a Client and returns it with a function that stops it and waits.
func client(t *testing.T, cfg discovery.Config) (*discovery.Client, func()) {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	if cfg.FetchEvery == 0 {
		cfg.FetchEvery = 20 * time.Millisecond
	}
	if cfg.WatchFor == 0 {
		cfg.WatchFor = 20 * time.Millisecond
	}
	if cfg.RenewEvery == 0 {
		cfg.RenewEvery = 50 * time.Millisecond
	}
	cfg.Sign = sign
	c, err := discovery.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return c, stop
}

func ready(t *testing.T, c *discovery.Client, apps ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := c.Ready(ctx, apps...); err != nil {
		t.Fatal(err)
	}
}

// until waits for a condition the network brings about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("never: " + what)
		}
	}
}

// get sends a request through the client's transport.
func get(t *testing.T, c *discovery.Client, method, target string, body io.Reader) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Transport(nil).RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func TestServicesRegisterAndFindEachOther(t *testing.T) {
	s := newSite(t)
	login, card := service(t, "login"), service(t, "card")
	a, stop := client(t, discovery.Config{URLs: []string{s.url()}, Self: self(t, "LOGIN-SERVICE", "l/1", login.URL)})
	b, _ := client(t, discovery.Config{URLs: []string{s.url()}, Self: self(t, "CREDITCARD-SERVICE", "c", card.URL)})
	start := time.Now()
	ready(t, a, "creditcard-service")
	ready(t, b, "LOGIN-SERVICE")
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	got, err := get(t, b, "POST", "http://login-service/api/x", strings.NewReader("in"))
	host := strings.TrimPrefix(login.URL, "http://")
	if err != nil || got != "login POST "+host+" /api/x in" {
		t.Errorf("%q, %v", got, err)
	}
	in := b.Instances("Login-Service")[0]
	if *in.HomePageURL != login.URL+"/" || *in.StatusPageURL != login.URL+"/actuator/info" || *in.HealthCheckURL != login.URL+"/actuator/health" ||
		in.IPAddr != "127.0.0.1" || in.HostName != "localhost" || in.Lease.Duration != 90 || in.Lease.RenewalInterval != 30 {
		t.Errorf("got %+v", in)
	}
	stop()
	if got := s.app("LOGIN-SERVICE"); got != "" {
		t.Errorf("still registered: %s", got)
	}
	until(t, "the other service forgets who left", func() bool { return len(b.Instances("LOGIN-SERVICE")) == 0 })
}

func TestTheRegistryMayComeLater(t *testing.T) {
	s := newSite(t)
	s.stop()
	c, _ := client(t, discovery.Config{URLs: []string{s.url()}, Self: self(t, "PORTAL", "p", "http://127.0.0.1:1")})
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := c.Ready(short, "PORTAL"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ready without a registry: %v", err)
	}
	s.start(registry.Config{})
	start := time.Now()
	ready(t, c, "PORTAL")
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %v", took)
	}
}

func TestARegistryThatForgotIsToldAgainAndDisturbsNobody(t *testing.T) {
	s := newSite(t)
	login := service(t, "login")
	_, _ = client(t, discovery.Config{URLs: []string{s.url()}, Self: self(t, "LOGIN-SERVICE", "l", login.URL)})
	// This one's heartbeats are far apart: it must notice by its fetches.
	b, _ := client(t, discovery.Config{URLs: []string{s.url()}, Self: self(t, "PORTAL", "p", "http://127.0.0.1:1"), RenewEvery: time.Hour})
	ready(t, b, "LOGIN-SERVICE")
	ctx, cancel := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	calls.Go(func() {
		for ctx.Err() == nil {
			if _, err := get(t, b, "GET", "http://LOGIN-SERVICE/x", nil); err != nil {
				t.Errorf("a call failed: %v", err)
				return
			}
		}
	})
	for range 3 {
		s.stop()
		s.start(registry.Config{}) // empty
		until(t, "both register again", func() bool { return s.app("LOGIN-SERVICE") != "" && s.app("PORTAL") != "" })
	}
	cancel()
	calls.Wait()
}

func TestAnApplicationTheRegistryLostIsKeptForAWhile(t *testing.T) {
	s := newSite(t)
	var now atomic.Int64
	clock := func() time.Time { return time.Unix(1_800_000_000+now.Load(), 0) }
	s.register(self(t, "LOGIN-SERVICE", "l", "http://127.0.0.1:81"))
	c, _ := client(t, discovery.Config{URLs: []string{s.url()}, Now: clock})
	ready(t, c, "LOGIN-SERVICE")
	s.stop()
	s.start(registry.Config{})
	after := s.calls.Load()
	until(t, "the empty list is fetched", func() bool { return s.calls.Load() > after+4 })
	if len(c.Instances("LOGIN-SERVICE")) != 1 {
		t.Fatal("an empty list was believed")
	}
	now.Add(89)
	after = s.calls.Load()
	until(t, "it is fetched again", func() bool { return s.calls.Load() > after+4 })
	if len(c.Instances("LOGIN-SERVICE")) != 1 {
		t.Fatal("forgotten too early")
	}
	now.Add(2)
	until(t, "it is forgotten in the end", func() bool { return len(c.Instances("LOGIN-SERVICE")) == 0 })
	if _, err := get(t, c, "GET", "http://login-service/", nil); !errors.Is(err, discovery.ErrNoInstance) {
		t.Errorf("got %v", err)
	}
}

// register writes an instance of somebody else's.
func (s *site) register(in *eureka.Instance) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), "POST", s.url()+"apps/"+in.App, strings.NewReader(string(eureka.Form{}.Instance(nil, in))))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(identity.ProofHeader, "eureka POST "+r.URL.EscapedPath())
	resp, err := http.DefaultClient.Do(r)
	if err != nil || resp.StatusCode != http.StatusNoContent {
		s.t.Fatal(resp, err)
	}
	resp.Body.Close()
}

func TestTheListStaysWhileTheRegistryIsAway(t *testing.T) {
	s := newSite(t)
	login := service(t, "login")
	s.register(self(t, "LOGIN-SERVICE", "l", login.URL))
	c, _ := client(t, discovery.Config{URLs: []string{s.url()}})
	ready(t, c, "LOGIN-SERVICE")
	s.stop()
	for range 50 {
		if _, err := get(t, c, "GET", "http://login-service/", nil); err != nil {
			t.Fatal(err)
		}
	}
	s.start(registry.Config{}) // for the clean-up
}

func TestGarbageFromARegistryChangesNothing(t *testing.T) {
	for _, body := range []string{"", "<html>", `{"applications":`, `{"error":"x"}`, "redirect", "fail"} {
		t.Run(body, func(t *testing.T) {
			s := newSite(t)
			s.register(self(t, "LOGIN-SERVICE", "l", "http://127.0.0.1:81"))
			c, _ := client(t, discovery.Config{URLs: []string{s.url()}})
			ready(t, c, "LOGIN-SERVICE")
			s.stop()
			var served atomic.Int64
			s.wrap = func(http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					served.Add(1)
					switch body {
					case "redirect":
						http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
					case "fail":
						w.WriteHeader(http.StatusInternalServerError)
					}
					_, _ = io.WriteString(w, body)
				})
			}
			s.start(registry.Config{})
			until(t, "it is asked", func() bool { return served.Load() > 2 })
			if len(c.Instances("LOGIN-SERVICE")) != 1 {
				t.Error("the list is empty")
			}
		})
	}
}

func TestAnotherRegistryTakesOver(t *testing.T) {
	first, second := newSite(t), newSite(t)
	c, stop := client(t, discovery.Config{URLs: []string{first.url(), second.url()}, Self: self(t, "PORTAL", "p", "http://127.0.0.1:1")})
	ready(t, c, "PORTAL")
	if first.app("PORTAL") == "" || second.app("PORTAL") == "" {
		t.Fatal("not every registry was told")
	}
	first.stop()
	second.register(self(t, "LATER", "l", "http://127.0.0.1:2"))
	until(t, "the second is asked", func() bool { return len(c.Instances("LATER")) == 1 })
	if len(c.Instances("PORTAL")) != 1 {
		t.Error("the list went with the registry")
	}
	stop()
	if second.app("PORTAL") != "" {
		t.Error("not deregistered at the second")
	}
	first.start(registry.Config{})
}

// TestARegistryThatForgotIsToldAgain restarts one of two registries empty: the
// heartbeat that finds this out goes to both, whichever is being read.
func TestARegistryThatForgotIsToldAgain(t *testing.T) {
	first, second := newSite(t), newSite(t)
	c, _ := client(t, discovery.Config{URLs: []string{first.url(), second.url()}, Self: self(t, "PORTAL", "p", "http://127.0.0.1:1"), RenewEvery: 50 * time.Millisecond})
	ready(t, c, "PORTAL")
	second.stop()
	second.start(registry.Config{})
	until(t, "the second is told again", func() bool { return second.app("PORTAL") != "" })
	if first.app("PORTAL") == "" {
		t.Error("the first lost it")
	}
}

func TestReservedNamesAreBelievedOnlyOfThisMachine(t *testing.T) {
	s := newSite(t)
	for i, address := range []string{"192.0.2.1", "evil.example", "127.0.0.1.evil.example", "::ffff:192.0.2.1", "0.0.0.0"} {
		in := self(t, "LOGIN-SERVICE", fmt.Sprint(i), "http://127.0.0.1:81")
		in.IPAddr = address
		s.register(in)
		in = self(t, "FREE", fmt.Sprint(i), "http://127.0.0.1:81")
		in.IPAddr = address
		s.register(in)
	}
	all, _ := client(t, discovery.Config{URLs: []string{s.url()}, Accept: func(eureka.Instance) bool { return true }})
	ready(t, all, "LOGIN-SERVICE", "FREE")
	c, _ := client(t, discovery.Config{URLs: []string{s.url()}})
	ready(t, c, "FREE")
	if got := len(c.Instances("FREE")); got != 5 {
		t.Errorf("%d instances of a free name", got)
	}
	if got := c.Instances("login-service"); len(got) != 0 {
		t.Errorf("believed %v", got)
	}
	if got := len(all.Instances("login-service")); got != 5 {
		t.Errorf("the hook was not asked: %d", got)
	}
}

func TestOnlyInstancesThatAreUpAreCalled(t *testing.T) {
	s := newSite(t)
	up, down := self(t, "SVC", "up", "http://127.0.0.1:81"), self(t, "SVC", "down", "http://127.0.0.1:82")
	down.Status = eureka.Down
	s.register(up)
	s.register(down)
	c, _ := client(t, discovery.Config{URLs: []string{s.url()}})
	ready(t, c, "SVC")
	if got := c.Instances("SVC"); len(got) != 1 || got[0].ID != "up" {
		t.Errorf("got %v", got)
	}
}

func TestAStatusChangeIsToldAtOnce(t *testing.T) {
	s := newSite(t)
	c, _ := client(t, discovery.Config{URLs: []string{s.url()}, Self: self(t, "PORTAL", "p", "http://127.0.0.1:1"), RenewEvery: time.Hour})
	ready(t, c)
	c.SetStatus(eureka.Down)
	until(t, "it is DOWN", func() bool { return strings.Contains(s.app("PORTAL"), "<status>DOWN") })
	c.SetStatus(eureka.Up)
	until(t, "it is UP", func() bool { return strings.Contains(s.app("PORTAL"), "<status>UP") })
}

func TestCredentialsInTheURLAreSentAsBasic(t *testing.T) {
	s := newSite(t)
	s.stop()
	s.wrap = func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, password, ok := r.BasicAuth(); !ok || user != "u" || password != "p@:w" {
				w.Header().Set("WWW-Authenticate", "Basic")
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
	s.start(registry.Config{})
	c, _ := client(t, discovery.Config{URLs: []string{strings.Replace(s.url(), "http://", "http://u:p%40%3Aw@", 1)}, Self: self(t, "PORTAL", "p", "http://127.0.0.1:1")})
	ready(t, c, "PORTAL")
}

func TestWrongSettingsAreNamedWithoutTheirSecrets(t *testing.T) {
	for _, list := range [][]string{nil, {""}, {"ftp://u:secret@h/"}, {"http://"}, {"://secret"}} {
		_, err := discovery.New(discovery.Config{URLs: list})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: %v", list, err)
		}
	}
	for _, base := range []string{"ftp://h", "http://", "http://h:99999"} {
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := discovery.NewInstance("A", "a", u); err == nil {
			t.Errorf("%s: no error", base)
		}
	}
	in := self(t, "A", "a", "https://svc.example:8443")
	if !in.SecurePort.Enabled || in.SecurePort.Number != 8443 || in.Port.Enabled || in.HostName != "svc.example" {
		t.Errorf("got %+v", in)
	}
}
