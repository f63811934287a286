package outbox

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"ccms/internal/store"
)

// coded is an error with a class.
type coded struct{ code int }

func (coded) Error() string   { return "ann@example.com is unknown" }
func (c coded) Class() string { return fmt.Sprint("recipient ", c.code) }

func TestListShowsWhatWaitsAndWhatIsDead(t *testing.T) {
	f := setUp(t, nil)
	for _, m := range []Message{message("waits"), message("fails"), message("dies"), {ID: "other", Kind: "x"}} {
		put(t, f.Queue, m)
		f.clock.Advance(time.Second)
	}
	for id, failure := range map[string]error{"fails": context.DeadlineExceeded, "dies": Permanent(coded{550})} {
		r, err := f.docs.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if r, err = f.take(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if l, _ := f.letter(id); !l.Leased {
			t.Errorf("%s is not marked as taken", id)
		}
		if err := f.settle(t.Context(), r, failure, f.cfg.Log); err != nil {
			t.Fatal(err)
		}
	}
	items, err := f.List(t.Context(), "k")
	if err != nil || len(items) != 3 {
		t.Fatalf("%+v, %v", items, err)
	}
	want := []Item{{ID: "waits", State: queued}, {ID: "fails", State: queued, Tries: 1, Failure: "timeout"}, {ID: "dies", State: dead, Tries: 1, Failure: "recipient 550"}}
	for i, it := range items {
		w := want[i]
		if it.ID != w.ID || it.Kind != "k" || it.State != w.State || it.Tries != w.Tries || it.Failure != w.Failure || it.Leased || it.Created.IsZero() || it.Due.IsZero() != (w.State == dead) {
			t.Errorf("%+v, want %+v", it, w)
		}
	}
}

func TestRetryOfADeadMessageDelivers(t *testing.T) {
	f := setUp(t, func(c *Config) { c.Retry = Retry{MaxAge: time.Hour, Delays: []time.Duration{time.Second}} })
	run(t, f.Queue)
	put(t, f.Queue, message("m"))
	(<-f.calls).answer <- Permanent(coded{550})
	f.until("it is dead", func() bool { l, _ := f.letter("m"); return l.State == dead })
	f.clock.Advance(2 * time.Hour) // past its MaxAge
	if err := f.Retry(t.Context(), "k", "m"); err != nil {
		t.Fatal(err)
	}
	(<-f.calls).answer <- errDown
	l := f.putOff("m", 1) // and not dead for its age
	if l.Expires != nil || l.Failure != "failed" {
		t.Errorf("%+v", l)
	}
	if err := f.Retry(t.Context(), "k", "m"); err != nil {
		t.Fatal(err)
	}
	(<-f.calls).answer <- nil // at once, without the delay
	f.gone("m")
}

func TestRetryRefuses(t *testing.T) {
	f := setUp(t, nil)
	put(t, f.Queue, Message{ID: "other", Kind: "x"})
	for _, id := range []string{"none", "other"} {
		if err := f.Retry(t.Context(), "k", id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
	run(t, f.Queue)
	put(t, f.Queue, message("m"))
	c := <-f.calls
	if err := f.Retry(t.Context(), "k", "m"); !errors.Is(err, ErrBusy) {
		t.Errorf("while it is handled: %v", err)
	}
	c.answer <- nil
	f.gone("m")
}

func TestRetryAfterALeaseRanOut(t *testing.T) {
	f := setUp(t, nil)
	put(t, f.Queue, message("m"))
	r, err := f.docs.Get(t.Context(), "m")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.take(t.Context(), r); err != nil { // and crash
		t.Fatal(err)
	}
	f.clock.Advance(f.cfg.Lease + 2*time.Minute)
	if err := f.Retry(t.Context(), "k", "m"); err != nil {
		t.Errorf("after the lease: %v", err)
	}
}
