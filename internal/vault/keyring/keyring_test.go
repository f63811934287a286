package keyring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ccms/internal/problem"
	"ccms/internal/store/storetest"
	"ccms/internal/vault"
)

func TestWrappedKeyOpensForItsOwnerAndDataAlone(t *testing.T) {
	r := newHouse(t).ring(t)
	w := mustWrap(t, r, "firm-a", "record key", "place")
	mustWrap(t, r, "firm-b", "other key", "place")
	if key, err := r.Unwrap(t.Context(), "firm-a", w, []byte("place")); err != nil || string(key.Reveal()) != "record key" {
		t.Fatalf("%s, %v", key.Reveal(), err)
	}
	other := mustWrap(t, r, "firm-b", "other key", "place")
	refused := map[string]struct {
		owner, aad string
		w          vault.Wrapped
	}{
		"another owner":          {"firm-b", "place", w},
		"an unknown owner":       {"firm-c", "place", w},
		"other additional data":  {"firm-a", "elsewhere", w},
		"no additional data":     {"firm-a", "", w},
		"another owner's key id": {"firm-a", "place", vault.Wrapped{KeyID: other.KeyID, Version: w.Version, Key: w.Key}},
		"an unknown version":     {"firm-a", "place", vault.Wrapped{KeyID: w.KeyID, Version: 2, Key: w.Key}},
		"version 0":              {"firm-a", "place", vault.Wrapped{KeyID: w.KeyID, Version: 0, Key: w.Key}},
		"another owner's wrap":   {"firm-a", "place", vault.Wrapped{KeyID: w.KeyID, Version: w.Version, Key: other.Key}},
		"no wrap":                {"firm-a", "place", vault.Wrapped{KeyID: w.KeyID, Version: w.Version}},
		"the wrap's beginning":   {"firm-a", "place", vault.Wrapped{KeyID: w.KeyID, Version: w.Version, Key: w.Key[:len(w.Key)-1]}},
		"the wrap and something": {"firm-a", "place", vault.Wrapped{KeyID: w.KeyID, Version: w.Version, Key: append(bytes.Clone(w.Key), 0)}},
	}
	for name, c := range refused {
		t.Run(name, func(t *testing.T) {
			key, err := r.Unwrap(t.Context(), c.owner, c.w, []byte(c.aad))
			if !errors.Is(err, ErrOpen) || key.Len() != 0 {
				t.Errorf("%v, %v", key.Len(), err)
			}
		})
	}
}

func TestUnwrapMakesNoKey(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	before := h.db.writes.Load()
	if _, err := r.Unwrap(t.Context(), "nobody", vault.Wrapped{KeyID: "x", Version: 1, Key: make([]byte, 200)}, nil); !errors.Is(err, ErrOpen) {
		t.Fatal(err)
	}
	if _, err := r.Open(t.Context(), "nothing", "x", make([]byte, 200)); !errors.Is(err, ErrOpen) {
		t.Fatal(err)
	}
	if n := h.db.writes.Load() - before; n != 0 {
		t.Errorf("%d writes", n)
	}
}

func TestSecretIsMadeOnceAndKeptForEveryProcess(t *testing.T) {
	h := newHouse(t)
	one, two := h.ring(t), h.ring(t)
	a, err := one.Secret(t.Context(), "audit")
	if err != nil || a.Len() != KeySize {
		t.Fatal(a.Len(), err)
	}
	b, err := two.Secret(t.Context(), "audit")
	if err != nil || !a.Equal(b) {
		t.Errorf("another process has another secret, %v", err)
	}
	c, err := two.Secret(t.Context(), "limit")
	if err != nil || a.Equal(c) {
		t.Errorf("two purposes share a secret, %v", err)
	}
}

func TestSecretBelongsToTheCaller(t *testing.T) {
	r := newHouse(t).ring(t)
	a, err := r.Secret(t.Context(), "audit")
	if err != nil {
		t.Fatal(err)
	}
	a.Wipe()
	b, err := r.Secret(t.Context(), "audit")
	if err != nil || bytes.Equal(b.Reveal(), make([]byte, KeySize)) || b.Len() != KeySize {
		t.Error("wiping one copy wiped the key")
	}
}

func TestSealedValueOpensForItsPurposeAndIDAlone(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	sealed, err := r.Seal(t.Context(), "outbox", "message-1", []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Seal(t.Context(), "signing", "message-1", []byte("content")); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("content")) {
		t.Error("the content is readable")
	}
	if v, err := h.ring(t).Open(t.Context(), "outbox", "message-1", sealed); err != nil || string(v.Reveal()) != "content" {
		t.Errorf("another process reads %q, %v", v.Reveal(), err)
	}
	for name, at := range map[string][2]string{
		"another id": {"outbox", "message-2"}, "no id": {"outbox", ""}, "another purpose": {"signing", "message-1"}, "an unknown purpose": {"x", "message-1"},
	} {
		if _, err := r.Open(t.Context(), at[0], at[1], sealed); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range sealed {
		if _, err := r.Open(t.Context(), "outbox", "message-1", sealed[:i]); !errors.Is(err, ErrOpen) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
		for bit := range 8 {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1 << bit
			if _, err := r.Open(t.Context(), "outbox", "message-1", bad); !errors.Is(err, ErrOpen) {
				t.Fatalf("bit %d of byte %d changed: %v", bit, i, err)
			}
		}
	}
}

func TestSealKeepsAnySizeUpToItsLimit(t *testing.T) {
	r := newHouse(t).ring(t)
	for _, size := range []int{0, 1, 1000, MaxValue} {
		sealed, err := r.Seal(t.Context(), "outbox", "id", make([]byte, size))
		if err != nil {
			t.Fatal(err)
		}
		if v, err := r.Open(t.Context(), "outbox", "id", sealed); err != nil || v.Len() != size {
			t.Errorf("%d bytes come back as %d, %v", size, v.Len(), err)
		}
	}
	if _, err := r.Seal(t.Context(), "outbox", "id", make([]byte, MaxValue+1)); err == nil {
		t.Error("takes more than MaxValue")
	}
}

func TestUsesDoNotShareKeys(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	mustWrap(t, r, "same", "k", "")
	if _, err := r.Secret(t.Context(), "same"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Seal(t.Context(), "same", "id", nil); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, u := range []use{forOwner, forSecret, forValues} {
		k, err := r.active(t.Context(), lineName(u, "same"))
		if err != nil {
			t.Fatal(err)
		}
		if other := seen[string(k.secret.Reveal())]; other != "" {
			t.Errorf("%s and %s share a key", u, other)
		}
		seen[string(k.secret.Reveal())] = string(u)
	}
}

func TestNamesAreBounded(t *testing.T) {
	r := newHouse(t).ring(t)
	for _, name := range []string{"", strings.Repeat("x", maxName+1)} {
		if _, err := r.Wrap(t.Context(), name, []byte("k"), nil); err == nil {
			t.Errorf("Wrap takes an owner of %d bytes", len(name))
		}
		if _, err := r.Secret(t.Context(), name); err == nil {
			t.Errorf("Secret takes a purpose of %d bytes", len(name))
		}
		if _, err := r.Unwrap(t.Context(), name, vault.Wrapped{}, nil); err == nil {
			t.Errorf("Unwrap takes an owner of %d bytes", len(name))
		}
	}
}

// Owners whose names could be confused in an id have keys of their own.
func TestOwnersWithSlashesAndDigitsStayApart(t *testing.T) {
	r := newHouse(t).ring(t)
	ids := map[string]string{}
	for _, owner := range []string{"a", "a/1", "a/1/1", "1", "a/owner/a", "../a", "A", "a/", "/"} {
		w := mustWrap(t, r, owner, "k", "")
		if other, taken := ids[w.KeyID]; taken {
			t.Errorf("%s and %s share key %s", owner, other, w.KeyID)
		}
		ids[w.KeyID] = owner
	}
}

func TestManyGoroutinesAndProcessesMakeOneKey(t *testing.T) {
	h := newHouse(t)
	rings := []*Ring{h.ring(t), h.ring(t), h.ring(t), h.ring(t)}
	for round := range 20 {
		owner := fmt.Sprintf("firm-%d", round)
		wraps := make([]vault.Wrapped, 32)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for i := range wraps {
			wg.Go(func() {
				<-start
				var err error
				if wraps[i], err = rings[i%len(rings)].Wrap(t.Context(), owner, fmt.Appendf(nil, "key %d", i), nil); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		for i, w := range wraps {
			if w.KeyID != wraps[0].KeyID || w.Version != 1 {
				t.Fatalf("round %d: keys %s and %s", round, w.KeyID, wraps[0].KeyID)
			}
			key, err := rings[(i+1)%len(rings)].Unwrap(t.Context(), owner, w, nil)
			if err != nil || string(key.Reveal()) != fmt.Sprintf("key %d", i) {
				t.Fatalf("round %d: %v", round, err)
			}
		}
	}
}

func TestKeysAreReadOnceAndThenOncePerRefresh(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	w := mustWrap(t, r, "firm", "k", "")
	before := h.db.reads.Load()
	for range 100 {
		mustWrap(t, r, "firm", "k", "")
		if _, err := r.Unwrap(t.Context(), "firm", w, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := h.db.reads.Load() - before; n != 0 {
		t.Errorf("%d reads of the store for cached keys", n)
	}
	h.clock.Advance(time.Minute)
	for range 100 {
		mustWrap(t, r, "firm", "k", "")
	}
	if n := h.db.reads.Load() - before; n != 1 {
		t.Errorf("%d reads of the store after a minute", n)
	}
}

func TestFailureOfTheStoreIsNoErrOpen(t *testing.T) {
	h := newHouse(t)
	writer, reader := h.ring(t), h.ring(t)
	w := mustWrap(t, writer, "firm", "k", "")
	h.fault.Add(storetest.Rule{Err: errors.New("disk on fire")})
	_, err := reader.Unwrap(t.Context(), "firm", w, nil)
	if errors.Is(err, ErrOpen) || !errors.Is(err, problem.Database(nil)) {
		t.Errorf("unwrap: %v", err)
	}
	if _, err := reader.Wrap(t.Context(), "firm", []byte("k"), nil); !errors.Is(err, problem.Database(nil)) {
		t.Errorf("wrap: %v", err)
	}
	h.fault.Clear()
	if _, err := reader.Unwrap(t.Context(), "firm", w, nil); err != nil {
		t.Errorf("after recovery: %v", err)
	}
}

// Whoever waits for a key that somebody else is reading stops waiting when its
// own context ends.
func TestWaitingForAKeyEndsWithTheContext(t *testing.T) {
	r := newHouse(t).ring(t)
	l := r.line(lineName(forOwner, "firm"))
	l.turn <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Wrap(ctx, "firm", []byte("k"), nil); !errors.Is(err, ctx.Err()) {
		t.Errorf("error %v", err)
	}
	<-l.turn
	mustWrap(t, r, "firm", "k", "")
}

// Somebody refreshes and reads the store just before another process rotates:
// who waited for that one still finds the new version.
func TestVersionMadeDuringAnothersRefreshIsFound(t *testing.T) {
	h := newHouse(t)
	one, two := h.ring(t), h.ring(t)
	mustWrap(t, one, "firm", "k", "")
	mustWrap(t, two, "firm", "k", "")
	l := two.line(lineName(forOwner, "firm"))
	l.turn <- struct{}{}
	early, err := two.load(t.Context(), l) // does not have version 2
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.Rotate(t.Context(), "firm"); err != nil {
		t.Fatal(err)
	}
	w := mustWrap(t, one, "firm", "k", "")
	l.seen.Store(&snapshot{})
	waiting := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	wg.Go(func() {
		s, err := two.look(t.Context(), l, func(s *snapshot) bool {
			once.Do(func() { close(waiting) })
			return s.keys[w.Version] != nil
		})
		if err != nil || s.keys[w.Version] == nil {
			t.Errorf("version %d is not found, %v", w.Version, err)
		}
	})
	<-waiting
	l.seen.Store(early)
	<-l.turn
	wg.Wait()
}

func TestBothEndsOfEveryWrapAgree(t *testing.T) {
	r := newHouse(t).ring(t)
	rapid.Check(t, func(rt *rapid.T) {
		owner := rapid.StringN(1, 40, maxName).Draw(rt, "owner")
		key := rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(rt, "key")
		aad := rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(rt, "aad")
		w, err := r.Wrap(t.Context(), owner, key, aad)
		if err != nil {
			rt.Fatal(err)
		}
		if got, err := r.Unwrap(t.Context(), owner, w, aad); err != nil || !bytes.Equal(got.Reveal(), key) {
			rt.Fatalf("%x, %v", got.Reveal(), err)
		}
	})
}
