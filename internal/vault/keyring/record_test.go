package keyring

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

func TestRootOfAnotherInstallationIsRefused(t *testing.T) {
	h := newHouse(t)
	h.ring(t)
	for name, c := range map[string]Config{
		"another key file":        {Root: testRoot(t), DB: h.db, Environment: "test"},
		"another environment":     {Root: h.root, DB: h.db, Environment: "live"},
		"the default environment": {Root: h.root, DB: h.db},
	} {
		r, err := Open(t.Context(), c)
		if !errors.Is(err, ErrRoot) || r != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(err.Error(), "does not belong to this data") {
			t.Errorf("%s: the error says %q", name, err)
		}
	}
	if _, err := Open(t.Context(), Config{Root: testRoot(t), DB: h.db, Collection: "Other"}); err != nil {
		t.Errorf("another collection: %v", err)
	}
}

func TestOpenFailsWithTheStore(t *testing.T) {
	h := newHouse(t)
	h.fault.Add(storetest.Rule{Err: errors.New("disk on fire")})
	if _, err := Open(t.Context(), Config{Root: h.root, DB: h.db}); err == nil || errors.Is(err, ErrRoot) {
		t.Errorf("error %v", err)
	}
}

func TestStoredKeysAreWrapped(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	mustWrap(t, r, "firm", "k", "")
	s, err := r.Secret(t.Context(), "audit")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rec, err := range h.records(t).Find(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		v := rec.Value
		if len(v.Wrapped) < KeySize+gcmOverhead || strings.Contains(string(v.Wrapped), string(s.Reveal())) {
			t.Errorf("%s is not wrapped", rec.ID)
		}
		if v.State != Active || v.Version != 1 || !v.Created.Equal(h.clock.Now()) || v.Retired != nil || v.Destroyed != nil {
			t.Errorf("%s: %+v", rec.ID, v)
		}
	}
	if n != 3 {
		t.Errorf("%d keys: the root's mark, an owner's, a secret", n)
	}
}

// Whoever can write to the store but has no root cannot make the ring use a key
// of his choice (PCI DSS 3.7.7).
func TestSubstitutedKeyIsRefused(t *testing.T) {
	change := map[string]func(t *testing.T, h *house, v *record){
		"one bit of the wrap": func(_ *testing.T, _ *house, v *record) { v.Wrapped[len(v.Wrapped)/2] ^= 1 },
		"no wrap":             func(_ *testing.T, _ *house, v *record) { v.Wrapped = nil },
		"a shorter wrap":      func(_ *testing.T, _ *house, v *record) { v.Wrapped = v.Wrapped[1:] },
		"another key id":      func(_ *testing.T, _ *house, v *record) { v.Key += "x" },
		"another version":     func(_ *testing.T, _ *house, v *record) { v.Version = 2 },
		"a version below 1":   func(_ *testing.T, _ *house, v *record) { v.Version = -1 },
		"another state":       func(_ *testing.T, _ *house, v *record) { v.State = DecryptOnly },
		"an unknown state":    func(_ *testing.T, _ *house, v *record) { v.State = "pending" },
		"destroyed by others": func(_ *testing.T, h *house, v *record) { v.State, v.Destroyed = Destroyed, new(h.clock.Now()) },
		"destroyed, no wrap":  func(_ *testing.T, _ *house, v *record) { v.State, v.Wrapped = Destroyed, nil },
		"a date of retiring":  func(_ *testing.T, h *house, v *record) { v.Retired = new(h.clock.Now()) },
		"another date":        func(_ *testing.T, _ *house, v *record) { v.Created = v.Created.Add(time.Hour) },
		"another owner's row": func(t *testing.T, h *house, v *record) {
			line := v.Line
			*v = stored(t, h, "owner/firm-b/1")
			v.Line = line
		},
		"another owner's wrap and key id": func(t *testing.T, h *house, v *record) {
			b := stored(t, h, "owner/firm-b/1")
			v.Wrapped, v.Key = b.Wrapped, b.Key
		},
		"a secret's row": func(t *testing.T, h *house, v *record) {
			s := stored(t, h, "secret/audit/1")
			v.Wrapped, v.Key, v.Created = s.Wrapped, s.Key, s.Created
		},
		"a key under another root": func(t *testing.T, h *house, v *record) {
			other := &Ring{root: testRoot(t), environment: "test"}
			wrapped, err := other.root.Wrap(t.Context(), make([]byte, KeySize), other.bindRecord(*v))
			if err != nil {
				t.Fatal(err)
			}
			v.Wrapped = wrapped
		},
		"a key of another environment": func(t *testing.T, h *house, v *record) {
			other := &Ring{root: h.root, environment: "live"}
			wrapped, err := other.root.Wrap(t.Context(), make([]byte, KeySize), other.bindRecord(*v))
			if err != nil {
				t.Fatal(err)
			}
			v.Wrapped = wrapped
		},
		"a short key": func(t *testing.T, h *house, v *record) {
			wrapped, err := h.root.Wrap(t.Context(), make([]byte, 16), (&Ring{environment: "test"}).bindRecord(*v))
			if err != nil {
				t.Fatal(err)
			}
			v.Wrapped = wrapped
		},
	}
	for name, f := range change {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			cached := h.ring(t)
			w := mustWrap(t, cached, "firm-a", "k", "")
			mustWrap(t, cached, "firm-b", "k", "")
			if _, err := cached.Secret(t.Context(), "audit"); err != nil {
				t.Fatal(err)
			}
			replace(t, h, "owner/firm-a/1", func(v *record) { f(t, h, v) })
			h.clock.Advance(time.Hour)
			for what, r := range map[string]*Ring{"a fresh process": h.ring(t), "a process that had it cached": cached} {
				if _, err := r.Wrap(t.Context(), "firm-a", []byte("k"), nil); !errors.Is(err, ErrAltered) {
					t.Errorf("%s wraps: %v", what, err)
				}
				if _, err := r.Unwrap(t.Context(), "firm-a", w, nil); !errors.Is(err, ErrAltered) {
					t.Errorf("%s unwraps: %v", what, err)
				}
				mustWrap(t, r, "firm-b", "k", "")
			}
		})
	}
}

func TestCopyOfAKeyUnderAnotherIDIsRefused(t *testing.T) {
	h := newHouse(t)
	mustWrap(t, h.ring(t), "firm", "k", "")
	if err := h.records(t).Insert(t.Context(), "owner/firm/2", stored(t, h, "owner/firm/1")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ring(t).Wrap(t.Context(), "firm", []byte("k"), nil); !errors.Is(err, ErrAltered) {
		t.Errorf("error %v", err)
	}
}

// stored is a key as it lies in the store.
func stored(t *testing.T, h *house, id string) record {
	t.Helper()
	rec, err := h.records(t).Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Value
}

func replace(t *testing.T, h *house, id string, change func(*record)) {
	t.Helper()
	if _, err := h.records(t).Update(t.Context(), id, func(v *record) error { change(v); return nil }); err != nil {
		t.Fatal(err)
	}
}

// The insert is stored and its acknowledgement lost: the caller gets an error,
// and the next one the key that was stored.
func TestLostAcknowledgementLeavesOneKey(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	h.fault.Add(storetest.Rule{Op: storetest.Insert, After: true, Times: 1, Err: errors.New("connection lost")})
	if _, err := r.Wrap(t.Context(), "firm", []byte("k"), nil); !errors.Is(err, problem.Database(nil)) {
		t.Fatalf("error %v", err)
	}
	w := mustWrap(t, r, "firm", "k", "")
	if id := stored(t, h, "owner/firm/1").Key; id != w.KeyID || w.Version != 1 {
		t.Errorf("wraps under %s version %d, stored is %s", w.KeyID, w.Version, id)
	}
}

// brokenRoot is a key service that does not answer.
type brokenRoot struct{ err error }

func (b brokenRoot) Wrap(context.Context, []byte, []byte) ([]byte, error) { return nil, b.err }

func (b brokenRoot) Unwrap(context.Context, []byte, []byte) (secret.Bytes, error) {
	return secret.Bytes{}, b.err
}

func TestFailureOfTheRootIsNeitherErrRootNorErrAltered(t *testing.T) {
	h := newHouse(t)
	down := errors.New("key service down")
	for _, when := range []string{"before the first key", "after it"} {
		_, err := Open(t.Context(), Config{Root: brokenRoot{down}, DB: h.db, Environment: "test"})
		if !errors.Is(err, down) || errors.Is(err, ErrRoot) || errors.Is(err, ErrAltered) {
			t.Errorf("%s: %v", when, err)
		}
		h.ring(t)
	}
}

// A retired or destroyed version is bound to being so: whoever can write to the
// store cannot make it seal again, nor make up when it was retired.
func TestStateOfARetiredVersionIsBound(t *testing.T) {
	change := map[string]func(v *record){
		"active again":         func(v *record) { v.State, v.Retired = Active, nil },
		"active since retired": func(v *record) { v.State = Active },
		"another date":         func(v *record) { v.Retired = new(v.Retired.Add(time.Hour)) },
		"no date":              func(v *record) { v.Retired = nil },
	}
	for name, f := range change {
		for _, destroyed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, destroyed %v", name, destroyed), func(t *testing.T) {
				h := newHouse(t)
				r := h.ring(t)
				mustWrap(t, r, "firm", "k", "")
				_, err := r.Rotate(t.Context(), "firm")
				if err == nil && destroyed {
					err = r.Destroy(t.Context(), "firm", 1)
				}
				if err != nil {
					t.Fatal(err)
				}
				replace(t, h, "owner/firm/1", f)
				h.clock.Advance(time.Hour)
				for what, r := range map[string]*Ring{"a fresh process": h.ring(t), "a process that had it cached": r} {
					if _, err := r.Wrap(t.Context(), "firm", []byte("k"), nil); !errors.Is(err, ErrAltered) {
						t.Errorf("%s wraps: %v", what, err)
					}
				}
				if err := h.ring(t).change(t.Context(), "owner/firm", 1, func(*record, time.Time) bool { return true }); !errors.Is(err, ErrAltered) {
					t.Errorf("and it is bound anew: %v", err)
				}
			})
		}
	}
}

func TestVersionsThatWereSwappedAreRefused(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	mustWrap(t, r, "firm", "k", "")
	if _, err := r.Rotate(t.Context(), "firm"); err != nil {
		t.Fatal(err)
	}
	one, two := stored(t, h, "owner/firm/1"), stored(t, h, "owner/firm/2")
	for name, swap := range map[string]func(){
		"the numbers": func() { one.Version, two.Version = two.Version, one.Version },
		"the wraps":   func() { one.Wrapped, two.Wrapped = two.Wrapped, one.Wrapped },
		"the states": func() {
			one.State, two.State = two.State, one.State
			one.Retired, two.Retired = two.Retired, one.Retired
		},
	} {
		swap()
		replace(t, h, "owner/firm/1", func(v *record) { *v = one })
		replace(t, h, "owner/firm/2", func(v *record) { *v = two })
		if _, err := h.ring(t).Wrap(t.Context(), "firm", []byte("k"), nil); !errors.Is(err, ErrAltered) {
			t.Errorf("%s: %v", name, err)
		}
		swap()
	}
}

// Rows written before states were bound open, and are bound once they change.
func TestOldRowsOpenAndAreBoundWhenTheyChange(t *testing.T) {
	h := newHouse(t)
	r := h.ring(t)
	w := mustWrap(t, r, "firm", "k", "")
	old := func(id string) {
		t.Helper()
		replace(t, h, id, func(v *record) {
			content, err := h.root.Unwrap(t.Context(), v.Wrapped, r.bindRecord(*v))
			if err == nil {
				v.Wrapped, err = h.root.Wrap(t.Context(), content.Reveal(), r.bindOld(*v))
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	old("check/root/1")
	old("owner/firm/1")
	fresh := h.ring(t)
	if _, err := fresh.Unwrap(t.Context(), "firm", w, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.Rotate(t.Context(), "firm"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ring(t).Unwrap(t.Context(), "firm", w, nil); err != nil {
		t.Error(err)
	}
	replace(t, h, "owner/firm/1", func(v *record) { v.State, v.Retired = Active, nil })
	if _, err := h.ring(t).Unwrap(t.Context(), "firm", w, nil); !errors.Is(err, ErrAltered) {
		t.Errorf("its state was altered: %v", err)
	}
}
