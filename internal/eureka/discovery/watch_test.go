package discovery_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/eureka/discovery"
	"ccms/internal/eureka/registry"
)

// cable is a network without sockets, so that time may be that of a bubble:
// registries and services by host, each of which can be away.
type cable struct {
	mu    sync.Mutex
	hosts map[string]http.Handler
	calls map[string]int
}

func (n *cable) put(host string, h http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[host] = h
}

func (n *cable) count(host string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.calls[host]
}

// RoundTrip implements http.RoundTripper.
func (n *cable) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	h := n.hosts[r.URL.Host]
	n.calls[r.URL.Host]++
	n.mu.Unlock()
	if h == nil {
		return nil, &net.OpError{Op: "dial", Err: io.ErrClosedPipe}
	}
	w := httptest.NewRecorder()
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	h.ServeHTTP(w, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func quietRegistry() *registry.Registry {
	return registry.New(registry.Config{Log: slog.New(slog.DiscardHandler), Authorize: proven})
}

// member runs the client of a service at 127.0.0.1 and a port.
func member(t *testing.T, n *cable, app, port string, urls ...string) *discovery.Client {
	t.Helper()
	in := self(t, app, strings.ToLower(app)+":1", "http://127.0.0.1:"+port)
	c, err := discovery.New(discovery.Config{
		URLs: urls, Self: in, Sign: sign, HTTP: &http.Client{Transport: n}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-done
	})
	n.put("127.0.0.1:"+port, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, app) }))
	return c
}

func call(c *discovery.Client, n *cable, app string) error {
	r, err := http.NewRequest(http.MethodPost, "http://"+app+"/x", nil)
	if err != nil {
		return err
	}
	resp, err := c.Transport(n).RoundTrip(r)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// The registry is away for ten minutes and comes back knowing nobody: no call
// between the services fails at any time.
func TestServicesCallEachOtherThroughAnOutageOfTheRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &cable{hosts: map[string]http.Handler{}, calls: map[string]int{}}
		n.put("registry", quietRegistry())
		portal := member(t, n, "PORTAL", "5000", "http://registry/eureka/")
		login := member(t, n, "LOGIN-SERVICE", "8081", "http://registry/eureka/")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := portal.Ready(ctx, "LOGIN-SERVICE"); err != nil {
			t.Fatal(err)
		}
		calls := func(d time.Duration) {
			t.Helper()
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
				if err := call(portal, n, "login-service"); err != nil {
					t.Fatalf("%v before the end: %v", time.Until(end), err)
				}
			}
		}
		calls(time.Minute)
		n.put("registry", nil)
		before := n.count("registry")
		calls(10 * time.Minute)
		if tries := n.count("registry") - before; tries > 2*2*10*60/5+60 {
			t.Errorf("%d tries in ten minutes", tries)
		}
		again := quietRegistry()
		n.put("registry", again)
		calls(10 * time.Minute)
		if s := again.Stats(); s.Instances[eureka.Up] != 2 || !login.Stats().Registered {
			t.Errorf("%d registered again", s.Instances[eureka.Up])
		}
	})
}

// Our registry tells of a change, and a quiet one is hardly asked.
func TestAChangeIsToldAtOnceAndSilenceCostsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &cable{hosts: map[string]http.Handler{}, calls: map[string]int{}}
		quiet := quietRegistry()
		n.put("registry", quiet)
		portal := member(t, n, "PORTAL", "5000", "http://registry/eureka/")
		time.Sleep(time.Minute)
		before := n.count("registry")
		time.Sleep(10 * time.Minute)
		if asked := n.count("registry") - before; asked > 60 {
			t.Errorf("asked %d times in ten quiet minutes", asked)
		}
		login := member(t, n, "LOGIN-SERVICE", "8081", "http://registry/eureka/")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := login.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		if len(portal.Instances("LOGIN-SERVICE")) != 1 {
			t.Error("not told within 50 ms")
		}
		login.SetStatus(eureka.OutOfService)
		login.SetStatus(eureka.Down)
		time.Sleep(100 * time.Millisecond)
		if len(portal.Instances("LOGIN-SERVICE")) != 0 {
			t.Error("a status change is not told")
		}
		quiet.Retire() // a registry that stops sends those away who wait
		time.Sleep(time.Second)
		before = n.count("registry")
		time.Sleep(time.Minute)
		if asked := n.count("registry") - before; asked > 60 {
			t.Errorf("asked %d times in a minute", asked)
		}
	})
}

// A registry that cannot tell of changes is asked in its turn, and one that
// takes over is asked for everything: its versions mean something else.
func TestAnotherRegistrysVersionsAreNotMistaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &cable{hosts: map[string]http.Handler{}, calls: map[string]int{}}
		a, b := quietRegistry(), quietRegistry()
		n.put("a", a)
		n.put("b", b)
		urls := []string{"http://a/eureka/", "http://b/eureka/"}
		portal := member(t, n, "PORTAL", "5000", urls...)
		time.Sleep(time.Second)
		other := self(t, "ORDERS", "o", "http://127.0.0.1:9")
		if err := ask(b, "POST", "/eureka/apps/ORDERS", string(eureka.Form{}.Instance(nil, other))); err != nil {
			t.Fatal(err)
		}
		n.put("a", nil)
		time.Sleep(30 * time.Second)
		if len(portal.Instances("ORDERS")) != 1 {
			t.Error("the other registry's list is not taken over")
		}
		n.put("b", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, "since", "x") // as who has never heard of it
			b.ServeHTTP(rec, r)
			for k, v := range rec.Header() {
				if !strings.HasPrefix(k, "X-Eureka") {
					w.Header()[k] = v
				}
			}
			w.WriteHeader(rec.Code)
			_, _ = w.Write(rec.Body.Bytes())
		}))
		time.Sleep(time.Minute)
		before := n.count("b")
		time.Sleep(time.Minute)
		if asked := n.count("b") - before; asked < 10 || asked > 30 {
			t.Errorf("asked %d times in a minute", asked)
		}
		if err := ask(b, "DELETE", "/eureka/apps/ORDERS/o", ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if len(portal.Instances("ORDERS")) != 0 {
			t.Error("a change is not seen")
		}
	})
}

// ask sends a request to a registry itself.
func ask(g *registry.Registry, method, path, body string) error {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	if w.Code/100 != 2 {
		return fmt.Errorf("%s %s: %d", method, path, w.Code)
	}
	return nil
}
