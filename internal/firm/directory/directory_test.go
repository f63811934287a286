package directory

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
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

var (
	firmA   = "firm_" + strings.Repeat("A", 26)
	clientA = "client_" + strings.Repeat("A", 26)
)

func newLogin(size int) (*login, *Directory) {
	l := &login{answers: map[string]any{
		"/internal/firms/" + firmA:                   Firm{ID: firmA, Name: "Acme"},
		"/internal/clients/" + clientA:               Client{ID: clientA, FirmID: firmA, Mode: "live", Scopes: []string{"cards:read"}, Active: true},
		"/internal/firms/" + firmA + "/members/olga": Membership{Role: "owner"},
		"/internal/operators/otto":                   Operator{true},
		"/internal/firms/" + firmA + "/members/%3F":  Membership{Role: "viewer"},
	}}
	return l, New(Config{Call: l.call, Size: size})
}

func TestWhoIsThereIsKnown(t *testing.T) {
	t.Parallel()
	_, d := newLogin(0)
	ctx := t.Context()
	if f, err := d.Firm(ctx, firmA); err != nil || f.Name != "Acme" {
		t.Errorf("%+v, %v", f, err)
	}
	if c, err := d.Client(ctx, clientA); err != nil || c.FirmID != firmA || c.Mode != "live" || len(c.Scopes) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	if role, err := d.Role(ctx, firmA, "olga"); err != nil || role != "owner" {
		t.Errorf("%s, %v", role, err)
	}
	if role, err := d.Role(ctx, firmA, "?"); err != nil || role != "viewer" {
		t.Errorf("names are not escaped: %s, %v", role, err)
	}
	for who, want := range map[string]bool{"otto": true, "olga": false} {
		if is, err := d.Operator(ctx, who); err != nil || is != want {
			t.Errorf("%s is an operator: %v, %v", who, is, err)
		}
	}
	for what, ask := range map[string]func() error{
		"firm":   func() error { _, err := d.Firm(ctx, "firm_"+strings.Repeat("X", 26)); return err },
		"client": func() error { _, err := d.Client(ctx, "client_"+strings.Repeat("X", 26)); return err },
		"role":   func() error { _, err := d.Role(ctx, firmA, "otto"); return err },
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
			if _, err := d.Client(t.Context(), clientA); err != nil {
				t.Fatal(err)
			}
		}
		if n := l.calls.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		l.say("/internal/clients/"+clientA, Client{}, nil)
		time.Sleep(remembered - time.Millisecond)
		if _, err := d.Client(t.Context(), clientA); err != nil {
			t.Errorf("forgotten early: %v", err)
		}
		time.Sleep(time.Millisecond)
		if _, err := d.Client(t.Context(), clientA); !errors.Is(err, ErrUnknown) {
			t.Errorf("after 0.9 s: %v", err)
		}
		l.say("/internal/clients/"+clientA, Client{ID: clientA, Active: true}, nil)
		time.Sleep(remembered)
		if _, err := d.Client(t.Context(), clientA); err != nil {
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
			if _, err := d.Firm(t.Context(), firmA); err != nil {
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
				if role, err := d.Role(t.Context(), firmA, "olga"); err != nil || role != "owner" {
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
		all.Go(func() { _, _ = d.Firm(gone, firmA) })
		synctest.Wait()
		all.Go(func() {
			if _, err := d.Firm(t.Context(), firmA); err != nil {
				t.Errorf("who stayed: %v", err)
			}
		})
		impatient, stop := context.WithTimeout(t.Context(), time.Millisecond)
		defer stop()
		all.Go(func() {
			if _, err := d.Firm(impatient, firmA); !errors.Is(err, context.DeadlineExceeded) {
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
		if _, err := d.Firm(t.Context(), firmA); !errors.Is(err, failure) {
			t.Errorf("got %v", err)
		}
	}
	l.say("", nil, nil)
	if _, err := d.Firm(t.Context(), firmA); err != nil || l.calls.Load() != 3 {
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

// TestOnlyIDsAreAskedFor would fail if what a caller says in place of an id
// became part of a path, and so of a log line.
func TestOnlyIDsAreAskedFor(t *testing.T) {
	t.Parallel()
	l, d := newLogin(0)
	for _, id := range []string{"", "x", clientA + "A", strings.ToLower(firmA), "firm_4111111111111111", firmA + "/members/olga", clientA + "\n", "client_", firmA[:30]} {
		_, ofFirm := d.Firm(t.Context(), id)
		_, ofClient := d.Client(t.Context(), id)
		_, ofRole := d.Role(t.Context(), id, "olga")
		for _, err := range []error{ofFirm, ofClient, ofRole} {
			if !errors.Is(err, ErrUnknown) {
				t.Errorf("%q: %v", id, err)
			}
		}
	}
	if n := l.calls.Load(); n != 0 {
		t.Errorf("the login service was asked %d times", n)
	}
}

func TestTheMemoryIsBounded(t *testing.T) {
	t.Parallel()
	_, d := newLogin(10)
	for range 1000 {
		_, _ = d.Client(t.Context(), "client_"+rand.Text())
	}
	if n := len(d.clients.young) + len(d.clients.old); n > 20 {
		t.Errorf("%d answers are remembered", n)
	}
}

func BenchmarkClient(b *testing.B) {
	_, d := newLogin(0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Client(b.Context(), clientA); err != nil {
			b.Fatal(err)
		}
	}
}
