package rotation

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ccms/internal/audit"
	"ccms/internal/clocktest"
	"ccms/internal/identity"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
	"ccms/internal/vault"
	"ccms/internal/vault/keyring"
	"ccms/internal/vault/rewrap"
)

type note struct {
	Text string `bson:"text"`
}

// house is a service with two owners and sealed notes.
type house struct {
	fault *storetest.Fault
	root  *keyring.File
	ring  *keyring.Ring
	docs  *store.Of[note]
	vault *vault.Vault
	log   *audit.Log
	books audit.Config
	clock *clocktest.Clock
	*Keeper
}

func newHouse(t *testing.T, notes int) *house {
	t.Helper()
	h := &house{fault: storetest.NewFault(storetest.New(t)), clock: clocktest.At(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))}
	file := filepath.Join(t.TempDir(), "root.key")
	must(t, keyring.CreateFile(file))
	root, err := keyring.OpenFile(file)
	must(t, err)
	h.root = root
	h.ring, err = keyring.Open(t.Context(), keyring.Config{Root: root, DB: h.fault, Now: h.clock.Now})
	must(t, err)
	key, err := h.ring.Secret(t.Context(), "audit")
	must(t, err)
	h.books = audit.Config{DB: h.fault, Key: key, Now: h.clock.Now}
	h.log, err = audit.Open(t.Context(), h.books)
	must(t, err)
	signing, err := identity.OpenKeys(t.Context(), identity.KeysConfig{DB: h.fault, Sealer: h.ring, Now: h.clock.Now})
	must(t, err)
	h.vault = vault.New(vault.Config{Keys: h.ring})
	h.docs, err = store.Open[note](t.Context(), h.fault, store.Spec{Name: "Note"})
	must(t, err)
	book := rewrap.Of(h.docs, func(id string, n *note) []rewrap.Value {
		return []rewrap.Value{{At: place(id), Sealed: &n.Text}}
	})
	h.Keeper = New(Config{
		Service: "test", Ring: h.ring, Audit: h.log, Signing: signing, Vault: h.vault, Books: []rewrap.Book{book}, Now: h.clock.Now,
	})
	t.Cleanup(h.Close)
	for i := range notes {
		id := string(rune('a' + i))
		sealed, err := h.vault.Seal(t.Context(), place(id), []byte(id))
		must(t, err)
		must(t, h.docs.Insert(t.Context(), id, note{sealed}))
	}
	return h
}

// place gives every second note to the other owner.
func place(id string) vault.Place {
	owner := "cardholders"
	if id[0]%2 == 0 {
		owner = "firm_a/live"
	}
	return vault.Place{Owner: owner, Record: id, Field: "text"}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// keys is the status of one key's versions: state, values and due.
func (h *house) keys(t *testing.T, name string) string {
	t.Helper()
	s, err := h.Status(t.Context())
	must(t, err)
	var all []string
	for _, k := range s.Keys {
		if k.Name == name {
			text := k.State
			if k.Values != nil {
				text += " " + string(rune('0'+*k.Values))
			}
			all = append(all, strings.TrimSpace(text+" "+k.Due))
		}
	}
	return strings.Join(all, ", ")
}

// rewrapped begins to re-wrap and waits until that is over.
func (h *house) rewrapped(t *testing.T) Progress {
	t.Helper()
	if _, err := h.Rewrap(t.Context(), Administrator()); err != nil {
		t.Fatal(err)
	}
	h.work.Wait()
	return h.Progress()
}

// acts are the acts on record, with their results.
func (h *house) acts(t *testing.T) string {
	t.Helper()
	_, err := audit.Verify(t.Context(), h.books)
	must(t, err)
	var all []string
	for r, err := range audit.Export(t.Context(), h.books, audit.Filter{}) {
		must(t, err)
		if strings.HasPrefix(r.Act, "key.") && r.Result != audit.Begun {
			all = append(all, r.Act+" "+r.Object+" "+r.Result)
		}
	}
	return strings.Join(all, ", ")
}

func TestAKeyIsRotatedItsValuesMovedAndTheOldVersionDestroyed(t *testing.T) {
	h := newHouse(t, 5)
	if got := h.keys(t, "cardholders"); got != "active 3" {
		t.Errorf("at first %s", got)
	}
	h.clock.Advance(366 * 24 * time.Hour)
	if got := h.keys(t, "cardholders"); got != "active 3 rotate" {
		t.Errorf("after a year %s", got)
	}
	all, err := h.Rotate(t.Context(), Administrator())
	if err != nil || len(all) != 2 || all[0] != (Rotated{"test", "cardholders", 2}) || all[1].Key != "firm_a/live" {
		t.Fatalf("%v, %v", all, err)
	}
	if got := h.keys(t, "cardholders"); got != "decrypt-only 3 rewrap, active 0" {
		t.Errorf("rotated: %s", got)
	}
	h.clock.Advance(time.Hour)
	if gone, err := h.Destroy(t.Context(), Administrator()); err != nil || len(gone) != 0 {
		t.Errorf("what holds values is destroyed: %v, %v", gone, err)
	}
	if p := h.rewrapped(t); p != (Progress{Service: "test", Job: JobRewrap, State: Done, Values: 5, Passed: 5, Moved: 5}) {
		t.Errorf("%+v", p)
	}
	if got := h.keys(t, "cardholders"); got != "decrypt-only 0 destroy, active 3" {
		t.Errorf("re-wrapped: %s", got)
	}
	if gone, err := h.Destroy(t.Context(), Administrator()); err != nil || len(gone) != 2 || gone[0] != (Destroyed{"test", "cardholders", 1}) {
		t.Errorf("%v, %v", gone, err)
	}
	if got := h.keys(t, "cardholders"); got != "destroyed 0, active 3" {
		t.Errorf("at last %s", got)
	}
	want := "key.rotate owner/cardholders success, key.rotate owner/firm_a/live success, key.rewrap test success, " +
		"key.destroy owner/cardholders/1 success, key.destroy owner/firm_a/live/1 success"
	if got := h.acts(t); got != want {
		t.Errorf("on record: %s", got)
	}
}

// A process that has not heard of the rotation seals under the old version for
// up to a minute.
func TestAVersionRetiredJustNowIsNotDestroyed(t *testing.T) {
	h := newHouse(t, 1)
	_, err := h.Rotate(t.Context(), Administrator())
	must(t, err)
	h.rewrapped(t)
	h.clock.Advance(10*time.Minute - time.Second)
	if gone, err := h.Destroy(t.Context(), Administrator()); err != nil || len(gone) != 0 {
		t.Errorf("%v, %v", gone, err)
	}
	h.clock.Advance(time.Second)
	if gone, err := h.Destroy(t.Context(), Administrator()); err != nil || len(gone) != 1 {
		t.Errorf("%v, %v", gone, err)
	}
}

func TestSigningKeysRotateWithOverlap(t *testing.T) {
	h := newHouse(t, 0)
	if got := h.keys(t, identity.ES256); got != "active, next" {
		t.Errorf("at first %s", got)
	}
	h.clock.Advance(366 * 24 * time.Hour)
	if got := h.keys(t, identity.ES256); got != "active rotate, next" {
		t.Errorf("after a year %s", got)
	}
	if all, err := h.RotateSigning(t.Context(), Administrator()); err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	// The key that signs now was made a year ago, as the next one; it counts from now.
	if got := h.keys(t, identity.ES256); got != "retired, active, next" {
		t.Errorf("rotated: %s", got)
	}
	if got := h.acts(t); got != "key.rotate jwt success" {
		t.Errorf("on record: %s", got)
	}
	if all, err := New(Config{}).RotateSigning(t.Context(), Administrator()); all != nil || err != nil {
		t.Errorf("where no tokens are signed: %v, %v", all, err)
	}
}

func TestWithoutARecordNothingHappens(t *testing.T) {
	h := newHouse(t, 2)
	h.fault.Add(storetest.Rule{Collection: "Audit", Op: storetest.Insert, Err: errors.New("disk on fire")})
	if all, err := h.Rotate(t.Context(), Administrator()); err == nil || len(all) != 0 {
		t.Errorf("rotates: %v, %v", all, err)
	}
	if p, err := h.Rewrap(t.Context(), Administrator()); err == nil || p.State != Idle {
		t.Errorf("re-wraps: %v, %v", p, err)
	}
	h.fault.Clear()
	if got := h.keys(t, "cardholders"); got != "active 1" {
		t.Errorf("%s", got)
	}
}

func TestRewrappingThatFailedSaysWhyAndGoesOnWhenBegunAgain(t *testing.T) {
	h := newHouse(t, 6)
	_, err := h.Rotate(t.Context(), Administrator())
	must(t, err)
	h.cfg.Patience = time.Nanosecond
	h.fault.Add(storetest.Rule{Collection: "Note", Op: storetest.Replace, Skip: 2, Err: errors.New("disk on fire")})
	if p := h.rewrapped(t); p.State != Stopped || p.Moved != 2 || p.Error == "" || !p.Over() {
		t.Errorf("%+v", p)
	}
	h.fault.Clear()
	if p := h.rewrapped(t); p.State != Done || p.Moved != 4 {
		t.Errorf("%+v", p)
	}
}

func TestRewrappingGoesOnOnceAndEndsWithTheProcess(t *testing.T) {
	h := newHouse(t, 6)
	_, err := h.Rotate(t.Context(), Administrator())
	must(t, err)
	arrived := make(chan struct{})
	h.cfg.Vault = waiting{h.vault, arrived}
	asked, cancel := context.WithCancel(t.Context())
	_, err = h.Rewrap(asked, Administrator())
	must(t, err)
	cancel() // who asked has gone
	<-arrived
	if p, err := h.Rewrap(t.Context(), Administrator()); err != nil || p.State != Running {
		t.Errorf("begun twice: %+v, %v", p, err)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- h.Run(ctx) }()
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if p := h.Progress(); p.State != Stopped || p.Passed != 0 {
		t.Errorf("%+v", p)
	}
	if p, err := h.Rewrap(t.Context(), Administrator()); err != nil || p.State != Stopped {
		t.Errorf("begun after the end: %+v, %v", p, err)
	}
}

// waiting is a vault that works until the process ends.
type waiting struct {
	*vault.Vault
	arrived chan struct{}
}

func (w waiting) Rewrap(ctx context.Context, _ vault.Place, _ string) (string, error) {
	close(w.arrived)
	<-ctx.Done()
	return "", ctx.Err()
}

func TestValuesUnderNoKeyAreTold(t *testing.T) {
	h := newHouse(t, 2)
	_, err := h.docs.Update(t.Context(), "a", func(n *note) error { n.Text = "nothing sealed"; return nil })
	must(t, err)
	if s, err := h.Status(t.Context()); err != nil || s.Orphans != 1 || s.Partial {
		t.Errorf("%+v, %v", s, err)
	}
}
