package firmcard_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"ccms/internal/registration/firmcard"
	"ccms/internal/store"
	"ccms/internal/vault/keyring"
	"ccms/internal/vault/rewrap"
)

// TestEverySealedValueIsToldToWhoeverLooksAfterKeys would fail if a document got
// a further sealed field that rotation does not know of.
func TestEverySealedValueIsToldToWhoeverLooksAfterKeys(t *testing.T) {
	w := newWorld(t)
	for _, number := range []string{"4111111111111111", "5555555555554444"} {
		_, err := w.service.Put(t.Context(), deposit(t, acme, "test", number))
		must(t, err)
	}
	c, err := w.service.Put(t.Context(), deposit(t, acme, "live", "4242424242424242"))
	must(t, err)
	if a := w.do(acmeLive, "DELETE", "/v1/cards/"+c.Token, ""); a.status != 200 {
		t.Fatal(a)
	}
	stored := 0
	for d, err := range w.collection().Find(t.Context(), store.Query{}) {
		must(t, err)
		stored += bytes.Count(d.Body, []byte("AES256{"))
	}
	counts := rewrap.NewCounts()
	whole, err := w.service.Sealed().Count(t.Context(), counts, 0)
	if err != nil || !whole || len(counts.Sealed) != 1 || len(counts.Filed) != 1 || stored != 4 {
		t.Fatalf("%v, %v, %d stored, %v", counts, whole, stored, err)
	}
	for v, n := range counts.Sealed {
		if n != int64(stored) || v.KeyID == "" || v.Number != 1 {
			t.Errorf("%d under %+v", n, v)
		}
	}
}

// A firm whose key is destroyed has cards that nobody can read any more; those of
// others, and those moved to the next version before, can be read.
func TestCardsUnderADestroyedKeyAreUnreadable(t *testing.T) {
	w := newWorld(t)
	ring, err := keyring.Open(t.Context(), keyring.Config{Root: w.root, DB: w.db, Now: w.now})
	must(t, err)
	put := func(firm string) firmcard.Card {
		c, err := w.service.Put(t.Context(), deposit(t, firm, "test", "4111111111111111"))
		must(t, err)
		return c
	}
	mine, theirs := put(acme), put(other)
	_, err = ring.Rotate(t.Context(), acme+"/test")
	must(t, err)
	must(t, ring.Destroy(t.Context(), acme+"/test", 1))
	w.clock.Advance(2 * time.Minute)
	if a := w.reveal(acmeTest, mine.Token); a.status != 403 || strings.Contains(a.body, "4111") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := w.reveal(otherTest, theirs.Token); a.status != 200 {
		t.Errorf("another firm's: %d %s", a.status, a.body)
	}
}
