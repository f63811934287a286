package keyring

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"ccms/internal/store/storetest"
	"ccms/internal/vault"
)

func TestRotateSealsUnderTheNewVersionAndStillOpensTheOld(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	old := []vault.Wrapped{mustWrap(t, r, "firm", "key 1", "")}
	for version := uint32(2); version <= 20; version++ {
		h.clock.Advance(time.Hour)
		if v, err := r.Rotate(t.Context(), "firm"); err != nil || v != version {
			t.Fatalf("rotated to %d, %v", v, err)
		}
		w := mustWrap(t, r, "firm", "key 1", "")
		if w.Version != version || w.KeyID != old[0].KeyID {
			t.Fatalf("wraps under %s version %d", w.KeyID, w.Version)
		}
		old = append(old, w)
	}
	for _, ring := range []*Ring{r, h.ring(t)} {
		for _, w := range old {
			if key, err := ring.Unwrap(t.Context(), "firm", w, nil); err != nil || string(key.Reveal()) != "key 1" {
				t.Errorf("version %d: %v", w.Version, err)
			}
		}
	}
	first, last := stored(t, h, "owner/firm/1"), stored(t, h, "owner/firm/20")
	if first.State != DecryptOnly || first.Retired == nil || !first.Retired.Equal(first.Created.Add(time.Hour)) {
		t.Errorf("the first version is %s, retired %v", first.State, first.Retired)
	}
	if last.State != Active || last.Retired != nil || !last.Created.Equal(h.clock.Now()) {
		t.Errorf("the last version is %s, retired %v", last.State, last.Retired)
	}
}

func TestVersionsHaveDifferentKeys(t *testing.T) {
	r := newHouse(t).ring(t)
	one := mustWrap(t, r, "firm", "k", "")
	if _, err := r.Rotate(t.Context(), "firm"); err != nil {
		t.Fatal(err)
	}
	two := mustWrap(t, r, "firm", "k", "")
	one.Version, two.Version = two.Version, one.Version
	for _, w := range []vault.Wrapped{one, two} {
		if _, err := r.Unwrap(t.Context(), "firm", w, nil); !errors.Is(err, ErrOpen) {
			t.Errorf("a wrap opens under another version: %v", err)
		}
	}
}

func TestRotateConcernsOneOwner(t *testing.T) {
	r := newHouse(t).ring(t)
	mustWrap(t, r, "firm-a", "k", "")
	mustWrap(t, r, "firm-b", "k", "")
	if _, err := r.Rotate(t.Context(), "firm-a"); err != nil {
		t.Fatal(err)
	}
	if w := mustWrap(t, r, "firm-b", "k", ""); w.Version != 1 {
		t.Errorf("firm-b is at version %d", w.Version)
	}
}

func TestOtherProcessesFollowARotation(t *testing.T) {
	h := newHouse(t)
	one, two := h.ring(t), h.ring(t)
	mustWrap(t, one, "firm", "k", "")
	mustWrap(t, two, "firm", "k", "")
	if _, err := one.Rotate(t.Context(), "firm"); err != nil {
		t.Fatal(err)
	}
	w := mustWrap(t, one, "firm", "k", "")
	if got := mustWrap(t, two, "firm", "k", ""); got.Version != 1 {
		t.Fatalf("the other process already wraps under %d", got.Version)
	}
	h.clock.Advance(59 * time.Second)
	if got := mustWrap(t, two, "firm", "k", ""); got.Version != 1 {
		t.Errorf("after 59 s it wraps under %d", got.Version)
	}
	h.clock.Advance(time.Second)
	if got := mustWrap(t, two, "firm", "k", ""); got.Version != 2 {
		t.Errorf("after a minute it wraps under %d", got.Version)
	}
	if _, err := two.Unwrap(t.Context(), "firm", w, nil); err != nil {
		t.Errorf("it does not open the new version: %v", err)
	}
}

func TestAnotherProcessOpensANewVersionAtOnce(t *testing.T) {
	h := newHouse(t)
	one, two := h.ring(t), h.ring(t)
	mustWrap(t, one, "firm", "k", "")
	mustWrap(t, two, "firm", "k", "")
	if _, err := one.Rotate(t.Context(), "firm"); err != nil {
		t.Fatal(err)
	}
	if key, err := two.Unwrap(t.Context(), "firm", mustWrap(t, one, "firm", "k", ""), nil); err != nil || string(key.Reveal()) != "k" {
		t.Errorf("%v", err)
	}
	if w := mustWrap(t, two, "firm", "k", ""); w.Version != 2 {
		t.Errorf("having seen version 2 it wraps under %d", w.Version)
	}
}

func TestRotationUnderLoadFailsNobody(t *testing.T) {
	h := newHouse(t)
	rings := []*Ring{h.ring(t), h.ring(t)}
	done := make(chan struct{})
	var load, rotation sync.WaitGroup
	for i := range 4 {
		load.Go(func() {
			for n := 0; ; n++ {
				w, err := rings[i%2].Wrap(t.Context(), "firm", []byte("k"), nil)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := rings[(i+n)%2].Unwrap(t.Context(), "firm", w, nil); err != nil {
					t.Errorf("version %d: %v", w.Version, err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 2 {
		rotation.Go(func() {
			for range 3 {
				if _, err := rings[i].Rotate(t.Context(), "firm"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	rotation.Wait()
	close(done)
	load.Wait()
	newest, err := h.ring(t).active(t.Context(), "owner/firm")
	if err != nil || newest.version < 4 || newest.version > 7 {
		t.Fatalf("6 rotations by two processes end at %v, %v", newest.version, err)
	}
	for v := range newest.version - 1 {
		if s := stored(t, h, record{Line: "owner/firm", Version: int64(v + 1)}.id()); s.State != DecryptOnly {
			t.Errorf("version %d is %s", v+1, s.State)
		}
	}
}

func TestRotationCutShortIsFinishedByTheNext(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	mustWrap(t, r, "firm", "k", "")
	h.fault.Add(storetest.Rule{Op: storetest.Replace, Err: errors.New("connection lost")})
	if _, err := r.Rotate(t.Context(), "firm"); err == nil {
		t.Fatal("no error")
	}
	h.fault.Clear()
	fresh := h.ring(t)
	if w := mustWrap(t, fresh, "firm", "k", ""); w.Version != 2 {
		t.Errorf("of two active versions it wraps under %d", w.Version)
	}
	if v, err := fresh.Rotate(t.Context(), "firm"); err != nil || v != 3 {
		t.Fatalf("rotated to %d, %v", v, err)
	}
	for id, want := range map[string]State{"owner/firm/1": DecryptOnly, "owner/firm/2": DecryptOnly, "owner/firm/3": Active} {
		if s := stored(t, h, id); s.State != want {
			t.Errorf("%s is %s", id, s.State)
		}
	}
}

func TestRetiredVersionNeverSeals(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	w := mustWrap(t, r, "firm", "k", "")
	if err := r.retire(t.Context(), "owner/firm", 1); err != nil {
		t.Fatal(err)
	}
	fresh := h.ring(t)
	if _, err := fresh.Wrap(t.Context(), "firm", []byte("k"), nil); err == nil {
		t.Error("wraps under a retired version")
	}
	if _, err := fresh.Unwrap(t.Context(), "firm", w, nil); err != nil {
		t.Errorf("a retired version does not open: %v", err)
	}
}

func TestDestroyedVersionOpensNothing(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	w := mustWrap(t, r, "firm", "k", "")
	if _, err := r.Rotate(t.Context(), "firm"); err != nil {
		t.Fatal(err)
	}
	kept := mustWrap(t, r, "firm", "k", "")
	if err := r.Destroy(t.Context(), "firm", 2); !errors.Is(err, ErrInUse) {
		t.Errorf("the active version: %v", err)
	}
	before := stored(t, h, "owner/firm/1").Wrapped
	for range 2 {
		if err := h.ring(t).Destroy(t.Context(), "firm", 1); err != nil {
			t.Fatal(err)
		}
	}
	row := stored(t, h, "owner/firm/1")
	if row.State != Destroyed || row.Destroyed == nil || bytes.Contains(row.Wrapped, before) || len(row.Wrapped) >= len(before) {
		t.Errorf("stored %+v", row)
	}
	h.clock.Advance(time.Minute)
	for what, ring := range map[string]*Ring{"a fresh process": h.ring(t), "one that had it cached": r} {
		if _, err := ring.Unwrap(t.Context(), "firm", w, nil); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := ring.Unwrap(t.Context(), "firm", kept, nil); err != nil {
			t.Errorf("%s does not open the other version: %v", what, err)
		}
		mustWrap(t, ring, "firm", "k", "")
	}
}
