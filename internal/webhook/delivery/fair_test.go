package delivery_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ccms/internal/webhook"
)

// quick is how long the endpoint of the firm that is measured takes.
const quick = 30 * time.Millisecond

// lag is the time from an event to the end of its call at the 99th percentile,
// of a firm that has 20 events a second for ten seconds.
func (w *world) lag(f *far, firm string) time.Duration {
	w.t.Helper()
	sent := map[string]time.Time{}
	for range 200 {
		e := event(firm, webhook.CardEnabled)
		sent[e.ID] = time.Now()
		w.happens(e)
		<-time.After(50 * time.Millisecond)
	}
	<-time.After(20 * time.Second)
	var lags []time.Duration
	for _, c := range f.heard() {
		if at, ok := sent[c.id]; ok {
			lags = append(lags, c.at.Sub(at)+quick)
		}
	}
	if len(lags) != len(sent) {
		w.t.Fatalf("%d of %d came", len(lags), len(sent))
	}
	slices.SortFunc(lags, func(a, b time.Duration) int { return cmp.Compare(a, b) })
	return lags[len(lags)*99/100]
}

// crowd is firms other than the one that is measured.
type crowd struct {
	firms, endpoints int // endpoints of each
	events           int // of each, for every endpoint
	answer           webhook.Answer
	takes            time.Duration
	asked            time.Duration // how long it takes to learn whether one is suspended
	known            bool          // they have been slow before
}

func (c crowd) firm(i int) string { return fmt.Sprintf("firm_crowd%d", i) }

// gather makes the crowd's endpoints, and what waits for them.
func (w *world) gather(c crowd) {
	var group sync.WaitGroup
	for i := range c.firms {
		group.Go(func() {
			for range c.endpoints {
				w.create(c.firm(i)+" test webhooks:manage", "https://hooks.example.com/crowd")
			}
		})
	}
	group.Wait()
	for i := range c.firms {
		w.many(c.events, c.firm(i))
	}
}

// TestASlowFirmDoesNotMoveAnothersP99 compares a firm's lag alone and beside
// others: a tenth more is what it may be (docs/webhooks.md). Only calls take time
// here, so that what is compared is who waits for whom.
func TestASlowFirmDoesNotMoveAnothersP99(t *testing.T) {
	hanging, busy := webhook.Answer{}, status(429, "Retry-After", "3600")
	for name, c := range map[string]crowd{
		"nobody": {},
		"10,000 events wait for an endpoint of 15 s":           {firms: 1, endpoints: 1, events: 10_000, answer: status(200), takes: 15 * time.Second},
		"all endpoints of a firm hang":                         {firms: 1, endpoints: 20, events: 30, answer: hanging, takes: 15 * time.Second},
		"more endpoints hang than there are places":            {firms: 4, endpoints: 20, events: 3, answer: hanging, takes: 15 * time.Second, known: true},
		"one asks to be left alone":                            {firms: 1, endpoints: 1, events: 300, answer: busy},
		"nobody can tell whether another firm is suspended":    {firms: 3, endpoints: 1, events: 5, answer: status(200), asked: 2 * time.Second},
		"one fails at once, and everything is tried at a time": {firms: 1, endpoints: 10, events: 10, answer: status(500)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &far{answer: func(d webhook.Delivery) (webhook.Answer, time.Duration) {
					if strings.HasSuffix(d.URL, "/crowd") {
						return c.answer, c.takes
					}
					return status(200), quick
				}}
				w := newWorld(t, func(w *world) {
					w.cfg.Client, w.cfg.Poll, w.cfg.Parallel = f, time.Second, 64
					w.cfg.Suspended = func(ctx context.Context, firm string) (bool, error) {
						if firm != "firm_acme" && c.asked > 0 {
							<-time.After(c.asked)
							return false, context.DeadlineExceeded
						}
						return false, nil
					}
				})
				w.create(acme, farURL)
				w.gather(c)
				if c.asked > 0 { // by a process that finds them in the store
					time.Sleep(31 * time.Second)
					w.open()
				}
				stop := w.run()
				if c.known {
					time.Sleep(20 * time.Second)
				}
				if p99 := w.lag(f, "firm_acme"); p99 > quick+quick/10 {
					t.Errorf("p99 is %s, alone %s", p99, quick)
				}
				stop()
			})
		})
	}
}

// TestPlaces would fail if slow endpoints or a firm's took more places than are
// theirs, or if all were not taken when somebody wants them.
func TestPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := map[string]int{}, map[string]int{}
		f := &far{answer: func(d webhook.Delivery) (webhook.Answer, time.Duration) {
			if strings.HasSuffix(d.URL, "/crowd") {
				return status(200), 3 * time.Second
			}
			return status(200), 900 * time.Millisecond
		}}
		w := inBubble(t, f, time.Second)
		w.cfg.Parallel, w.cfg.PerFirm = 16, 6
		w.cfg.Client = clientFunc(func(ctx context.Context, d webhook.Delivery) (webhook.Answer, error) {
			count := func(n int) {
				mu.Lock()
				defer mu.Unlock()
				now[d.URL] += n
				most[d.URL] = max(most[d.URL], now[d.URL])
			}
			count(1)
			defer count(-1)
			return f.Post(ctx, d)
		})
		w.open()
		for range 10 {
			w.create(acme, farURL) // ten endpoints of one firm
		}
		w.many(50, "firm_acme")
		w.gather(crowd{firms: 3, endpoints: 8, events: 3})
		stop := w.run()
		time.Sleep(15 * time.Second) // until the crowd is known for what it is
		mu.Lock()
		most = map[string]int{}
		mu.Unlock()
		time.Sleep(6 * time.Second)
		mu.Lock()
		got := maps.Clone(most)
		mu.Unlock()
		if crowd := got["https://hooks.example.com/crowd"]; got[farURL] != 6 || crowd != 8 {
			t.Errorf("at most %v at once, want 6 and 8", got)
		}
		stop()
	})
}
