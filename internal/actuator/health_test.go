package actuator

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAFloodOfProbesMakesOneCheckASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		a := New(Config{Service: "s"})
		a.AddHealth("db", true, func(ctx context.Context) error {
			calls.Add(1)
			<-time.After(100 * time.Millisecond)
			return nil
		})
		for second := range int32(3) {
			var wg sync.WaitGroup
			for range 200 {
				wg.Go(func() {
					if body := a.ask(t.Context(), everything); body.Status != statusUp {
						t.Errorf("status %s", body.Status)
					}
				})
			}
			wg.Wait()
			a.ask(t.Context(), everything)
			if n := calls.Load(); n != second+1 {
				t.Errorf("%d checks in second %d, want one each", n, second+1)
			}
			<-time.After(remembered)
		}
		a.Close()
	})
}

func TestAHangingCheckIsDownAfterASecondAndNotAskedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var calls atomic.Int32
		a := New(Config{Service: "s"})
		a.AddHealth("disk", true, func(context.Context) error { // deaf to its context
			calls.Add(1)
			<-release
			return nil
		})
		a.AddHealth("db", true, func(context.Context) error { return nil })
		for range 3 {
			start := time.Now()
			body := a.ask(t.Context(), everything)
			if took := time.Since(start); took > checkLimit {
				t.Errorf("the answer took %v", took)
			}
			if got := body.Components["disk"]; got.Status != statusDown || got.Details["error"] != errSlow.Error() {
				t.Errorf("disk is %+v", got)
			}
			if body.Components["db"].Status != statusUp {
				t.Error("a hanging check holds up another")
			}
		}
		if calls.Load() != 1 {
			t.Errorf("%d checks hang", calls.Load())
		}
		close(release)
		a.Close()
		if body := a.ask(t.Context(), everything); body.Status != statusUp {
			t.Errorf("status %s after the check came back", body.Status)
		}
		a.Close()
	})
}

func TestACheckEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(Config{Service: "s"})
		a.AddHealth("db", true, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // the caller's going away is no failure of the component
		start := time.Now()
		body := a.ask(ctx, readiness)
		if took := time.Since(start); took != checkLimit {
			t.Errorf("the check had %v, want %v", took, checkLimit)
		}
		if body.Components["db"].Details["error"] != errSlow.Error() {
			t.Errorf("db is %+v", body.Components["db"])
		}
		a.Close()
	})
}

func TestAChangeIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		failing := errors.New("disk full, card 4111 1111 1111 1111")
		var now error
		a := New(Config{Service: "s", Log: slog.New(slog.NewTextHandler(&out, nil))})
		a.AddHealth("db", true, func(context.Context) error { return now })
		for _, err := range []error{nil, failing, failing, nil, nil} {
			now = err
			a.ask(t.Context(), everything)
			<-time.After(remembered)
		}
		a.Close()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "disk full") || !strings.Contains(lines[1], "status=UP") {
			t.Errorf("log:\n%s", out.String())
		}
		if strings.Contains(out.String(), "4111 1111") {
			t.Error("the log holds a card number")
		}
	})
}
