package keyring

import (
	"testing"
	"time"
)

func TestTheOldestKeyInUseIsKnown(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	if age := r.Oldest(); age != 0 {
		t.Errorf("of no keys: %v", age)
	}
	mustWrap(t, r, "first firm", "key", "")
	if _, err := r.Seal(t.Context(), "letters", "id", []byte("waits")); err != nil { // which no rotation ends
		t.Fatal(err)
	}
	h.clock.Advance(48 * time.Hour)
	if _, err := r.Seal(t.Context(), "letters", "id", []byte("waits")); err != nil {
		t.Fatal(err)
	}
	mustWrap(t, r, "second firm", "key", "")
	if age := r.Oldest(); age != 0 {
		t.Errorf("of one made now and one not used for days: %v", age)
	}
	mustWrap(t, r, "first firm", "key", "")
	if age := r.Oldest(); age != 48*time.Hour {
		t.Errorf("of one made now and one made two days ago: %v", age)
	}
	if _, err := r.Rotate(t.Context(), "first firm"); err != nil {
		t.Fatal(err)
	}
	if age := r.Oldest(); age != 0 {
		t.Errorf("after a rotation: %v", age)
	}
}
