package firmcard_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/card"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

// swap writes one card's sealed field into another's document, as who can write
// the store could.
func (w *world) swap(from, to, field string) {
	w.t.Helper()
	cards := w.collection()
	read := func(token string) (store.Doc, bson.M, bson.M) {
		d, err := cards.Get(w.t.Context(), token)
		must(w.t, err)
		var doc struct {
			All  bson.M `bson:",inline"`
			Card bson.M `bson:"card"`
		}
		must(w.t, bson.Unmarshal(d.Body, &doc))
		return d, doc.All, doc.Card
	}
	_, _, source := read(from)
	d, all, target := read(to)
	target[field] = source[field]
	all["card"] = target
	body, err := bson.Marshal(all)
	must(w.t, err)
	must(w.t, cards.Replace(w.t.Context(), store.Doc{ID: to, Rev: d.Rev, Body: body}))
}

// files returns what stands in the files of the store, the write-ahead log too.
func (w *world) files() string {
	w.t.Helper()
	names, err := filepath.Glob(w.file() + "*")
	must(w.t, err)
	var all strings.Builder
	for _, name := range names {
		b, err := os.ReadFile(name)
		must(w.t, err)
		all.Write(b)
	}
	return all.String()
}

func TestNothingStoredOrLoggedHoldsANumberOrAName(t *testing.T) {
	w := newWorld(t)
	for _, n := range []string{visa, mastercard, amex} {
		c := w.put(acme, "test", n)
		w.put(acme, "live", n)
		want(t, w.reveal(acmeTest, c.Token), 200, "")
		want(t, w.do(acmeTest, "GET", "/v1/cards/"+n, ""), 404, "NOT_FOUND")
	}
	want(t, w.do(acmeTest, "POST", "/v1/cards/tok_x/reveal", `{"reason":"number 4111111111111111"}`), 400, "VALIDATION_ERROR")
	stored := w.files() + w.logged.String()
	if !strings.Contains(stored, acme) || !strings.Contains(stored, "AES256{") {
		t.Fatal("the files do not hold what they should: this test could not fail")
	}
	for _, secret := range []string{visa, mastercard, amex, "Ada", "Lovelace"} {
		if strings.Contains(stored, secret) {
			t.Errorf("%s is stored in the clear", secret)
		}
	}
	for _, run := range strings.FieldsFunc(stored, func(c rune) bool { return c < '0' || c > '9' }) {
		if len(run) >= 12 && card.Default().Within(run) {
			t.Errorf("%s is stored and could be a card number", run)
		}
	}
}

func TestADeletionLeavesNothingInTheStore(t *testing.T) {
	w := newWorld(t)
	c := w.put(acme, "test", visa)
	d, err := w.collection().Get(t.Context(), c.Token)
	must(t, err)
	lookup := func(name string) string { return bson.Raw(d.Body).Lookup("card", name).StringValue() }
	traces := []string{lookup("number"), lookup("name"), lookup("lookup")}
	want(t, w.do(acmeTest, "DELETE", "/v1/cards/"+c.Token, ""), 200, "")
	must(t, w.db.Close()) // writes the log back into the file
	stored := w.files()
	if !strings.Contains(stored, c.Token) {
		t.Fatal("the tombstone is not there: this test could not fail")
	}
	for _, trace := range traces {
		if strings.Contains(stored, trace) {
			t.Errorf("%.20s… is still in the files", trace)
		}
	}
}

func TestTombstonesGoAfterTheirRetention(t *testing.T) {
	w := newWorld(t)
	early, late := w.put(acme, "test", visa), w.put(acme, "test", mastercard)
	kept := w.put(acme, "test", amex)
	want(t, w.do(acmeTest, "DELETE", "/v1/cards/"+early.Token, ""), 200, "")
	w.clock.Advance(time.Hour)
	want(t, w.do(acmeTest, "DELETE", "/v1/cards/"+late.Token, ""), 200, "")
	w.clock.Advance(time.Hour - time.Millisecond)
	w.sweeps(0, 2)
	w.clock.Advance(time.Millisecond)
	w.sweeps(0, 1)
	want(t, w.do(acmeTest, "DELETE", "/v1/cards/"+early.Token, ""), 404, "NOT_FOUND")
	want(t, w.do(acmeTest, "DELETE", "/v1/cards/"+late.Token, ""), 409, "ALREADY_DELETED")
	w.clock.Advance(24 * time.Hour)
	if c, err := w.service.Overdue(t.Context(), w.now()); err != nil || c.Overdue != 1 || c.Kept != 1 {
		t.Errorf("before the sweep: %+v, %v", c, err)
	}
	w.sweeps(0, 0)
	want(t, w.do(acmeTest, "GET", "/v1/cards/"+kept.Token, ""), 200, "")
	if n := len(w.audited("card.erase", "success")); n != 2 {
		t.Errorf("%d erasures on record, want 2", n)
	}
}

// sweeps sweeps and checks what is overdue and kept then.
func (w *world) sweeps(overdue, kept int64) {
	w.t.Helper()
	must(w.t, w.service.Sweep(w.t.Context()))
	c, err := w.service.Overdue(w.t.Context(), w.now())
	must(w.t, err)
	if c.Overdue != overdue || c.Kept != kept {
		w.t.Errorf("%d overdue of %d, want %d of %d", c.Overdue, c.Kept, overdue, kept)
	}
}

func TestTheSweepWaitsForTheAudit(t *testing.T) {
	w := newWorld(t)
	c := w.put(acme, "test", visa)
	want(t, w.do(acmeTest, "DELETE", "/v1/cards/"+c.Token, ""), 200, "")
	w.clock.Advance(retention)
	w.db.Add(storetest.Rule{Collection: "Audit", Op: storetest.Insert, Err: errDisk})
	if err := w.service.Sweep(t.Context()); err == nil {
		t.Error("a sweep without a record succeeded")
	}
	w.db.Clear()
	if w.raw(c.Token) == "" {
		t.Error("a tombstone went without a record")
	}
	w.sweeps(0, 0)
}

func TestRunSweepsAndEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	c := w.put(acme, "test", visa)
	want(t, w.reveal(acmeTest, c.Token), 200, "")
	want(t, w.do(acmeTest, "DELETE", "/v1/cards/"+c.Token, ""), 200, "")
	w.clock.Advance(retention)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.service.Run(ctx) }()
	for w.raw(c.Token) != "" {
		select {
		case <-t.Context().Done():
			t.Fatal("the sweep did not come")
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	must(t, <-done)
}

func TestWithTheStoreDownEveryRouteSaysSo(t *testing.T) {
	w := newWorld(t)
	c := w.put(acme, "test", visa)
	w.db.Add(storetest.Rule{Err: errDisk})
	for _, r := range []request{
		{acmeTest, "GET", "/v1/cards", ""},
		{acmeTest, "GET", "/v1/cards/" + c.Token, ""},
		{acmeTest, "PATCH", "/v1/cards/" + c.Token, `{"status":"disabled"}`},
		{acmeTest, "DELETE", "/v1/cards/" + c.Token, ""},
		{acmeTest, "POST", "/v1/cards/" + c.Token + "/reveal", `{"reason":"x"}`},
	} {
		a := w.do(r.as, r.method, r.path, r.body)
		want(t, a, 503, "DATABASE_ERROR")
		if strings.Contains(a.body, "host-7") {
			t.Errorf("the answer names the store: %s", a.body)
		}
	}
	if _, err := w.service.Put(t.Context(), deposit(t, acme, "test", visa)); !errors.Is(err, errDisk) {
		t.Errorf("got %v", err)
	}
	w.db.Clear()
	w.db.Add(storetest.Rule{Collection: "RevealQuota", Err: errDisk})
	want(t, w.reveal(acmeTest, c.Token), 503, "DATABASE_ERROR")
}

func TestADepositMeetsADeletionAndNeitherIsLost(t *testing.T) {
	w := newWorld(t)
	for range 20 {
		c := w.put(acme, "test", visa)
		var wg sync.WaitGroup
		wg.Go(func() {
			if a := w.do(acmeTest, "DELETE", "/v1/cards/"+c.Token, ""); a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
		var again string
		wg.Go(func() {
			got, err := w.service.Put(t.Context(), deposit(t, acme, "test", visa))
			if err != nil {
				t.Error(err)
			}
			again = got.Token
		})
		wg.Wait()
		if w.raw(again) == "" || strings.Contains(w.raw(c.Token), "AES256{") {
			t.Fatalf("%s was deleted, %s deposited: %s", c.Token, again, w.raw(c.Token))
		}
	}
}
