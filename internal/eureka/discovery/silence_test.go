package discovery_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ccms/internal/eureka/discovery"
)

// ahead is a clock that can be set forward.
type ahead struct{ by atomic.Int64 }

func (a *ahead) now() time.Time { return time.Now().Add(time.Duration(a.by.Load())) }

// within sends a request that has so much time.
func within(t *testing.T, c *discovery.Client, d time.Duration, method, target string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Transport(nil).RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b := make([]byte, 1)
	if _, err := resp.Body.Read(b); err != nil && b[0] == 0 {
		return "", err
	}
	return string(b), nil
}

// TestAnInstanceThatAnswersNobodyIsLeftAlone would fail if each request were
// tried with a process that is paused, or if it were never tried again.
func TestAnInstanceThatAnswersNobodyIsLeftAlone(t *testing.T) {
	var asked atomic.Int64
	var paused atomic.Bool
	wake := make(chan struct{})
	sleeper := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if paused.Load() {
			<-wake
		}
		_, _ = fmt.Fprint(w, "a")
	}))
	t.Cleanup(sleeper.Close)
	t.Cleanup(sync.OnceFunc(func() { close(wake) }))
	s, clock := newSite(t), new(ahead)
	s.register(self(t, "SVC", "a", sleeper.URL))
	s.register(self(t, "SVC", "b", service(t, "b").URL))
	c, _ := client(t, discovery.Config{URLs: []string{s.url()}, Now: clock.now})
	ready(t, c, "SVC")
	paused.Store(true)
	for range 2 {
		if got, err := within(t, c, time.Second, "GET", "http://svc/"); err != nil || got != "b" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Fatalf("it was asked %d times", n)
	}
	for range 20 {
		for _, method := range []string{"GET", "POST"} {
			if got, err := within(t, c, time.Second, method, "http://svc/"); err != nil || got != "b" {
				t.Fatalf("%s: %q, %v", method, got, err)
			}
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("it was asked %d times while it was to be avoided", n)
	}
	// Its time over, it is asked again, and again it does not answer.
	clock.by.Add(int64(6 * time.Second))
	for range 4 {
		if got, err := within(t, c, time.Second, "GET", "http://svc/"); err != nil || got != "b" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("it was asked %d times", n)
	}
	// At last it does.
	paused.Store(false)
	clock.by.Add(int64(6 * time.Second))
	until(t, "it is asked again", func() bool {
		got, err := within(t, c, time.Second, "GET", "http://svc/")
		return err == nil && got == "a"
	})
}

// TestASlowRequestIsNotGivenUp would fail if a request were repeated only
// because it takes long: whoever answers others is at work on it.
func TestASlowRequestIsNotGivenUp(t *testing.T) {
	var slow atomic.Int64
	done := make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/slow") {
			slow.Add(1)
			<-done
		}
		_, _ = fmt.Fprint(w, "x")
	})
	s := newSite(t)
	for _, id := range []string{"a", "b"} {
		srv := httptest.NewServer(handler)
		t.Cleanup(srv.Close)
		s.register(self(t, "SVC", id, srv.URL))
	}
	c, _ := client(t, discovery.Config{URLs: []string{s.url()}})
	ready(t, c, "SVC")
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := within(t, c, 2*time.Second, "GET", "http://svc/slow"); err != nil {
			t.Error(err)
		}
	})
	for end := time.After(1200 * time.Millisecond); ; { // more than half of its time
		if _, err := within(t, c, time.Second, "GET", "http://svc/"); err != nil {
			t.Error(err)
		}
		select {
		case <-end:
			close(done)
			wg.Wait()
			if n := slow.Load(); n != 1 {
				t.Errorf("it was sent %d times", n)
			}
			return
		default:
		}
	}
}

// TestAnInstanceThatIsUnableIsPassedOver would fail if one of two whose database
// is away cost each second request, if a write were sent twice, or if it were
// never asked again.
func TestAnInstanceThatIsUnableIsPassedOver(t *testing.T) {
	var asked atomic.Int64
	var unable, both atomic.Bool
	answering := func(name string, fails func() bool, count *atomic.Int64) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			count.Add(1)
			if fails() {
				http.Error(w, strings.ToUpper(name), http.StatusServiceUnavailable)
				return
			}
			_, _ = fmt.Fprint(w, name)
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	s, clock := newSite(t), new(ahead)
	s.register(self(t, "SVC", "a", answering("a", func() bool { return unable.Load() || both.Load() }, &asked)))
	s.register(self(t, "SVC", "b", answering("b", both.Load, new(atomic.Int64))))
	c, _ := client(t, discovery.Config{URLs: []string{s.url()}, Now: clock.now})
	ready(t, c, "SVC")
	unable.Store(true)
	gets := func(n int) {
		t.Helper()
		for range n {
			if got, err := within(t, c, time.Second, "GET", "http://svc/"); err != nil || got != "b" {
				t.Fatalf("%q, %v", got, err)
			}
		}
	}
	gets(2)
	if n := asked.Load(); n != 1 {
		t.Fatalf("it was asked %d times", n)
	}
	for range 20 {
		if got, err := within(t, c, time.Second, "POST", "http://svc/"); err != nil || got != "b" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("it was asked %d times while it was to be avoided", n)
	}

	// A write that it refused is not sent to the other.
	clock.by.Add(int64(6 * time.Second))
	until(t, "a write is refused", func() bool {
		got, err := within(t, c, time.Second, "POST", "http://svc/")
		return err == nil && got == "A"
	})
	// When nobody is able, that is the answer.
	both.Store(true)
	if got, err := within(t, c, time.Second, "GET", "http://svc/"); err != nil || got != "A" && got != "B" {
		t.Errorf("%q, %v", got, err)
	}
	both.Store(false)
	unable.Store(false)
	clock.by.Add(int64(6 * time.Second))
	until(t, "it is asked again", func() bool {
		got, err := within(t, c, time.Second, "GET", "http://svc/")
		return err == nil && got == "a"
	})
}
