package delivery_test

import (
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ccms/internal/store/storetest"
	"ccms/internal/webhook"
)

// TestEveryTryIsSignedAnew would fail if a retry came with the time of the first
// try, which a receiver refuses as a replay after five minutes, or as another
// event.
func TestEveryTryIsSignedAnew(t *testing.T) {
	begun := time.Now()
	var ahead atomic.Int64 // nanoseconds
	now := func() time.Time { return begun.Add(time.Duration(ahead.Load())) }
	w := newWorld(t, func(w *world) {
		client := webhook.NewClient(webhook.ClientConfig{AllowPrivate: true, StatusOnly: true, Now: now})
		t.Cleanup(client.Close)
		w.cfg.Client, w.now = client, now
	})
	at := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		if ahead.Load() == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	hook := w.create(acme, at.url)
	w.run()
	w.happens(event("firm_acme", webhook.CardEnabled))
	at.await(t, 1)
	until(t, "the failure in the log", func() bool { return len(w.log(acme, hook.ID, "").Data[0].Attempts) == 1 })
	ahead.Store(int64(2 * time.Minute)) // the published library takes no more than five
	at.await(t, 1)
	first, second := at.heard()[0], at.heard()[1]
	stamp := func(m received) int64 {
		n, err := strconv.ParseInt(m.header.Get(webhook.HeaderTimestamp), 10, 64)
		must(t, err)
		return n
	}
	for _, m := range []received{first, second} {
		if err := m.verify(hook.Secret); err != nil {
			t.Error(err)
		}
	}
	if first.id != second.id || first.body != second.body {
		t.Errorf("tried as %s %s, then as %s %s", first.id, first.body, second.id, second.body)
	}
	if d := stamp(second) - stamp(first); d < 119 || d > 121 || first.header.Get(webhook.HeaderSignature) == second.header.Get(webhook.HeaderSignature) {
		t.Errorf("signed %d seconds later", d)
	}
}

// TestWhatFailedTogetherComesApart would fail if the tries of many events came at
// the same moment again.
func TestWhatFailedTogetherComesApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &far{answer: func(webhook.Delivery) (webhook.Answer, time.Duration) { return status(500), 0 }}
		w := inBubble(t, f, time.Second)
		hook := w.create(acme, farURL)
		w.many(30, "firm_acme")
		stop := w.run()
		time.Sleep(time.Second)
		moments := map[time.Time]bool{}
		for _, e := range w.log(acme, hook.ID, "").Data {
			moments[e.Next] = true
		}
		if len(moments) < 20 {
			t.Errorf("30 events are tried again at %d moments", len(moments))
		}
		stop()
	})
}

// TestAnEndpointThatAsksToBeLeftAloneIs would fail if each event that waits went
// to an endpoint that has just asked for a minute, or if one were lost by it.
func TestAnEndpointThatAsksToBeLeftAloneIs(t *testing.T) {
	for name, c := range map[string]struct {
		asks  string
		left  time.Duration // alone
		calls int           // until then
	}{
		"a minute":          {"60", time.Minute, 1},
		"longer than we do": {"3600", 5 * time.Minute, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var well atomic.Bool
				f := &far{answer: func(webhook.Delivery) (webhook.Answer, time.Duration) {
					if well.Load() {
						return status(200), 0
					}
					return status(http.StatusTooManyRequests, "Retry-After", c.asks), 0
				}}
				w := inBubble(t, f, 20*time.Second)
				hook := w.create(acme, farURL)
				const events = 50
				w.many(events, "firm_acme")
				stop := w.run()
				time.Sleep(time.Until(began.Add(c.left - time.Second)))
				if n := len(f.heard()); n != c.calls {
					t.Errorf("%d calls within %s", n, c.left)
				}
				well.Store(true)
				time.Sleep(70 * time.Minute)
				if all := w.log(acme, hook.ID, "?status=delivered").Data; len(all) != events {
					t.Errorf("%d of %d were delivered afterwards", len(all), events)
				}
				if n := len(f.heard()); n != events+1 {
					t.Errorf("%d calls of %d events", n, events)
				}
				stop()
			})
		})
	}
}

// TestWhatWasSentAndNotNotedIsSentAgain is a process that dies between the answer
// of an endpoint and the write that notes it.
func TestWhatWasSentAndNotNotedIsSentAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fault := storetest.NewFault(storetest.New(t))
		f := &far{answer: func(webhook.Delivery) (webhook.Answer, time.Duration) { return status(200), time.Second }}
		w := newWorld(t, func(w *world) { w.cfg.Client, w.cfg.Poll, w.db = f, time.Second, fault })
		hook := w.create(acme, farURL)
		stop := w.run()
		fault.Add(storetest.Rule{Collection: "WebhookDelivery", Op: storetest.Replace, Err: fmt.Errorf("gone")})
		w.happens(event("firm_acme", webhook.CardEnabled))
		time.Sleep(10 * time.Second)
		stop()
		fault.Clear()
		if n := len(f.heard()); n != 1 {
			t.Fatalf("%d calls", n)
		}
		w.open()
		stop = w.run()
		time.Sleep(time.Minute)
		if all := f.heard(); len(all) != 2 || all[0].id != all[1].id {
			t.Errorf("called %+v", all)
		}
		if all := w.log(acme, hook.ID, "?status=delivered").Data; len(all) != 1 {
			t.Errorf("the log has %+v", all)
		}
		stop()
	})
}

// TestWhatWaitsFollowsTheEndpoint: a try goes where the endpoint is then. What
// comes due while it is switched off is not sent, and not by itself when it is on
// again; what comes due later is, and the rest by a replay.
func TestWhatWaitsFollowsTheEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const moved = "https://hooks.example.com/moved"
		f := &far{answer: func(d webhook.Delivery) (webhook.Answer, time.Duration) {
			if d.URL == farURL {
				return status(500), 0
			}
			return status(200), 0
		}}
		w := inBubble(t, f, time.Second)
		hook := w.create(acme, farURL)
		patch := func(body string) {
			t.Helper()
			read[hookView](t, w.do(acme, "PATCH", "/v1/webhooks/"+hook.ID, body), 200)
			time.Sleep(time.Second) // which other processes remember it for
		}
		stop := w.run()
		early := event("firm_acme", webhook.CardEnabled)
		w.happens(early)
		time.Sleep(30 * time.Second) // two tries; the third comes after five minutes
		patch(`{"status":"disabled"}`)
		time.Sleep(10 * time.Minute)
		patch(`{"status":"enabled"}`)
		late := event("firm_acme", webhook.CardEnabled)
		w.happens(late)
		time.Sleep(time.Second) // one try
		patch(`{"status":"disabled"}`)
		patch(`{"status":"enabled","url":"` + moved + `"}`)
		time.Sleep(time.Hour)
		called := map[string]int{}
		for _, c := range f.heard() {
			called[c.url+" "+map[string]string{early.ID: "early", late.ID: "late"}[c.id]]++
		}
		if called[farURL+" early"] != 2 || called[farURL+" late"] != 1 || called[moved+" late"] != 1 || len(called) != 3 {
			t.Errorf("called %v", called)
		}
		if a := w.do(acme, "POST", "/v1/webhooks/"+hook.ID+"/replay", `{"event_id":"`+early.ID+`"}`); a.status != 202 {
			t.Errorf("%d %s", a.status, a.body)
		}
		time.Sleep(time.Second)
		if all := w.log(acme, hook.ID, "?status=delivered").Data; len(all) != 2 {
			t.Errorf("delivered %+v", all)
		}
		stop()
	})
}

// TestTheLogIsBounded: an event stays for thirty days, and of one that is sent
// again and again the last twenty attempts. The store's clock is thirty days
// ahead, but for five minutes.
func TestTheLogIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &far{answer: func(webhook.Delivery) (webhook.Answer, time.Duration) { return status(200), 0 }}
		w := newWorld(t, func(w *world) {
			w.cfg.Client, w.cfg.Poll = f, time.Minute
			w.now = func() time.Time { return time.Now().Add(5*time.Minute - 30*24*time.Hour) }
		})
		hook := w.create(acme, farURL)
		stop := w.run()
		e := event("firm_acme", webhook.CardEnabled)
		w.happens(e)
		for range 25 {
			time.Sleep(time.Second)
			w.do(acme, "POST", "/v1/webhooks/"+hook.ID+"/replay", `{"event_id":"`+e.ID+`"}`)
		}
		time.Sleep(4 * time.Minute)
		if all := w.log(acme, hook.ID, "").Data; len(all) != 1 || len(all[0].Attempts) != 20 || len(f.heard()) != 26 {
			t.Errorf("just before thirty days, after %d calls, the log has %+v", len(f.heard()), all)
		}
		time.Sleep(time.Minute)
		if all := w.log(acme, hook.ID, "").Data; len(all) != 0 {
			t.Errorf("after thirty days it has %+v", all)
		}
		stop()
	})
}
