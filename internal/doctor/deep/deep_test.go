package deep

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/audit"
	"ccms/internal/doctor"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
	"ccms/internal/vault"
)

// patient is sound: a store with an audit log of a few records, and two sealed
// values that open.
func patient(t *testing.T) (Patient, store.DB) {
	t.Helper()
	db := storetest.New(t)
	cfg := audit.Config{DB: db, Key: secret.NewString(strings.Repeat("k", 32))}
	log, err := audit.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := log.Note(t.Context(), audit.Entry{Act: "test"}, audit.Success); err != nil {
			t.Fatal(err)
		}
	}
	open := func(context.Context) (audit.Config, error) {
		c := cfg
		c.Key = secret.NewString(strings.Repeat("k", 32)) // which Examine wipes
		return c, nil
	}
	return Patient{
		Sound:     func(context.Context) error { return nil },
		Documents: db.(store.Dumper),
		Logs:      []Log{{Service: "login-service", Open: open}},
		Sealed:    []Sealed{{Name: "cards", Check: opens(nil, nil)}},
	}, db
}

// opens is a check of values that open, but for errors.
func opens(each ...error) func(context.Context, func(string, error)) error {
	return func(_ context.Context, note func(string, error)) error {
		for i, err := range each {
			note(strings.Repeat("x", i+1), err)
		}
		return nil
	}
}

func TestWhatIsWrongWithAStoreIsFound(t *testing.T) {
	bad := errors.New("bad")
	for name, c := range map[string]struct {
		spoil func(*testing.T, *Patient, store.DB)
		check string
		ok    bool
		says  string
	}{
		"a sound file":             {func(*testing.T, *Patient, store.DB) {}, "file", true, "sound"},
		"documents":                {func(*testing.T, *Patient, store.DB) {}, "store", true, "5 documents in 2 collections"},
		"an audit log":             {func(*testing.T, *Patient, store.DB) {}, "audit", true, "login-service: 4 records in 1 chains"},
		"values that open":         {func(*testing.T, *Patient, store.DB) {}, "sealed", true, "cards: 2, all open"},
		"a file that is not sound": {func(_ *testing.T, p *Patient, _ store.DB) { p.Sound = func(context.Context) error { return bad } }, "file", false, "bad"},
		"a value that does not open": {func(_ *testing.T, p *Patient, _ store.DB) { p.Sealed[0].Check = opens(nil, bad, nil) }, "sealed", false,
			`cards: 1 of 3 do not open, the first of ["xx"]`},
		"values whose keys were destroyed": {func(_ *testing.T, p *Patient, _ store.DB) { p.Sealed[0].Check = opens(nil, vault.Destroyed(), nil) }, "sealed", true,
			"cards: 3, all open but 1 whose keys were destroyed for good"},
		"values that cannot be read": {func(_ *testing.T, p *Patient, _ store.DB) {
			p.Sealed[0].Check = func(context.Context, func(string, error)) error { return bad }
		}, "sealed", false, "cards cannot be read: bad"},
		"a document that cannot be read": {func(_ *testing.T, p *Patient, _ store.DB) { p.Documents = broken{} }, "store", false, "document 1 of Thing cannot be read"},
		"a record that was removed": {func(t *testing.T, _ *Patient, db store.DB) {
			remove(t, db, "Audit", 2)
		}, "audit", false, "missing"},
		"a key that cannot be had": {func(_ *testing.T, p *Patient, _ store.DB) {
			p.Logs[0].Open = func(context.Context) (audit.Config, error) { return audit.Config{}, bad }
		}, "audit", false, "cannot be opened: bad"},
		"an end that is no more in it": {func(_ *testing.T, p *Patient, _ store.DB) {
			p.Logs[0].Kept = []audit.Head{{Chain: "gone", Number: 7, Value: []byte("x")}}
		}, "audit", false, "missing"},
	} {
		t.Run(name, func(t *testing.T) {
			p, db := patient(t)
			c.spoil(t, &p, db)
			found := Examine(t.Context(), p)
			if doctor.Well(found) != c.ok {
				t.Errorf("well is %v: %v", !c.ok, found)
			}
			for _, f := range found {
				if f.Check == c.check && (f.OK != c.ok || !strings.Contains(f.Says, c.says) || f.OK != (f.Advice == "")) {
					t.Errorf("found %+v, want %q", f, c.says)
				}
			}
		})
	}
}

func TestAMongoDBChecksItsOwnFiles(t *testing.T) {
	p, _ := patient(t)
	p.Sound = nil
	for _, f := range Examine(t.Context(), p) {
		if f.Check == "file" {
			t.Errorf("%+v", f)
		}
	}
}

// remove takes the nth document of a collection away.
func remove(t *testing.T, db store.DB, collection string, n int) {
	t.Helper()
	all, err := db.Collection(t.Context(), store.Spec{Name: collection, Ordered: []string{"at"}})
	if err != nil {
		t.Fatal(err)
	}
	for d, err := range all.Find(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n--; n == 0 {
			if err := all.Delete(t.Context(), d.ID, d.Rev); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
}

// broken holds a document that is no BSON.
type broken struct{}

// Dump implements store.Dumper.
func (broken) Dump(context.Context, ...string) iter.Seq2[store.Stored, error] {
	return func(yield func(store.Stored, error) bool) {
		yield(store.Stored{Collection: "Thing", Doc: store.Doc{ID: "a", Body: bson.Raw("no document")}}, nil)
	}
}
