package keyring

import (
	"errors"
	"testing"

	"ccms/internal/store/storetest"
)

// TestKeysMoveToAnotherRootAndAMoveCutShortGoesOn ends a move at every write. It
// would fail if a key were left under a root that nobody opens the store with.
func TestKeysMoveToAnotherRootAndAMoveCutShortGoesOn(t *testing.T) {
	for skip := range 6 {
		h := newHouse(t)
		r := h.ring(t)
		w := mustWrap(t, r, "firm_a/live", "record key", "")
		_, err := r.Rotate(t.Context(), "firm_a/live")
		must(t, err)
		must(t, r.Destroy(t.Context(), "firm_a/live", 1))
		w2 := mustWrap(t, r, "firm_a/live", "record key", "")
		secret, err := r.Secret(t.Context(), "audit")
		must(t, err)
		to := testRoot(t)
		h.fault.Add(storetest.Rule{Collection: "Key", Op: storetest.Replace, Skip: skip, Times: 1, Err: errors.New("power failure")})
		first, err := r.Move(t.Context(), to)
		h.fault.Clear()
		if skip < 4 { // four rows
			if err == nil {
				t.Fatalf("cut at %d: %d moved", skip, first)
			}
			second, err := h.ring(t).Move(t.Context(), to) // still opens under the old root
			if err != nil || first+second != 4 {
				t.Fatalf("cut at %d: moved %d, then %d, %v", skip, first, second, err)
			}
		} else if err != nil || first != 4 {
			t.Fatalf("moved %d, %v", first, err)
		}
		if _, err := Open(t.Context(), Config{Root: h.root, DB: h.db, Environment: "test"}); !errors.Is(err, ErrRoot) {
			t.Errorf("the old root opens it: %v", err)
		}
		h.root = to
		moved := h.ring(t)
		if got, err := moved.Secret(t.Context(), "audit"); err != nil || !got.Equal(secret) {
			t.Errorf("another secret: %v", err)
		}
		if _, err := moved.Unwrap(t.Context(), "firm_a/live", w, nil); !errors.Is(err, ErrOpen) {
			t.Errorf("a destroyed version: %v", err)
		}
		if _, err := moved.Unwrap(t.Context(), "firm_a/live", w2, nil); err != nil {
			t.Error(err)
		}
	}
}

func TestAnAlteredRowIsNotMoved(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	mustWrap(t, r, "firm_a/live", "record key", "")
	replace(t, h, "owner/firm_a/live/1", func(rec *record) { rec.State = DecryptOnly })
	if _, err := r.Move(t.Context(), testRoot(t)); !errors.Is(err, ErrAltered) {
		t.Errorf("%v", err)
	}
	h.ring(t) // the old root is still the one
}
