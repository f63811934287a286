package discovery_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ccms/internal/eureka/discovery"
)

// refusing is the URL of an address nobody listens at.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func TestInstancesAreCalledInTurn(t *testing.T) {
	s := newSite(t)
	for _, name := range []string{"a", "b", "c"} {
		s.register(self(t, "SVC", name, service(t, name).URL))
	}
	c, _ := client(t, discovery.Config{URLs: []string{s.url()}})
	ready(t, c, "SVC")
	seen := map[byte]int{}
	for range 30 {
		got, err := get(t, c, "GET", "http://svc/", nil)
		if err != nil {
			t.Fatal(err)
		}
		seen[got[0]]++
	}
	if seen['a'] != 10 || seen['b'] != 10 || seen['c'] != 10 {
		t.Errorf("got %v", seen)
	}
}

// TestARequestWaitsForTheFirstList would fail if a service that has just begun
// said that there is nobody, before it has asked.
func TestARequestWaitsForTheFirstList(t *testing.T) {
	s := newSite(t)
	s.register(self(t, "SVC", "a", service(t, "a").URL))
	c, _ := client(t, discovery.Config{URLs: []string{s.url()}})
	if got, err := get(t, c, "GET", "http://svc/", nil); err != nil || !strings.HasPrefix(got, "a") {
		t.Errorf("%q, %v", got, err)
	}
}

// streamed hides what a body is, so that it cannot be read twice.
type streamed struct {
	io.Reader
	closed atomic.Int64
}

func (s *streamed) Close() error { s.closed.Add(1); return nil }

func TestARefusedConnectionLeadsToTheNextInstance(t *testing.T) {
	s := newSite(t)
	s.register(self(t, "SVC", "a", refusing(t)))
	s.register(self(t, "SVC", "b", service(t, "live").URL))
	s.register(self(t, "SVC", "c", refusing(t)))
	c, _ := client(t, discovery.Config{URLs: []string{s.url()}})
	ready(t, c, "SVC")
	for range 10 {
		body := &streamed{Reader: strings.NewReader("payload")}
		got, err := get(t, c, "POST", "http://svc/x", body)
		if err != nil || !strings.HasPrefix(got, "live POST") || !strings.HasSuffix(got, "payload") {
			t.Fatalf("%q, %v", got, err)
		}
		until(t, "the body is closed", func() bool { return body.closed.Load() == 1 })
	}
}

func TestWhenAllRefuseTheBodyIsClosedAndTheErrorIsTheNetworks(t *testing.T) {
	s := newSite(t)
	s.register(self(t, "SVC", "a", refusing(t)))
	s.register(self(t, "SVC", "b", refusing(t)))
	c, _ := client(t, discovery.Config{URLs: []string{s.url()}})
	ready(t, c, "SVC")
	for _, target := range []string{"http://svc/", "http://unknown/"} {
		body := &streamed{Reader: strings.NewReader("payload")}
		_, err := get(t, c, "POST", target, body)
		if err == nil || body.closed.Load() != 1 {
			t.Errorf("%s: %v, closed %d times", target, err, body.closed.Load())
		}
		if none := errors.Is(err, discovery.ErrNoInstance); none != strings.Contains(target, "unknown") {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func TestABrokenAnswerIsAskedAgainOnlyWhereThatIsSafe(t *testing.T) {
	var calls atomic.Int64
	broken := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		calls.Add(1)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(broken.Close)
	s := newSite(t)
	s.register(self(t, "SVC", "a", broken.URL))
	s.register(self(t, "SVC", "b", broken.URL))
	s.register(self(t, "SVC", "c", broken.URL))
	c, _ := client(t, discovery.Config{URLs: []string{s.url()}})
	ready(t, c, "SVC")
	for method, want := range map[string]int64{"GET": 3, "POST": 1, "DELETE": 1} {
		calls.Store(0)
		// Fresh connections, so that no retry is the base transport's own.
		base := &http.Transport{DisableKeepAlives: true}
		r, err := http.NewRequestWithContext(t.Context(), method, "http://svc/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Transport(base).RoundTrip(r)
		if err == nil {
			resp.Body.Close()
		}
		if err == nil || calls.Load() != want {
			t.Errorf("%s: %v, %d calls, want %d", method, err, calls.Load(), want)
		}
	}
}

func TestRedirectsAndHeadersPassUntouched(t *testing.T) {
	var header http.Header
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header.Clone()
		http.Redirect(w, r, "http://elsewhere.example/", http.StatusFound)
	}))
	t.Cleanup(srv.Close)
	s := newSite(t)
	s.register(self(t, "SVC", "a", srv.URL))
	c, _ := client(t, discovery.Config{URLs: []string{s.url()}})
	ready(t, c, "SVC")
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://SVC/x?q=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Own", "1")
	resp, err := c.Transport(nil).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusFound || header.Get("X-Own") != "1" || header.Get("CCMS-Proof") != "" || header.Get("Authorization") != "" {
		t.Errorf("%d, %v", resp.StatusCode, header)
	}
	if r.URL.Host != "SVC" {
		t.Errorf("the caller's request was changed: %s", r.URL)
	}
}

// TestAnInstanceThatJustCameIsFoundWhenAllOthersRefuse would fail if a request
// were refused because the list is some seconds old.
func TestAnInstanceThatJustCameIsFoundWhenAllOthersRefuse(t *testing.T) {
	s := newSite(t)
	s.register(self(t, "SVC", "gone", refusing(t)))
	c, _ := client(t, discovery.Config{URLs: []string{s.url()}, FetchEvery: time.Hour, WatchFor: 30 * time.Second})
	ready(t, c, "SVC")
	<-time.After(300 * time.Millisecond) // the list is no longer fresh
	s.register(self(t, "SVC", "here", service(t, "here").URL))
	if got, err := get(t, c, "GET", "http://svc/", nil); err != nil || !strings.HasPrefix(got, "here") {
		t.Errorf("%q, %v", got, err)
	}
}
