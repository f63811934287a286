package keyring

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"ccms/internal/vault"
)

func mustSecrets(t *testing.T, r *Ring, purpose string) vault.Secrets {
	t.Helper()
	s, err := r.Secrets(t.Context(), purpose)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheNextVersionOfASecretIsMadeKnownBeforeItIsActive(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	first := mustSecrets(t, r, "lookup/firm")
	if first.Active.Version != 1 || first.Next.Version != 0 || first.Retired != nil {
		t.Fatalf("%+v", first)
	}
	for range 2 { // the second does nothing
		if v, err := r.Prepare(t.Context(), "lookup/firm"); v != 2 || err != nil {
			t.Fatalf("%d, %v", v, err)
		}
	}
	both := mustSecrets(t, r, "lookup/firm")
	if both.Active.Version != 1 || both.Next.Version != 2 || both.Retired != nil || both.Next.Key.Equal(both.Active.Key) || !both.Active.Key.Equal(first.Active.Key) {
		t.Fatalf("%+v", both)
	}
	if s, err := r.Secret(t.Context(), "lookup/firm"); err != nil || !s.Equal(first.Active.Key) {
		t.Errorf("the secret is not the active one: %v", err)
	}
	if err := r.EndSecret(t.Context(), "lookup/firm", 1); !errors.Is(err, ErrInUse) {
		t.Errorf("the active version is destroyed: %v", err)
	}
	for range 2 {
		must(t, r.Activate(t.Context(), "lookup/firm"))
	}
	after := mustSecrets(t, r, "lookup/firm")
	if after.Active.Version != 2 || after.Next.Version != 0 || len(after.Retired) != 1 || !after.Active.Key.Equal(both.Next.Key) || !after.Retired[0].Key.Equal(first.Active.Key) {
		t.Fatalf("%+v", after)
	}
	for range 2 {
		must(t, r.EndSecret(t.Context(), "lookup/firm", 1))
	}
	if last := mustSecrets(t, h.ring(t), "lookup/firm"); last.Active.Version != 2 || last.Retired != nil {
		t.Errorf("%+v", last)
	}
}

// TestAnActivationCutShortIsEnded would fail if a version that stayed active beside
// the newest one were not retired when it is asked for again.
func TestAnActivationCutShortIsEnded(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	mustSecrets(t, r, "lookup/firm")
	_, err := r.Prepare(t.Context(), "lookup/firm")
	must(t, err)
	s, err := r.reread(t.Context(), r.line("secret/lookup/firm"))
	must(t, err)
	must(t, r.change(t.Context(), "secret/lookup/firm", s.next.version, func(rec *record, _ time.Time) bool {
		rec.State = Active
		return true
	}))
	must(t, r.Activate(t.Context(), "lookup/firm"))
	if got := mustSecrets(t, h.ring(t), "lookup/firm"); got.Active.Version != 2 || len(got.Retired) != 1 {
		t.Errorf("%+v", got)
	}
}

// TestAVersionMadeActiveByOthersIsRefused would fail if somebody with the database
// in hand could bring a version into use, or out of it.
func TestAVersionMadeActiveByOthersIsRefused(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	mustSecrets(t, r, "lookup/firm")
	_, err := r.Prepare(t.Context(), "lookup/firm")
	must(t, err)
	replace(t, h, "secret/lookup/firm/2", func(rec *record) { rec.State = Active })
	if _, err := h.ring(t).Secrets(t.Context(), "lookup/firm"); !errors.Is(err, ErrAltered) {
		t.Errorf("%v", err)
	}
}

func TestOthersHearOfTheNextVersionInTime(t *testing.T) {
	h := newHouse(t)
	one, two := h.ring(t), h.ring(t)
	mustSecrets(t, two, "lookup/firm")
	_, err := one.Prepare(t.Context(), "lookup/firm")
	must(t, err)
	if got := mustSecrets(t, two, "lookup/firm"); got.Next.Version != 0 {
		t.Error("it is read on every call")
	}
	h.clock.Advance(one.Settle() - 2*time.Minute + time.Minute)
	if got := mustSecrets(t, two, "lookup/firm"); got.Next.Version != 2 {
		t.Error("it has not heard of it")
	}
	if h.ring(t).Settle() <= 2*time.Minute {
		t.Error("it waits too short")
	}
}

// TestNobodyWorksWithKeysTwiceAsOldAsTheyMayBe would fail if, while one goroutine is
// stuck reading keys, others went on with old ones without end: an exchange of
// look-up keys relies on a bound.
func TestNobodyWorksWithKeysTwiceAsOldAsTheyMayBe(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	mustSecrets(t, r, "lookup/firm")
	l := r.line("secret/lookup/firm")
	l.turn <- struct{}{} // somebody reads
	h.clock.Advance(2*time.Minute - time.Second)
	mustSecrets(t, r, "lookup/firm") // goes on with what it has
	h.clock.Advance(time.Second)
	var waits sync.WaitGroup
	got := make(chan uint32, 1)
	waits.Go(func() {
		if s, err := r.Secrets(t.Context(), "lookup/firm"); err == nil {
			got <- s.Active.Version
		}
	})
	select {
	case <-got:
		t.Error("it works with keys of two minutes ago")
	case <-time.After(50 * time.Millisecond):
	}
	<-l.turn
	waits.Wait()
	if v := <-got; v != 1 {
		t.Error(v)
	}
}

func TestAShreddedKeyIsGoneForGood(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	w := mustWrap(t, r, "firm_a/live", "record key", "")
	_, err := r.Rotate(t.Context(), "firm_a/live")
	must(t, err)
	other := mustWrap(t, r, "firm_b/live", "record key", "")
	must(t, r.Shred(t.Context(), "owner", "firm_a/live"))
	must(t, r.Shred(t.Context(), "owner", "firm_a/live"))
	must(t, r.Shred(t.Context(), "owner", "nobody"))
	for _, ring := range []*Ring{r, h.ring(t)} {
		if _, err := ring.Unwrap(t.Context(), "firm_a/live", w, nil); !errors.Is(err, ErrOpen) {
			t.Errorf("it opens: %v", err)
		}
		if _, err := ring.Wrap(t.Context(), "firm_a/live", []byte("k"), nil); err == nil {
			t.Error("it seals under a new version")
		}
		if key, err := ring.Unwrap(t.Context(), "firm_b/live", other, nil); err != nil || !bytes.Equal(key.Reveal(), []byte("record key")) {
			t.Errorf("another owner's: %v", err)
		}
	}
	if rec := stored(t, h, "owner/firm_a/live/2"); rec.State != Destroyed || rec.Destroyed == nil {
		t.Errorf("%+v", rec)
	}
}
