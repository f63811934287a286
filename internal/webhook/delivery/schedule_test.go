package delivery_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ccms/internal/webhook"
	"ccms/internal/webhook/endpoint"
)

// far is an endpoint that answers without a network, after a while; the status 0
// is no answer.
type far struct {
	mu     sync.Mutex
	calls  []callAt
	answer func(d webhook.Delivery) (webhook.Answer, time.Duration)
}

type callAt struct {
	url, id string
	at      time.Time
}

func (f *far) Post(ctx context.Context, d webhook.Delivery) (webhook.Answer, error) {
	f.mu.Lock()
	f.calls = append(f.calls, callAt{d.URL, d.ID, time.Now()})
	f.mu.Unlock()
	a, wait := f.answer(d)
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return webhook.Answer{}, ctx.Err()
	case <-t.C:
	}
	if a.Status == 0 {
		return a, &webhook.Failure{Class: webhook.TooSlow}
	}
	return a, nil
}

func (f *far) heard() []callAt {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// inBubble makes a world whose time is the bubble's and whose endpoints are far.
func inBubble(t *testing.T, f *far, poll time.Duration) *world {
	return newWorld(t, func(w *world) { w.cfg.Client, w.cfg.Poll = f, poll })
}

func status(code int, header ...string) webhook.Answer {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return webhook.Answer{Status: code, Header: h}
}

const farURL = "https://hooks.example.com/a"

// TestTheSchedule would fail if a try came early, late or once too often.
func TestTheSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const poll = time.Minute
		f := &far{answer: func(webhook.Delivery) (webhook.Answer, time.Duration) { return status(500), 0 }}
		w := inBubble(t, f, poll)
		hook := w.create(acme, farURL)
		stop := w.run()
		began := time.Now()
		w.happens(event("firm_acme", webhook.CardEnabled))
		time.Sleep(100 * time.Hour)
		calls := f.heard()
		gaps := []time.Duration{
			0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
			10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
		}
		if len(calls) != len(gaps) {
			t.Fatalf("%d calls, want %d", len(calls), len(gaps))
		}
		before := began
		for i, gap := range gaps {
			if got := calls[i].at.Sub(before); got < gap || got > gap+gap/10+poll || calls[i].id != calls[0].id {
				t.Errorf("call %d of %s comes %s after the one before, want %s", i+1, calls[i].id, got, gap)
			}
			before = calls[i].at
		}
		if all := w.log(acme, hook.ID, "").Data; len(all) != 1 || all[0].Status != "failed" || len(all[0].Attempts) != 10 || !all[0].Next.IsZero() {
			t.Errorf("the log has %+v", all)
		}
		stop()
	})
}

func TestRetryAfterIsHonouredWithinBounds(t *testing.T) {
	for name, c := range map[string]struct {
		header   func() string
		min, max time.Duration
	}{
		"seconds":  {func() string { return "3600" }, time.Hour, 67 * time.Minute},
		"a date":   {func() string { return time.Now().Add(2 * time.Hour).UTC().Format(http.TimeFormat) }, 2*time.Hour - time.Second, 133 * time.Minute},
		"too long": {func() string { return "99999999" }, 24 * time.Hour, 27 * time.Hour},
		"less":     {func() string { return "1" }, 5 * time.Second, 7 * time.Second},
		"nonsense": {func() string { return "-5" }, 5 * time.Second, 7 * time.Second},
		"the past": {func() string { return time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat) }, 5 * time.Second, 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &far{answer: func(webhook.Delivery) (webhook.Answer, time.Duration) {
					return status(503, "Retry-After", c.header()), 0
				}}
				w := inBubble(t, f, time.Second)
				hook := w.create(acme, farURL)
				stop := w.run()
				w.happens(event("firm_acme", webhook.CardEnabled))
				synctest.Wait()
				time.Sleep(time.Millisecond)
				all := w.log(acme, hook.ID, "").Data
				if len(all) != 1 || len(all[0].Attempts) != 1 {
					t.Fatalf("the log has %+v", all)
				}
				if wait := all[0].Next.Sub(all[0].Attempts[0].At); wait < c.min || wait > c.max {
					t.Errorf("the next try is after %s", wait)
				}
				stop()
			})
		})
	}
}

type hookView struct {
	ID        string    `json:"id"`
	Mode      string    `json:"mode"`
	URL       string    `json:"url"`
	Events    []string  `json:"events"`
	Status    string    `json:"status"`
	Reason    string    `json:"reason"`
	Failing   time.Time `json:"failing_since"`
	OldUntil  time.Time `json:"old_secret_until"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func (w *world) hook(as, id string) hookView {
	w.t.Helper()
	return read[hookView](w.t, w.do(as, "GET", "/v1/webhooks/"+id, ""), 200)
}

// TestAnEndpointThatFailsForFiveDaysIsDisabled would fail if it were called on,
// or ended while it took something now and then.
func TestAnEndpointThatFailsForFiveDaysIsDisabled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var fails atomic.Bool
		fails.Store(true)
		f := &far{}
		f.answer = func(d webhook.Delivery) (webhook.Answer, time.Duration) {
			if fails.Load() {
				return status(500), 0
			}
			return status(200), 0
		}
		w := inBubble(t, f, 10*time.Minute)
		hook := w.create(acme, farURL)
		stop := w.run()
		for half := range 4 * 2 { // four days of failures, and one success
			fails.Store(half < 7)
			w.happens(event("firm_acme", webhook.CardEnabled))
			time.Sleep(12 * time.Hour)
			if half == 6 && w.hook(acme, hook.ID).Failing.IsZero() {
				t.Error("it does not show since when it fails")
			}
		}
		if h := w.hook(acme, hook.ID); h.Status != "enabled" || !h.Failing.IsZero() {
			t.Errorf("after a success it is %+v", h)
		}
		fails.Store(true)
		for range 12 {
			w.happens(event("firm_acme", webhook.CardEnabled))
			time.Sleep(12 * time.Hour)
		}
		if h := w.hook(acme, hook.ID); h.Status != "disabled" || h.Reason != "failing" {
			t.Errorf("after six days of failures it is %+v", h)
		}
		called := len(f.heard())
		w.happens(event("firm_acme", webhook.CardEnabled))
		time.Sleep(48 * time.Hour)
		if n := len(f.heard()); n != called {
			t.Errorf("%d calls after the end", n-called)
		}
		if all := w.log(acme, hook.ID, "?status=waiting").Data; len(all) != 0 {
			t.Errorf("%d still wait", len(all))
		}
		for _, path := range []string{"/test", "/replay"} {
			if a := w.do(acme, "POST", "/v1/webhooks/"+hook.ID+path, map[string]string{"/replay": `{"event_id":"x"}`}[path]); a.status != 400 {
				t.Errorf("%s of a disabled one: %d %s", path, a.status, a.body)
			}
		}
		fails.Store(false)
		if h := read[hookView](t, w.do(acme, "PATCH", "/v1/webhooks/"+hook.ID, `{"status":"enabled"}`), 200); h.Status != "enabled" || h.Reason != "" || !h.Failing.IsZero() {
			t.Errorf("enabled again it is %+v", h)
		}
		w.happens(event("firm_acme", webhook.CardEnabled))
		time.Sleep(time.Second)
		if n := len(f.heard()); n != called+1 {
			t.Errorf("%d calls after it was enabled again", n-called)
		}
		if !strings.Contains(w.logged.String(), "endpoint of a firm is disabled") {
			t.Error("the log does not say so")
		}
		stop()
	})
}

func TestAnEndpointThatIsGoneIsDisabledAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &far{answer: func(webhook.Delivery) (webhook.Answer, time.Duration) { return status(410), 0 }}
		w := inBubble(t, f, time.Second)
		hook := w.create(acme, farURL)
		stop := w.run()
		w.happens(event("firm_acme", webhook.CardEnabled))
		<-time.After(time.Hour)
		if h := w.hook(acme, hook.ID); h.Status != "disabled" || h.Reason != "gone" || len(f.heard()) != 1 {
			t.Errorf("after %d calls it is %+v", len(f.heard()), h)
		}
		stop()
	})
}

// TestAnEndpointIsCalledByFewAtOnce would fail if a burst were thrown at an
// endpoint, or a slow one called by more than one.
func TestAnEndpointIsCalledByFewAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration
		after int // calls within four seconds of forty events
		most  int // at once
	}{
		"quick": {100 * time.Millisecond, 40, 4},
		"slow":  {time.Second, 4, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				now, most := 0, 0
				f := &far{}
				f.answer = func(webhook.Delivery) (webhook.Answer, time.Duration) { return status(200), c.takes }
				w := inBubble(t, f, time.Second)
				w.cfg.Client = counted{f, func(n int) { mu.Lock(); defer mu.Unlock(); now += n; most = max(most, now) }}
				w.open()
				w.create(acme, farURL)
				w.many(40, "firm_acme")
				stop := w.run()
				time.Sleep(3500 * time.Millisecond)
				mu.Lock()
				if n := len(f.heard()); most != c.most || n != c.after {
					t.Errorf("%d calls, at most %d at once", n, most)
				}
				mu.Unlock()
				stop()
			})
		})
	}
}

// counted tells how many calls are under way.
type counted struct {
	*far
	count func(int)
}

func (c counted) Post(ctx context.Context, d webhook.Delivery) (webhook.Answer, error) {
	c.count(1)
	defer c.count(-1)
	return c.far.Post(ctx, d)
}

// TestManyThatWaitAreAllSent goes past what is known in memory and read at once.
func TestManyThatWaitAreAllSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &far{answer: func(webhook.Delivery) (webhook.Answer, time.Duration) {
			return status(200), time.Duration(rand.IntN(int(time.Millisecond)))
		}}
		w := inBubble(t, f, time.Second)
		hook := w.create(acme, farURL)
		const events = 1500
		w.many(events, "firm_acme")
		time.Sleep(31 * time.Second)
		w.open() // another process, which knows nothing of them
		stop := w.run()
		time.Sleep(10 * time.Second)
		ids := map[string]int{}
		for _, c := range f.heard() {
			ids[c.id]++
		}
		if len(ids) != events || len(f.heard()) != events {
			t.Errorf("%d calls of %d events, want %d", len(f.heard()), len(ids), events)
		}
		since := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
		type replayed struct {
			Count int       `json:"replayed"`
			Next  time.Time `json:"next_since"`
		}
		again := read[replayed](t, w.do(acme, "POST", "/v1/webhooks/"+hook.ID+"/replay", `{"since":"`+since+`"}`), 202)
		if again.Count != 1000 || again.Next.IsZero() {
			t.Errorf("replayed %+v", again)
		}
		time.Sleep(10 * time.Second)
		if n := len(f.heard()); n != events+1000 {
			t.Errorf("%d calls after the replay", n)
		}
		stop()
	})
}

// TestTwoProcessesSendOnce would fail if both took the same delivery.
func TestTwoProcessesSendOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &far{answer: func(webhook.Delivery) (webhook.Answer, time.Duration) { return status(200), 3 * time.Second }}
		w := inBubble(t, f, 100*time.Millisecond)
		w.create(acme, farURL)
		w.many(20, "firm_acme")
		time.Sleep(31 * time.Second)
		stops := []func(){}
		for range 2 {
			w.open()
			stops = append(stops, w.run())
		}
		time.Sleep(5 * time.Minute)
		if n := len(f.heard()); n != 20 {
			t.Errorf("%d calls of 20 events", n)
		}
		for _, stop := range stops {
			stop()
		}
	})
}

// TestWhatIsForASuspendedFirmWaits would fail if a suspended firm were called, if
// what it should have been told were lost or counted as failed, or if it held up
// another firm.
func TestWhatIsForASuspendedFirmWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &far{answer: func(d webhook.Delivery) (webhook.Answer, time.Duration) { return status(200), time.Millisecond }}
		var mu sync.Mutex
		var state error
		suspended := false
		set := func(is bool, err error) { mu.Lock(); defer mu.Unlock(); suspended, state = is, err }
		w := newWorld(t, func(w *world) {
			w.cfg.Client, w.cfg.Poll = f, time.Minute
			w.cfg.Suspended = func(_ context.Context, firm string) (bool, error) {
				mu.Lock()
				defer mu.Unlock()
				return firm == "firm_acme" && suspended, state
			}
		})
		hook := w.create(acme, farURL)
		w.create(other, "https://hooks.example.com/other")
		set(true, nil)
		stop := w.run()
		const events = 300
		w.many(events, "firm_acme") // more than are read at once
		w.happens(event("firm_other", webhook.CardEnabled))
		time.Sleep(24 * time.Hour)
		if all := f.heard(); len(all) != 1 || !strings.HasSuffix(all[0].url, "/other") {
			t.Errorf("while it is suspended %d calls were made", len(all))
		}
		if h := w.hook(acme, hook.ID); h.Status != "enabled" || !h.Failing.IsZero() {
			t.Errorf("its endpoint is %+v", h)
		}
		set(false, context.DeadlineExceeded) // nobody can tell
		time.Sleep(5 * time.Minute)
		if n := len(f.heard()); n != 1 {
			t.Errorf("while nobody can tell %d calls were made", n-1)
		}
		set(false, nil)
		time.Sleep(5 * time.Minute)
		ids := map[string]bool{}
		for _, c := range f.heard() {
			ids[c.id] = true
		}
		if n := len(f.heard()); n != events+1 || len(ids) != events+1 {
			t.Errorf("afterwards %d calls of %d events were made, want %d", n-1, len(ids)-1, events)
		}
		if all := w.log(acme, hook.ID, "?status=waiting").Data; len(all) != 0 {
			t.Errorf("%d still wait", len(all))
		}
		stop()
	})
}

// TestAFirmIsToldOnceOfAnEndpointThatIsDisabled would fail if nobody were told
// because the login service was away or the process died, or if a firm that had
// switched the endpoint on again were told still.
func TestAFirmIsToldOnceOfAnEndpointThatIsDisabled(t *testing.T) {
	away := errors.New("away")
	for name, c := range map[string]struct {
		down    time.Duration // how long nobody can be told
		restart bool
		revived bool // while nobody could be told
		told    int
	}{
		"at once":                          {0, false, false, 1},
		"the login service is away":        {10 * time.Minute, false, false, 1},
		"the process dies meanwhile":       {10 * time.Minute, true, false, 1},
		"the firm switches it on again":    {10 * time.Minute, false, true, 0},
		"and again the process dies after": {0, true, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var told []endpoint.Notice
				began := time.Now()
				f := &far{answer: func(webhook.Delivery) (webhook.Answer, time.Duration) { return status(410), 0 }}
				w := newWorld(t, func(w *world) {
					w.cfg.Client, w.cfg.Poll = f, time.Minute
					w.tell = func(_ context.Context, n endpoint.Notice) error {
						mu.Lock()
						defer mu.Unlock()
						if time.Since(began) < c.down {
							return away
						}
						told = append(told, n)
						return nil
					}
				})
				hook := w.create(acme, farURL+"?key=hidden")
				stop := w.run()
				w.happens(event("firm_acme", webhook.CardEnabled))
				time.Sleep(5 * time.Minute)
				if h := w.hook(acme, hook.ID); h.Status != "disabled" || h.Reason != "gone" {
					t.Fatalf("it is %+v", h)
				}
				if c.revived {
					read[hookView](t, w.do(acme, "PATCH", "/v1/webhooks/"+hook.ID, `{"status":"enabled"}`), 200)
				}
				if c.restart {
					stop()
					w.open()
					stop = w.run()
				}
				time.Sleep(time.Hour)
				stop()
				if len(told) != c.told {
					t.Fatalf("told %d times, want %d", len(told), c.told)
				}
				for _, n := range told {
					if n.ID != hook.ID || n.FirmID != "firm_acme" || n.Mode != "test" || n.Host != "hooks.example.com" || n.Reason != "gone" || n.At.Sub(began) > time.Minute {
						t.Errorf("told %+v", n)
					}
				}
			})
		})
	}
}
