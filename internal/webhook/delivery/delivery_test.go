package delivery_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ccms/internal/webhook"
)

func TestAnEventReachesTheFirmSignedAndMasked(t *testing.T) {
	w := newWorld(t)
	w.run()
	at := newReceiver(t, nil)
	hook := w.create(acme, at.url)
	e := event("firm_acme", webhook.CardDisabled)
	w.happens(e)
	at.await(t, 1)
	got := at.heard()[0]
	if err := got.verify(hook.Secret); err != nil {
		t.Error(err)
	}
	want := regexp.MustCompile(`^\{"type":"card\.disabled","timestamp":"[0-9T:.-]+Z","data":\{"mode":"test","token":"tok_x","brand":"Visa","last4":"1111","status":"enabled"\}\}$`)
	if got.id != e.ID || !want.MatchString(got.body) {
		t.Errorf("got %s %s", got.id, got.body)
	}
	until(t, "the log", func() bool {
		all := w.log(acme, hook.ID, "").Data
		return len(all) == 1 && all[0].Status == "delivered" && all[0].Event == e.ID && len(all[0].Attempts) == 1 && all[0].Attempts[0].Status == 200
	})
}

func TestWhoIsTold(t *testing.T) {
	w := newWorld(t)
	w.run()
	all, some, foreign, reveals := newReceiver(t, nil), newReceiver(t, nil), newReceiver(t, nil), newReceiver(t, nil)
	w.create(acme, all.url)
	w.create(acme, some.url, webhook.CardDeleted)
	w.create(other, foreign.url)
	w.create("firm_acme live webhooks:manage", "https://hooks.example.com/")
	w.create(acme, reveals.url, webhook.CardRevealed)
	for _, eventType := range []string{webhook.CardRevealed, webhook.CardEnabled, webhook.CardDeleted} {
		w.happens(event("firm_acme", eventType))
	}
	all.await(t, 3)
	some.await(t, 1)
	reveals.await(t, 1)
	for name, r := range map[*receiver]string{all: "card.deleted card.enabled card.revealed", some: "card.deleted", foreign: "", reveals: "card.revealed"} {
		var types []string
		for _, m := range name.heard() {
			types = append(types, regexp.MustCompile(`card\.[a-z]+`).FindString(m.body))
		}
		slices.Sort(types)
		if strings.Join(types, " ") != r {
			t.Errorf("got %q, want %q", types, r)
		}
	}
}

func TestAFirmWithoutEndpointsPaysNoWrite(t *testing.T) {
	w := newWorld(t)
	w.happens(event("firm_acme", webhook.CardEnabled))
	hook := w.create(acme, "https://hooks.example.com/")
	if n := len(w.log(acme, hook.ID, "").Data); n != 0 {
		t.Errorf("%d deliveries are kept", n)
	}
}

var errAct = errors.New("the act failed")

// TestWhatWasAnnouncedAndCutOff would fail if an event were lost whose act
// happened, or one sent of something that did not happen.
func TestWhatWasAnnouncedAndCutOff(t *testing.T) {
	begun := time.Now()
	var ahead atomic.Int64 // nanoseconds
	happened := map[string]bool{}
	w := newWorld(t, func(w *world) {
		w.now = func() time.Time { return begun.Add(time.Duration(ahead.Load())) }
		w.happened = func(_ context.Context, e webhook.Event) (bool, error) { return happened[e.ID], nil }
	})
	at := newReceiver(t, nil)
	hook := w.create(acme, at.url)
	var done webhook.Event
	for i := range 2 { // the first was done when the process died, the second was not
		e := event("firm_acme", webhook.CardEnabled)
		if i == 0 {
			happened[e.ID], done = true, e
		}
		err := webhook.Announce(w.service.Announce).Around(t.Context(), e, func() error { return errAct })
		if !errors.Is(err, errAct) {
			t.Fatal(err)
		}
	}
	ahead.Store(int64(31 * time.Second))
	w.open()
	w.run()
	at.await(t, 1)
	until(t, "the end of the other", func() bool { return len(w.log(acme, hook.ID, "").Data) == 1 })
	if all := at.heard(); len(all) != 1 || all[0].id != done.ID {
		t.Errorf("got %+v", all)
	}
}

func TestWhatIsNoSuccess(t *testing.T) {
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		status  int
		failure string
		shown   string
	}{
		"500": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "card 4111 1111 1111 1111 \x00\xff", 500) }, 500, "status", "card **** **** **** 1111 \ufffd\ufffd\n"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		}, 307, "status", ""},
		"304":                  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, 304, "status", ""},
		"a connection closed":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, "unreachable", ""},
		"silence":              {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 0, "too_slow", ""},
		"a huge header":        {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Long", strings.Repeat("a", 20<<10)) }, 0, "too_large", ""},
		"200 with a huge body": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(strings.Repeat("a", 1<<20))) }, 200, "", strings.Repeat("a", 2<<10)},
		"204":                  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 204, "", ""},
		"200 with a broken body": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = w.Write([]byte("ok"))
		}, 200, "", "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(w *world) {
				client := webhook.NewClient(webhook.ClientConfig{AllowPrivate: true, StatusOnly: true, Total: 500 * time.Millisecond})
				t.Cleanup(client.Close)
				w.cfg.Client = client
			})
			w.run()
			at := newReceiver(t, c.answer)
			hook := w.create(acme, at.url)
			w.happens(event("firm_acme", webhook.CardEnabled))
			var got logEntry
			until(t, "an attempt", func() bool {
				all := w.log(acme, hook.ID, "").Data
				if len(all) == 1 {
					got = all[0]
				}
				return len(got.Attempts) == 1
			})
			a := got.Attempts[0]
			if a.Status != c.status || a.Failure != c.failure || c.shown != "" && a.Answer != c.shown {
				t.Errorf("got %+v", a)
			}
			if want := map[bool]string{true: "delivered", false: "waiting"}[c.failure == ""]; got.Status != want {
				t.Errorf("it is %s, want %s", got.Status, want)
			}
			if c.failure != "" && (got.Next.Sub(a.At) < 5*time.Second || got.Next.Sub(a.At) > 8*time.Second) {
				t.Errorf("the next try is after %s", got.Next.Sub(a.At))
			}
		})
	}
}
