package rewrap

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"ccms/internal/store"
	"ccms/internal/store/storetest"
	"ccms/internal/vault"
	"ccms/internal/vault/keyring"
)

// folder is a document with two sealed values.
type folder struct {
	Owner string `bson:"owner"`
	One   string `bson:"one"`
	Two   string `bson:"two"`
	Other int64  `bson:"other"`
}

func at(id, owner, field string) vault.Place {
	return vault.Place{Owner: owner, Record: id, Field: field}
}

// shelf is a store with folders, sealed under the first versions of two keys.
type shelf struct {
	fault *storetest.Fault
	docs  *store.Of[folder]
	ring  *keyring.Ring
	vault *vault.Vault
	book  Book
}

func newShelf(t *testing.T, folders int) *shelf {
	t.Helper()
	s := &shelf{fault: storetest.NewFault(storetest.New(t))}
	key := filepath.Join(t.TempDir(), "root.key")
	must(t, keyring.CreateFile(key))
	root, err := keyring.OpenFile(key)
	must(t, err)
	s.ring, err = keyring.Open(t.Context(), keyring.Config{Root: root, DB: s.fault})
	must(t, err)
	s.vault = vault.New(vault.Config{Keys: s.ring})
	s.docs, err = store.Open[folder](t.Context(), s.fault, store.Spec{Name: "Folder"})
	must(t, err)
	s.book = Of(s.docs, func(id string, f *folder) []Value {
		return []Value{{At: at(id, f.Owner, "one"), Sealed: &f.One}, {At: at(id, f.Owner, "two"), Sealed: &f.Two}}
	})
	for i := range folders {
		id, owner := fmt.Sprintf("f%04d", i), fmt.Sprintf("owner%d", i%2)
		f := folder{Owner: owner}
		f.One, err = s.vault.Seal(t.Context(), at(id, owner, "one"), []byte("1 of "+id))
		must(t, err)
		f.Two, err = s.vault.Seal(t.Context(), at(id, owner, "two"), []byte("2 of "+id))
		must(t, err)
		must(t, s.docs.Insert(t.Context(), id, f))
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *shelf) rotate(t *testing.T) {
	t.Helper()
	for _, owner := range []string{"owner0", "owner1"} {
		_, err := s.ring.Rotate(t.Context(), owner)
		must(t, err)
	}
}

// tally is what a walk told.
type tally struct{ documents, values, moved, failed int64 }

func (s *shelf) rewrap(ctx context.Context, v Vault) (sum tally, err error) {
	active := map[string]uint32{}
	for _, owner := range []string{"owner0", "owner1"} {
		id, version, err := s.ring.Active(ctx, owner)
		if err != nil {
			return sum, err
		}
		active[id] = version
	}
	err = s.book.Rewrap(ctx, Job{Vault: v, Active: active, Pace: sum.pace()})
	return sum, err
}

// pace is one that tells t, and has no patience.
func (t *tally) pace() Pace {
	return Pace{PerSecond: 100_000, Patience: 1, Done: func(values, moved, failed int64) {
		t.documents++
		t.values += values
		t.moved += moved
		t.failed += failed
	}}
}

// byVersion is how many values lie under each version number.
func (s *shelf) byVersion(t *testing.T) map[uint32]int64 {
	t.Helper()
	counts := NewCounts()
	if whole, err := s.book.Count(t.Context(), counts, 0); err != nil || !whole {
		t.Fatal(whole, err)
	}
	all := map[uint32]int64{}
	for v, n := range counts.Sealed {
		all[v.Number] += n
	}
	return all
}

// opens checks that every value is what was sealed.
func (s *shelf) opens(t *testing.T, folders int) {
	t.Helper()
	for r, err := range s.docs.Find(t.Context(), store.Query{}) {
		must(t, err)
		for field, sealed := range map[string]string{"one": r.Value.One, "two": r.Value.Two} {
			content, err := s.vault.Open(t.Context(), at(r.ID, r.Value.Owner, field), sealed)
			if want := map[string]string{"one": "1", "two": "2"}[field] + " of " + r.ID; err != nil || string(content.Reveal()) != want {
				t.Errorf("%s %s: %v", r.ID, field, err)
			}
		}
		folders--
	}
	if folders != 0 {
		t.Errorf("%d folders are missing", folders)
	}
}

func TestEveryValueMovesToTheActiveVersionByOneWriteEach(t *testing.T) {
	const folders = 2*page + 7
	s := newShelf(t, folders)
	s.rotate(t)
	sum, err := s.rewrap(t.Context(), s.vault)
	if want := (tally{folders, 2 * folders, 2 * folders, 0}); err != nil || sum != want {
		t.Fatalf("%+v, %v", sum, err)
	}
	if all := s.byVersion(t); all[2] != 2*folders || len(all) != 1 {
		t.Errorf("under each version: %v", all)
	}
	s.opens(t, folders)
	for r, err := range s.docs.Find(t.Context(), store.Query{}) {
		if err != nil || r.Rev != 2 {
			t.Fatalf("%s has revision %d, %v", r.ID, r.Rev, err)
		}
	}
	if sum, err := s.rewrap(t.Context(), s.vault); err != nil || sum.moved != 0 || sum.values != 2*folders {
		t.Errorf("again: %+v, %v", sum, err)
	}
}

func TestAWalkThatWasCutShortGoesOnWhereItWas(t *testing.T) {
	const folders = 50
	s := newShelf(t, folders)
	s.rotate(t)
	down := errors.New("disk on fire")
	s.fault.Add(storetest.Rule{Collection: "Folder", Op: storetest.Replace, Skip: 20, Err: down})
	first, err := s.rewrap(t.Context(), s.vault)
	if err == nil || first.moved != 40 {
		t.Fatalf("%+v, %v", first, err)
	}
	s.fault.Clear()
	s.rotate(t) // and a further version changes nothing
	if all := s.byVersion(t); all[1] != 60 || all[2] != 40 {
		t.Fatalf("under each version: %v", all)
	}
	if rest, err := s.rewrap(t.Context(), s.vault); err != nil || rest.moved != 100 {
		t.Fatalf("%+v, %v", rest, err)
	}
	if all := s.byVersion(t); all[3] != 100 {
		t.Errorf("under each version: %v", all)
	}
	s.opens(t, folders)
}

// changing is a vault during whose work others write.
type changing struct {
	*vault.Vault
	before func(id string)
}

func (c changing) Rewrap(ctx context.Context, at vault.Place, sealed string) (string, error) {
	c.before(at.Record)
	return c.Vault.Rewrap(ctx, at, sealed)
}

func TestWhatOthersWriteMeanwhileIsKept(t *testing.T) {
	s := newShelf(t, 3)
	s.rotate(t)
	met := map[string]bool{}
	sum, err := s.rewrap(t.Context(), changing{s.vault, func(id string) {
		if met[id] {
			return
		}
		met[id] = true
		if id == "f0002" {
			r, err := s.docs.Get(t.Context(), id)
			must(t, err)
			must(t, s.docs.Delete(t.Context(), id, r.Rev))
			return
		}
		_, err := s.docs.Update(t.Context(), id, func(f *folder) error { f.Other = 7; return nil })
		must(t, err)
	}})
	if err != nil || sum.values != 6 || sum.failed != 0 {
		t.Fatalf("%+v, %v", sum, err)
	}
	for r, err := range s.docs.Find(t.Context(), store.Query{}) {
		if err != nil || r.Value.Other != 7 {
			t.Errorf("%s: %+v, %v", r.ID, r.Value, err)
		}
	}
	s.opens(t, 2)
}

func TestWhatDoesNotOpenIsCountedAndLeftAsItIs(t *testing.T) {
	s := newShelf(t, 6)
	s.rotate(t)
	must(t, s.ring.Destroy(t.Context(), "owner0", 1))
	_, err := s.docs.Update(t.Context(), "f0001", func(f *folder) error {
		f.One, f.Two = "not sealed", f.Two[:len(f.Two)-9]+"AAAAAAAA}"
		return nil
	})
	must(t, err)
	sum, err := s.rewrap(t.Context(), s.vault)
	// Three folders are of owner0; a changed ciphertext is not looked at.
	if err != nil || sum.failed != 7 || sum.moved != 5 {
		t.Errorf("%+v, %v", sum, err)
	}
	if r, err := s.docs.Get(t.Context(), "f0000"); err != nil || r.Rev != 1 {
		t.Errorf("revision %d, %v", r.Rev, err)
	}
}

func TestAWalkEndsWithItsContextAndACountWithItsTime(t *testing.T) {
	s := newShelf(t, 10)
	s.rotate(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.rewrap(ctx, s.vault); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if whole, err := s.book.Count(t.Context(), NewCounts(), 1); whole || err != nil {
		t.Errorf("a nanosecond was enough: %v, %v", whole, err)
	}
	if whole, err := (Book{}).Count(t.Context(), Counts{}, 0); !whole || err != nil {
		t.Errorf("an empty book: %v, %v", whole, err)
	}
}

// TestEveryValueIsShownToWhoeverOpensThem would fail if a value of a page or of a
// document were left out.
func TestEveryValueIsShownToWhoeverOpensThem(t *testing.T) {
	s := newShelf(t, page+7)
	opened := 0
	for v, err := range s.book.Values(t.Context()) {
		must(t, err)
		content, err := s.vault.Open(t.Context(), v.At, *v.Sealed)
		must(t, err)
		content.Wipe()
		opened++
	}
	if opened != 2*(page+7) {
		t.Errorf("%d values", opened)
	}
	for range s.book.Values(t.Context()) {
		break // ends the walk
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range s.book.Values(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
}
