package rotation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ccms/internal/audit"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
	"ccms/internal/vault"
	"ccms/internal/vault/keyring"
	"ccms/internal/vault/rewrap"
)

// paper is a document with a number by which it is found.
type paper struct {
	Sealed string   `bson:"sealed"`
	Under  []string `bson:"under"`
}

// families are whose numbers there are.
func families() []string { return []string{"cardholders/ann", "firm_a/live", "firm_b/test"} }

func at(id, owner string) vault.Place { return vault.Place{Owner: owner, Record: id, Field: "number"} }

// archive is a house with a paper of each family, and one more of the first.
type archive struct {
	*house
	papers *store.Of[paper]
}

func newArchive(t *testing.T) *archive {
	t.Helper()
	a := &archive{house: newHouse(t, 0)}
	var err error
	a.papers, err = store.Open[paper](t.Context(), a.fault, store.Spec{Name: "Paper"})
	must(t, err)
	for i, owner := range append(families(), families()[0]) {
		a.add(t, fmt.Sprint("p", i), owner)
	}
	a.clock.Advance(time.Hour)
	a.cfg.Settle = time.Millisecond
	a.cfg.Books = []rewrap.Book{rewrap.Of(a.papers, func(id string, p *paper) []rewrap.Value {
		owner := families()[int(id[1]-'0')%len(families())]
		return []rewrap.Value{{At: at(id, owner), Sealed: &p.Sealed, Filed: rewrap.Filed{
			Owner: owner, Under: p.Under, Keep: func(f string) { p.Under = []string{f} },
		}}}
	})}
	return a
}

func number(id string) []byte { return []byte("411111111111111" + id[1:]) }

func (a *archive) add(t *testing.T, id, owner string) {
	t.Helper()
	sealed, err := a.vault.Seal(t.Context(), at(id, owner), number(id))
	must(t, err)
	f, err := a.vault.Fingerprints(t.Context(), owner, number(id))
	must(t, err)
	must(t, a.papers.Insert(t.Context(), id, paper{sealed, f.Kept()}))
}

// exchanged begins an exchange and waits for its end.
func (a *archive) exchanged(t *testing.T) Progress {
	t.Helper()
	if _, err := a.RotateLookup(t.Context(), Administrator()); err != nil {
		t.Fatal(err)
	}
	a.work.Wait()
	return a.Progress()
}

// lookups is the status of all look-up keys.
func (a *archive) lookups(t *testing.T) string {
	t.Helper()
	return strings.Join([]string{a.keys(t, "lookup/cardholders"), a.keys(t, "lookup/firm_a"), a.keys(t, "lookup/firm_b")}, " | ")
}

// found checks that every number is found under the key's active version.
func (a *archive) found(t *testing.T) {
	t.Helper()
	for i := range 4 {
		id := fmt.Sprint("p", i)
		p, err := a.papers.Get(t.Context(), id)
		must(t, err)
		f, err := a.vault.Fingerprints(t.Context(), families()[i%3], number(id))
		must(t, err)
		if len(p.Value.Under) != 1 || p.Value.Under[0] != f.Active {
			t.Errorf("%s is kept under %q", id, p.Value.Under)
		}
	}
}

func TestLookupKeysAreExchangedAndTheOldOnesDestroyed(t *testing.T) {
	a := newArchive(t)
	if got := a.lookups(t); got != "active 2 | active 1 | active 1" {
		t.Errorf("at first %s", got)
	}
	if p := a.exchanged(t); p != (Progress{Service: "test", Job: JobLookup, State: Done, Values: 8, Passed: 8, Moved: 4}) {
		t.Errorf("%+v", p)
	}
	if got := a.lookups(t); got != "destroyed 0, active 2 | destroyed 0, active 1 | destroyed 0, active 1" {
		t.Errorf("exchanged: %s", got)
	}
	a.found(t)
	want := "key.prepare secret/lookup/cardholders success, key.prepare secret/lookup/firm_a success, key.prepare secret/lookup/firm_b success, " +
		"key.activate secret/lookup/cardholders success, key.activate secret/lookup/firm_a success, key.activate secret/lookup/firm_b success, " +
		"key.destroy secret/lookup/firm_b/1 success, key.destroy secret/lookup/firm_a/1 success, key.destroy secret/lookup/cardholders/1 success, " +
		"key.refile test success"
	if got := a.acts(t); got != want {
		t.Errorf("on record: %s", got)
	}
	a.clock.Advance(2 * 365 * 24 * time.Hour)
	if got := a.keys(t, "lookup/firm_a"); got != "destroyed 0, active 1 rotate --lookup" {
		t.Errorf("after two years %s", got)
	}
	if p := a.exchanged(t); p.State != Done || p.Moved != 4 {
		t.Errorf("again: %+v", p)
	}
	a.found(t)
}

// TestAnExchangeThatWasCutShortIsEnded ends the process at every write of an
// exchange, as kill -9 does, and begins again. It would fail if a step could not be
// done twice, or if a key were exchanged twice or left out.
func TestAnExchangeThatWasCutShortIsEnded(t *testing.T) {
	ended := false
	for skip := 0; !ended; skip += 2 {
		if skip > 60 {
			t.Fatal("it never ends")
		}
		a := newArchive(t)
		a.cfg.Patience = time.Nanosecond
		cut := errors.New("power failure")
		a.fault.Add(storetest.Rule{Collection: "Key", Op: storetest.Insert, Skip: skip, Err: cut})
		a.fault.Add(storetest.Rule{Collection: "Key", Op: storetest.Replace, Skip: max(0, skip-3), Err: cut})
		a.fault.Add(storetest.Rule{Collection: "Paper", Op: storetest.Replace, Skip: max(0, skip-6), Err: cut})
		first := a.exchanged(t)
		ended = first.State == Done
		a.fault.Clear()
		a.reopen(t)
		if p := a.exchanged(t); p.State != Done {
			t.Fatalf("cut at write %d: %+v", skip, p)
		}
		a.found(t)
		got := a.lookups(t)
		once := "destroyed 0, active 2 | destroyed 0, active 1 | destroyed 0, active 1"
		if !ended && got != once {
			t.Fatalf("cut at write %d, with %+v: %s", skip, first, got)
		}
	}
}

// reopen has the keys read anew, as a process that starts does.
func (a *archive) reopen(t *testing.T) {
	t.Helper()
	ring, err := keyring.Open(t.Context(), keyring.Config{Root: a.root, DB: a.fault, Now: a.clock.Now})
	must(t, err)
	a.ring, a.vault = ring, vault.New(vault.Config{Keys: ring})
	a.cfg.Ring, a.cfg.Vault = ring, a.vault
}

// A number that does not open keeps the look-up key it is found by, in both
// versions; those of other owners are exchanged.
func TestANumberThatDoesNotOpenKeepsItsLookupKeyAlone(t *testing.T) {
	a := newArchive(t)
	_, err := a.papers.Update(t.Context(), "p1", func(p *paper) error { p.Sealed = "AES256{gone}"; return nil })
	must(t, err)
	if p := a.exchanged(t); p.State != Stopped || p.Error != ErrUnfiled.Error() || p.Failed != 1 {
		t.Errorf("%+v", p)
	}
	if got := a.keys(t, "lookup/firm_a"); got != "active 1, pre-active 0 rotate --lookup" {
		t.Errorf("%s", got)
	}
	if got := a.keys(t, "lookup/firm_b"); got != "destroyed 0, active 1" {
		t.Errorf("%s", got)
	}
	p, err := a.papers.Get(t.Context(), "p1")
	must(t, err)
	must(t, a.papers.Delete(t.Context(), "p1", p.Rev))
	if p := a.exchanged(t); p.State != Done {
		t.Errorf("%+v", p)
	}
	if got := a.lookups(t); got != "destroyed 0, active 2 | destroyed 0, active 0 | destroyed 0, active 1" {
		t.Errorf("%s", got)
	}
}

func TestOneWorkGoesOnAtATimeAndAWaitEndsWithTheProcess(t *testing.T) {
	a := newArchive(t)
	a.cfg.Settle = time.Hour
	_, err := a.RotateLookup(t.Context(), Administrator())
	must(t, err)
	if p, err := a.Rewrap(t.Context(), Administrator()); !errors.Is(err, ErrBusy) || p.Job != JobLookup {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := a.RotateLookup(t.Context(), Administrator()); err != nil || p.Over() {
		t.Errorf("asked again: %+v, %v", p, err)
	}
	a.Close()
	if p := a.Progress(); p.State != Stopped || p.Until != "" {
		t.Errorf("%+v", p)
	}
}

func TestNumbersAreOpenedOnRecordAlone(t *testing.T) {
	a := newArchive(t)
	a.fault.Add(storetest.Rule{Collection: "Audit", Op: storetest.Insert, Err: errors.New("disk on fire")})
	if p, err := a.RotateLookup(t.Context(), audit.Entry{Actor: "administrator"}); err == nil || p.State != Idle {
		t.Errorf("%+v, %v", p, err)
	}
	if got := a.lookups(t); got != "active 2 | active 1 | active 1" {
		t.Errorf("%s", got)
	}
}

// TestEveryOpenedNumberIsWiped would fail if a number stayed in memory after its
// look-up value was computed.
func TestEveryOpenedNumberIsWiped(t *testing.T) {
	a := newArchive(t)
	seen := &watching{Vault: a.vault}
	a.cfg.Vault = seen
	if p := a.exchanged(t); p.State != Done || len(seen.opened) != 4 {
		t.Fatalf("%+v, %d opened", p, len(seen.opened))
	}
	for _, b := range seen.opened {
		if b.Len() != 0 {
			t.Error("a number was not wiped")
		}
	}
}

type watching struct {
	*vault.Vault
	opened []secret.Bytes
}

func (w *watching) Open(ctx context.Context, at vault.Place, sealed string) (secret.Bytes, error) {
	b, err := w.Vault.Open(ctx, at, sealed)
	w.opened = append(w.opened, b)
	return b, err
}

// A firm that has gone: nothing of it opens or is found, and nothing can be added.
func TestAFirmsKeysAreDestroyedForGood(t *testing.T) {
	a := newArchive(t)
	for _, name := range []string{"cardholders", "firm_", "firm_a/live", "ann", ""} {
		if gone, err := a.Shred(t.Context(), Administrator(), name); len(gone) != 0 {
			t.Errorf("%q: %v, %v", name, gone, err)
		}
	}
	_, err := a.Rotate(t.Context(), Administrator())
	must(t, err)
	gone, err := a.Shred(t.Context(), Administrator(), "firm_a")
	if err != nil || len(gone) != 3 {
		t.Errorf("%v, %v", gone, err)
	}
	p, err := a.papers.Get(t.Context(), "p1")
	must(t, err)
	if _, err := a.vault.Open(t.Context(), at("p1", "firm_a/live"), p.Value.Sealed); !errors.Is(err, vault.ErrOpen) || !errors.Is(err, vault.Destroyed()) {
		t.Errorf("it opens: %v", err)
	}
	if _, err := a.vault.Seal(t.Context(), at("p9", "firm_a/live"), number("p9")); !errors.Is(err, vault.Destroyed()) {
		t.Errorf("a card can be added: %v", err)
	}
	if _, err := a.vault.Fingerprints(t.Context(), "firm_a/live", number("p1")); !errors.Is(err, vault.Destroyed()) {
		t.Errorf("a number is found: %v", err)
	}
	other, err := a.papers.Get(t.Context(), "p2")
	must(t, err)
	if _, err := a.vault.Open(t.Context(), at("p2", "firm_b/test"), other.Value.Sealed); err != nil {
		t.Errorf("another firm's: %v", err)
	}
	if again, err := a.Shred(t.Context(), Administrator(), "firm_a"); err != nil || len(again) != 0 {
		t.Errorf("again: %v, %v", again, err)
	}
	if p := a.exchanged(t); p.State != Done {
		t.Errorf("the exchange of the others' keys: %+v", p)
	}
	if all, err := a.Rotate(t.Context(), Administrator()); err != nil || len(all) != 2 {
		t.Errorf("the others' keys: %v, %v", all, err)
	}
	if !strings.Contains(a.acts(t), "key.destroy owner/firm_a/live success, key.destroy secret/lookup/firm_a success") {
		t.Errorf("on record: %s", a.acts(t))
	}
}
