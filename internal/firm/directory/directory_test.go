package directory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
)

// login answers as the login service does.
type login struct {
	mu      sync.Mutex
	answers map[string]any
	err     error
	calls   atomic.Int64
	takes   time.Duration
}

func (l *login) call(_ context.Context, method, path string, out any) error {
	l.calls.Add(1)
	l.mu.Lock()
	answer, err, takes := l.answers[path], l.err, l.takes
	l.mu.Unlock()
	<-time.After(takes)
	if err != nil || method != "GET" {
		return err
	}
	if answer == nil {
		answer = struct{}{}
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, out)
}

func (l *login) say(path string, answer any, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers[path], l.err = answer, err
}

func newLogin(size int) (*login, *Directory) {
	l := &login{answers: map[string]any{
		"/internal/firms/firm_A":              Firm{ID: "firm_A", Name: "Acme"},
		"/internal/clients/client_A":          Client{ID: "client_A", FirmID: "firm_A", Mode: "live", Scopes: []string{"cards:read"}, Active: true},
		"/internal/firms/firm_A/members/olga": Membership{Role: "owner"},
		"/internal/firms/a%2Fb/members/%3F":   Membership{Role: "viewer"},
	}}
	return l, New(Config{Call: l.call, Size: size})
}

func TestWhoIsThereIsKnown(t *testing.T) {
	t.Parallel()
	_, d := newLogin(0)
	ctx := t.Context()
	if f, err := d.Firm(ctx, "firm_A"); err != nil || f.Name != "Acme" {
		t.Errorf("%+v, %v", f, err)
	}
	if c, err := d.Client(ctx, "client_A"); err != nil || c.FirmID != "firm_A" || c.Mode != "live" || len(c.Scopes) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	if role, err := d.Role(ctx, "firm_A", "olga"); err != nil || role != "owner" {
		t.Errorf("%s, %v", role, err)
	}
	if role, err := d.Role(ctx, "a/b", "?"); err != nil || role != "viewer" {
		t.Errorf("names are not escaped: %s, %v", role, err)
	}
	for what, ask := range map[string]func() error{
		"firm":   func() error { _, err := d.Firm(ctx, "firm_X"); return err },
		"client": func() error { _, err := d.Client(ctx, "client_X"); return err },
		"role":   func() error { _, err := d.Role(ctx, "firm_A", "otto"); return err },
	} {
		if err := ask(); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestASuspensionIsKnownWithinASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, d := newLogin(0)
		for range 100 {
			if _, err := d.Client(t.Context(), "client_A"); err != nil {
				t.Fatal(err)
			}
		}
		if n := l.calls.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		l.say("/internal/clients/client_A", Client{}, nil)
		time.Sleep(remembered - time.Millisecond)
		if _, err := d.Client(t.Context(), "client_A"); err != nil {
			t.Errorf("forgotten early: %v", err)
		}
		time.Sleep(time.Millisecond)
		if _, err := d.Client(t.Context(), "client_A"); !errors.Is(err, ErrUnknown) {
			t.Errorf("after 0.9 s: %v", err)
		}
		l.say("/internal/clients/client_A", Client{ID: "client_A", Active: true}, nil)
		time.Sleep(remembered)
		if _, err := d.Client(t.Context(), "client_A"); err != nil {
			t.Errorf("a firm that goes on: %v", err)
		}
	})
}

// The time an answer takes counts: what was true when it was asked may be so no
// more.
func TestASlowAnswerIsNotRememberedLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, d := newLogin(0)
		l.takes = 500 * time.Millisecond
		for range 2 {
			if _, err := d.Firm(t.Context(), "firm_A"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(remembered - l.takes)
		}
		if n := l.calls.Load(); n != 2 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestManyWhoAskAtOnceAskOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, d := newLogin(0)
		l.takes = 100 * time.Millisecond
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if role, err := d.Role(t.Context(), "firm_A", "olga"); err != nil || role != "owner" {
					t.Errorf("%s, %v", role, err)
				}
			})
		}
		all.Wait()
		if n := l.calls.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestWhoGoesDoesNotTakeTheAnswerAlong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, d := newLogin(0)
		l.takes = 100 * time.Millisecond
		gone, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { _, _ = d.Firm(gone, "firm_A") })
		synctest.Wait()
		all.Go(func() {
			if _, err := d.Firm(t.Context(), "firm_A"); err != nil {
				t.Errorf("who stayed: %v", err)
			}
		})
		impatient, stop := context.WithTimeout(t.Context(), time.Millisecond)
		defer stop()
		all.Go(func() {
			if _, err := d.Firm(impatient, "firm_A"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who could not wait: %v", err)
			}
		})
		cancel()
		all.Wait()
	})
}

func TestAnErrorIsNotRemembered(t *testing.T) {
	t.Parallel()
	l, d := newLogin(0)
	failure := errors.New("nobody answers")
	l.say("", nil, failure)
	for range 2 {
		if _, err := d.Firm(t.Context(), "firm_A"); !errors.Is(err, failure) {
			t.Errorf("got %v", err)
		}
	}
	l.say("", nil, nil)
	if _, err := d.Firm(t.Context(), "firm_A"); err != nil || l.calls.Load() != 3 {
		t.Errorf("%v after %d calls", err, l.calls.Load())
	}
}

func TestAPanicHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	m := newMemory[int](Config{Size: 1, Now: time.Now})
	func() {
		defer func() { _ = recover() }()
		_, _ = m.get(t.Context(), "a", func(context.Context) (int, error) { panic("x") })
	}()
	if v, err := m.get(t.Context(), "a", func(context.Context) (int, error) { return 1, nil }); v != 1 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
}

func TestTheMemoryIsBounded(t *testing.T) {
	t.Parallel()
	_, d := newLogin(10)
	for i := range 1000 {
		_, _ = d.Client(t.Context(), fmt.Sprint("client_", i))
	}
	if n := len(d.clients.young) + len(d.clients.old); n > 20 {
		t.Errorf("%d answers are remembered", n)
	}
}

func BenchmarkClient(b *testing.B) {
	_, d := newLogin(0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Client(b.Context(), "client_A"); err != nil {
			b.Fatal(err)
		}
	}
}
