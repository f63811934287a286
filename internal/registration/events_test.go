package registration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"ccms/internal/problem"
	"ccms/internal/store/storetest"
	"ccms/internal/webhook"
)

// told is what a firm would be told of.
type told struct {
	mu              sync.Mutex
	announced, sent []webhook.Event
	fail            error
}

func (o *told) announce(_ context.Context, e webhook.Event) (func(), error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		return nil, o.fail
	}
	o.announced = append(o.announced, e)
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.sent = append(o.sent, e)
	}, nil
}

func (o *told) types() (all []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.sent {
		all = append(all, e.Type)
	}
	return all
}

func newTold(t *testing.T) (*world, *told) {
	o := &told{}
	return newWorld(t, func(w *world) { w.announce = o.announce }), o
}

func TestAFirmIsToldWhatWasDecided(t *testing.T) {
	w, o := newTold(t)
	as := client("firm_a", "test")
	want(t, w.do(call{method: "PUT", path: "/v1/settings", as: as, body: `{"verification":{"bin_deny":["555555"]}}`}), 200, "")
	verified, rejected := w.register(as, visa, member{"reference", `"order 1"`}), w.register(as, mastercard)
	if got := o.types(); !slices.Equal(got, []string{webhook.RegistrationVerified, webhook.RegistrationRejected}) {
		t.Fatalf("told %q", got)
	}
	first, second := o.sent[0], o.sent[1]
	if d := first.Data; d.RegistrationID != verified || d.Token != w.statusOf(as, verified).Token || d.Brand != "Visa" || d.Last4 != "1111" ||
		d.Status != "verified" || d.Reference != "order 1" || d.Mode != "test" || first.FirmID != "firm_a" || first.Mode != "test" {
		t.Errorf("told %+v", first)
	}
	if d := second.Data; d.RegistrationID != rejected || d.Token != "" || d.Reason != "bin_denied" || d.Status != "rejected" {
		t.Errorf("told %+v", second)
	}
	for _, e := range o.sent {
		other := e
		other.Type = map[string]string{webhook.RegistrationVerified: webhook.RegistrationRejected, webhook.RegistrationRejected: webhook.RegistrationVerified}[e.Type]
		for e, want := range map[*webhook.Event]bool{&e: true, &other: false} {
			if ok, err := w.service.Happened(t.Context(), *e); ok != want || err != nil {
				t.Errorf("%s happened: %v, %v", e.Type, ok, err)
			}
		}
	}
	foreign := first
	foreign.FirmID = "firm_b"
	if ok, err := w.service.Happened(t.Context(), foreign); ok || err != nil {
		t.Errorf("another firm's happened: %v, %v", ok, err)
	}
}

func TestAFirmIsToldThatOneIsPendingAndWhatBecameOfIt(t *testing.T) {
	w, o := newTold(t)
	as := client("firm_a", "test")
	e := newEndpoint(t, `{"decision":"decline","reason":"customer_blocked"}`)
	want(t, w.do(call{method: "PUT", path: "/v1/settings", as: as, body: fmt.Sprintf(`{"verification":{"endpoint":{"url":%q}}}`, e.url)}), 200, "")
	id := w.register(as, visa)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.service.Run(ctx)
	}()
	defer func() { cancel(); <-done }()
	for deadline := time.Now().Add(2 * time.Minute); len(o.types()) < 2 && time.Now().Before(deadline); <-time.After(5 * time.Millisecond) {
	}
	if got := o.types(); !slices.Equal(got, []string{webhook.RegistrationPending, webhook.RegistrationRejected}) {
		t.Fatalf("told %q", got)
	}
	if d := o.sent[1].Data; d.RegistrationID != id || d.Reason != "customer_blocked" || o.sent[0].ID == o.sent[1].ID {
		t.Errorf("told %+v", o.sent)
	}
	if ok, err := w.service.Happened(t.Context(), o.sent[0]); !ok || err != nil {
		t.Errorf("that it was pending happened: %v, %v", ok, err)
	}
}

// TestNoActWithoutItsEvent would fail if a registration were kept that its firm
// could never be told of, or told of one that was not kept.
func TestNoActWithoutItsEvent(t *testing.T) {
	w, o := newTold(t)
	as := client("firm_a", "test")
	o.fail = problem.Database(errors.New("disk"))
	want(t, w.do(registerCall(as, visa)), 503, "DATABASE_ERROR")
	if p := w.page(as, ""); len(p.Data) != 0 {
		t.Errorf("kept %+v", p.Data)
	}
	o.fail = nil
	w.db.Add(storetest.Rule{Collection: "Registration", Op: storetest.Insert, Times: 1, Err: errors.New("disk")})
	again := registerCall(as, visa)
	again.key = "one"
	want(t, w.do(again), 503, "DATABASE_ERROR")
	if len(o.announced) != 1 || len(o.types()) != 0 {
		t.Fatalf("announced %+v, told %q", o.announced, o.types())
	}
	if ok, err := w.service.Happened(t.Context(), o.announced[0]); ok || err != nil {
		t.Errorf("it happened: %v, %v", ok, err)
	}
}
