package delivery_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ccms/internal/store/storetest"
	"ccms/internal/webhook"
)

type hookPage struct {
	Data []hookView `json:"data"`
	Next *string    `json:"next_cursor"`
}

func TestAnEndpointIsMadeChangedAndDeleted(t *testing.T) {
	w := newWorld(t)
	first := w.create(acme, "https://hooks.example.com/a?key=1")
	if !strings.HasPrefix(first.Secret, "whsec_") || !slices.Equal(first.Events, webhook.EventTypes()) {
		t.Errorf("made %+v", first)
	}
	second := w.create(acme, "https://hooks.example.com/b", webhook.CardRevealed, webhook.CardDeleted)
	page := read[hookPage](t, w.do(acme, "GET", "/v1/webhooks", ""), 200)
	if len(page.Data) != 2 || page.Next != nil || page.Data[0].Status != "enabled" || page.Data[0].Mode != "test" {
		t.Errorf("listed %+v", page)
	}
	changed := read[hookView](t, w.do(acme, "PATCH", "/v1/webhooks/"+first.ID, `{"url":"https://hooks.example.com/c","events":["card.deleted"],"status":"disabled"}`), 200)
	if changed.URL != "https://hooks.example.com/c" || len(changed.Events) != 1 || changed.Status != "disabled" || changed.Reason != "" {
		t.Errorf("changed to %+v", changed)
	}
	if got := w.hook(acme, first.ID); got.URL != changed.URL || got.Status != "disabled" {
		t.Errorf("it is %+v", got)
	}
	if a := w.do(acme, "DELETE", "/v1/webhooks/"+first.ID, ""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := w.do(acme, "GET", "/v1/webhooks/"+first.ID, ""); a.status != 404 {
		t.Errorf("it is there still: %d", a.status)
	}
	if page := read[hookPage](t, w.do(acme, "GET", "/v1/webhooks", ""), 200); len(page.Data) != 1 || page.Data[0].ID != second.ID {
		t.Errorf("listed %+v", page)
	}
	for _, a := range []answer{w.do(acme, "GET", "/v1/webhooks", ""), w.do(acme, "GET", "/v1/webhooks/"+second.ID, ""), w.do(acme, "PATCH", "/v1/webhooks/"+second.ID, `{"status":"enabled"}`)} {
		if strings.Contains(a.body, "secret") || strings.Contains(a.body, second.Secret) {
			t.Errorf("the secret is shown again: %s", a.body)
		}
	}
}

// TestAnothersEndpointLooksLikeNone would fail if a firm, a client of the other
// mode or a wrong scope could tell that there is one.
func TestAnothersEndpointLooksLikeNone(t *testing.T) {
	w := newWorld(t)
	hook := w.create(acme, "https://hooks.example.com/a")
	for _, r := range [][3]string{
		{"GET", "", ""}, {"PATCH", "", `{"status":"disabled"}`}, {"DELETE", "", ""}, {"POST", "/rotate", ""}, {"POST", "/rotate", `{"expires_in":1}`},
		{"POST", "/test", ""}, {"POST", "/replay", `{"event_id":"evt_x"}`}, {"GET", "/deliveries", ""},
	} {
		for _, as := range []string{other, "firm_acme live webhooks:manage"} {
			for _, id := range []string{hook.ID, "wh_unknown"} {
				if a := w.do(as, r[0], "/v1/webhooks/"+id+r[1], r[2]); a.status != 404 || !strings.Contains(a.body, `"NOT_FOUND"`) {
					t.Errorf("%s %s as %s: %d %s", r[0], r[1], as, a.status, a.body)
				}
			}
		}
		if a := w.do("firm_acme test cards:read", r[0], "/v1/webhooks/"+hook.ID+r[1], r[2]); a.status != 403 {
			t.Errorf("%s %s without the scope: %d", r[0], r[1], a.status)
		}
	}
	if h := w.hook(acme, hook.ID); h.Status != "enabled" || h.UpdatedAt != h.CreatedAt {
		t.Errorf("it was changed to %+v", h)
	}
	if a := w.do(other, "GET", "/v1/webhooks", ""); a.body != `{"data":[],"next_cursor":null}` {
		t.Errorf("listed %s", a.body)
	}
}

func TestWhatIsRefusedOfAnEndpoint(t *testing.T) {
	w := newWorld(t)
	hook := w.create(acme, "https://hooks.example.com/a")
	for _, body := range []string{
		`{}`, `{"url":""}`, `{"url":"ftp://hooks.example.com/"}`, `{"url":"https://user:word@hooks.example.com/"}`, `{"url":"https://169.254.169.254/latest/meta-data"}`,
		`{"url":"https://[::ffff:169.254.169.254]/"}`, `{"url":"https://0x7f.1/"}`, `{"url":"https://2130706433/"}`, `{"url":"https://[64:ff9b::a00:1]/"}`,
		`{"url":"https://hooks.example.com/4111111111111111"}`, `{"url":"https://hooks.example.com/","events":[]}`,
		`{"url":"https://hooks.example.com/","events":["card.added"]}`, `{"url":"https://hooks.example.com/","events":["card.deleted","card.deleted"]}`,
		`{"url":"https://hooks.example.com/","secret":"whsec_x"}`, `[]`,
	} {
		if a := w.do(acme, "POST", "/v1/webhooks", body); a.status != 400 || !strings.Contains(a.body, "VALIDATION_ERROR") || strings.Contains(a.body, "4111") {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	for _, body := range []string{`{}`, `{"status":"gone"}`, `{"url":"https://127.1/"}`, `{"events":[]}`, `{"reason":"x"}`} {
		if a := w.do(acme, "PATCH", "/v1/webhooks/"+hook.ID, body); a.status != 400 {
			t.Errorf("PATCH %s: %d %s", body, a.status, a.body)
		}
	}
	for _, body := range []string{`{}`, `{"event_id":"x","since":"2026-01-01T00:00:00Z"}`, `{"since":"yesterday"}`} {
		if a := w.do(acme, "POST", "/v1/webhooks/"+hook.ID+"/replay", body); a.status != 400 {
			t.Errorf("replay %s: %d %s", body, a.status, a.body)
		}
	}
	for _, body := range []string{`{"expires_in":-1}`, `{"expires_in":604801}`, `{"expires_in":"x"}`} {
		if a := w.do(acme, "POST", "/v1/webhooks/"+hook.ID+"/rotate", body); a.status != 400 {
			t.Errorf("rotate %s: %d %s", body, a.status, a.body)
		}
	}
	if a := w.do(acme, "POST", "/v1/webhooks/"+hook.ID+"/replay", `{"event_id":"evt_unknown"}`); a.status != 404 {
		t.Errorf("an event there is not: %d", a.status)
	}
	if a := w.do(acme, "GET", "/v1/webhooks/"+hook.ID+"/deliveries?status=gone", ""); a.status != 400 {
		t.Errorf("a status there is not: %d", a.status)
	}
	for i := range 19 {
		w.create(acme, fmt.Sprintf("https://hooks.example.com/%d", i))
	}
	if a := w.do(acme, "POST", "/v1/webhooks", `{"url":"https://hooks.example.com/one-too-many"}`); a.status != 400 {
		t.Errorf("the 21st: %d", a.status)
	}
	w.create("firm_acme live webhooks:manage", "https://hooks.example.com/live")
}

// TestAPrivateAddressIsNotCalled would fail if a name that leads home got past
// the guard: it is checked when it is dialled.
func TestAPrivateAddressIsNotCalled(t *testing.T) {
	at := newReceiver(t, nil)
	port := at.url[strings.LastIndexByte(at.url, ':'):]
	w := newWorld(t, func(w *world) {
		client := webhook.NewClient(webhook.ClientConfig{StatusOnly: true})
		t.Cleanup(client.Close)
		w.cfg.Client = client
	})
	w.run()
	hook := w.create(acme, "https://localhost"+port)
	w.happens(event("firm_acme", webhook.CardEnabled))
	until(t, "an attempt", func() bool {
		all := w.log(acme, hook.ID, "").Data
		return len(all) == 1 && len(all[0].Attempts) == 1 && all[0].Attempts[0].Failure == "guarded"
	})
	if n := len(at.heard()); n != 0 {
		t.Errorf("it was called %d times", n)
	}
}

// TestTwoKeysSignWhileOneReplacesTheOther would fail if a receiver with either
// key had to refuse a message within the overlap, or if the old one lived on.
func TestTwoKeysSignWhileOneReplacesTheOther(t *testing.T) {
	begun := time.Now()
	var ahead atomic.Int64 // nanoseconds
	w := newWorld(t, func(w *world) { w.now = func() time.Time { return begun.Add(time.Duration(ahead.Load())) } })
	at := newReceiver(t, nil)
	hook := w.create(acme, at.url)
	type secretOnly struct {
		Secret string `json:"secret"`
	}
	rotate := func(body string) string {
		t.Helper()
		return read[secretOnly](t, w.do(acme, "POST", "/v1/webhooks/"+hook.ID+"/rotate", body), 200).Secret
	}
	next := rotate(`{"expires_in":3600}`)
	if h := w.hook(acme, hook.ID); next == hook.Secret || h.OldUntil.Sub(h.UpdatedAt) != time.Hour {
		t.Fatalf("rotated to %+v", h)
	}
	stop := w.run()
	w.happens(event("firm_acme", webhook.CardEnabled))
	at.await(t, 1)
	if err := at.heard()[0].verify(hook.Secret, next); err != nil {
		t.Error(err)
	}
	until(t, "the delivery", func() bool { return len(w.log(acme, hook.ID, "?status=delivered").Data) == 1 })
	stop()
	ahead.Store(int64(time.Hour))
	w.open()
	stop = w.run()
	w.happens(event("firm_acme", webhook.CardEnabled))
	at.await(t, 1)
	if err := at.heard()[1].verify(next); err != nil {
		t.Error(err)
	}
	if at.heard()[1].verify(hook.Secret) == nil || !w.hook(acme, hook.ID).OldUntil.IsZero() {
		t.Error("the old key signs on")
	}
	last := rotate(`{"expires_in":0}`)
	w.happens(event("firm_acme", webhook.CardEnabled))
	at.await(t, 1)
	if m := at.heard()[2]; m.verify(last) != nil || m.verify(next) == nil {
		t.Error("the old key outlives a rotation at once")
	}
	if rotate("") == last {
		t.Error("nothing was rotated")
	}
	stop()
}

func TestATestAndReplays(t *testing.T) {
	w := newWorld(t)
	w.run()
	fails := make(chan bool, 100)
	at := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		if <-fails {
			w.WriteHeader(500)
		}
	})
	answers := func(all ...bool) {
		for _, f := range all {
			fails <- f
		}
	}
	hook := w.create(acme, at.url, webhook.CardDeleted)
	answers(true)
	tested := read[struct {
		ID string `json:"event_id"`
	}](t, w.do(acme, "POST", "/v1/webhooks/"+hook.ID+"/test", ""), 202)
	at.await(t, 1)
	if m := at.heard()[0]; m.id != tested.ID || !strings.HasPrefix(m.body, `{"type":"webhook.test","timestamp":"`) || !strings.HasSuffix(m.body, `"data":{"mode":"test"}}`) || m.verify(hook.Secret) != nil {
		t.Errorf("got %s %s", m.id, m.body)
	}
	is := func(status string, attempts int) func() bool {
		return func() bool {
			all := w.log(acme, hook.ID, "").Data
			return all[len(all)-1].Status == status && len(all[len(all)-1].Attempts) == attempts
		}
	}
	until(t, "the failure in the log", is("waiting", 1))
	answers(false, false, false)
	if a := w.do(acme, "POST", "/v1/webhooks/"+hook.ID+"/replay", `{"event_id":"`+tested.ID+`"}`); a.status != 202 || a.body != `{"replayed":1}` {
		t.Fatalf("%d %s", a.status, a.body)
	}
	at.await(t, 1)
	until(t, "the success in the log", is("delivered", 2))
	e := event("firm_acme", webhook.CardDeleted)
	w.happens(e)
	at.await(t, 1)
	until(t, "two deliveries", func() bool { return len(w.log(acme, hook.ID, "?status=delivered").Data) == 2 })
	answers(false, false)
	since := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339Nano)
	if a := w.do(acme, "POST", "/v1/webhooks/"+hook.ID+"/replay", `{"since":"`+since+`"}`); a.status != 202 || a.body != `{"replayed":2}` {
		t.Fatalf("%d %s", a.status, a.body)
	}
	at.await(t, 2)
	seen := map[string]int{}
	for _, m := range at.heard() {
		seen[m.id]++
	}
	if seen[tested.ID] != 3 || seen[e.ID] != 2 {
		t.Errorf("called %v", seen)
	}
	page := w.log(acme, hook.ID, "?limit=1")
	if len(page.Data) != 1 || page.Data[0].Event != e.ID || page.Next == nil || w.log(acme, hook.ID, "?limit=1&cursor="+*page.Next).Data[0].Event != tested.ID {
		t.Errorf("paged %+v", page)
	}
}

// TestWhatWaitsForADeletedEndpointIsDropped and is not sent to anybody.
func TestWhatWaitsForADeletedEndpointIsDropped(t *testing.T) {
	w := newWorld(t)
	at := newReceiver(t, nil)
	hook := w.create(acme, at.url)
	w.happens(event("firm_acme", webhook.CardEnabled))
	if a := w.do(acme, "DELETE", "/v1/webhooks/"+hook.ID, ""); a.status != 200 {
		t.Fatal(a.body)
	}
	again := w.create(acme, at.url)
	w.run()
	w.happens(event("firm_acme", webhook.CardDisabled))
	at.await(t, 1)
	until(t, "the delivery", func() bool { return len(w.log(acme, again.ID, "?status=delivered").Data) == 1 })
	if all := at.heard(); len(all) != 1 || !strings.Contains(all[0].body, webhook.CardDisabled) {
		t.Errorf("got %+v", all)
	}
}

// TestAStoreThatFailsLosesNothing makes each write of a delivery fail once.
func TestAStoreThatFailsLosesNothing(t *testing.T) {
	fault := storetest.NewFault(storetest.New(t))
	w := newWorld(t, func(w *world) { w.db = fault })
	at := newReceiver(t, nil)
	hook := w.create(acme, at.url)
	disk := fmt.Errorf("disk")
	fault.Add(storetest.Rule{Collection: "WebhookDelivery", Op: storetest.Insert, Times: 1, Err: disk})
	announce := webhook.Announce(w.service.Announce)
	done := false
	act := func() error { done = true; return nil }
	if err := announce.Around(t.Context(), event("firm_acme", webhook.CardEnabled), act); err == nil || done {
		t.Errorf("the act was done without its event: %v", err)
	}
	stop := w.run()
	w.happens(event("firm_acme", webhook.CardEnabled))
	at.await(t, 1)
	until(t, "the delivery", func() bool { return len(w.log(acme, hook.ID, "?status=delivered").Data) == 1 })
	stop()
}

// TestBeingStoppedGivesBackWhatIsUnderWay: a delivery that Run cuts short is due
// at once for the next process, and no failure of the firm.
func TestBeingStoppedGivesBackWhatIsUnderWay(t *testing.T) {
	w := newWorld(t)
	first := true
	at := newReceiver(t, nil)
	hanging := newReceiver(t, nil)
	w.cfg.Client = clientFunc(func(ctx context.Context, d webhook.Delivery) (webhook.Answer, error) {
		hanging.got <- struct{}{}
		if first {
			<-ctx.Done()
			return webhook.Answer{}, ctx.Err()
		}
		return webhook.Answer{Status: 200}, nil
	})
	w.open()
	hook := w.create(acme, at.url)
	stop := w.run()
	w.happens(event("firm_acme", webhook.CardEnabled))
	hanging.await(t, 1)
	stop()
	first = false
	if all := w.log(acme, hook.ID, "").Data; all[0].Status != "waiting" || len(all[0].Attempts) != 0 || time.Until(all[0].Next) > 0 {
		t.Errorf("given back as %+v", all[0])
	}
	w.open()
	w.run()
	hanging.await(t, 1)
}

type clientFunc func(ctx context.Context, d webhook.Delivery) (webhook.Answer, error)

func (f clientFunc) Post(ctx context.Context, d webhook.Delivery) (webhook.Answer, error) {
	return f(ctx, d)
}
