package registration_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/audit"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

// record is what these tests read of the audit log.
type record struct {
	Act, Actor, Object, Owner, From, Request, Reason, Result string
}

// acts are the records of an act with a result, "" for those before it.
func (w *world) acts(t testing.TB, act, result string) (found []record) {
	t.Helper()
	for _, r := range w.records {
		r.Settle()
	}
	c, err := w.db.Collection(t.Context(), store.Spec{Name: "Audit", Ordered: []string{"at"}})
	must(t, err)
	for d, err := range c.Find(t.Context(), store.Query{}) {
		must(t, err)
		var page struct{ Records []record }
		must(t, bson.Unmarshal(d.Body, &page))
		for _, r := range page.Records {
			if r.Act == act && r.Result == result {
				found = append(found, r)
			}
		}
	}
	return found
}

func TestEveryActIsOnRecord(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	id := w.register(as, visa)
	want(t, w.do(call{method: "DELETE", path: "/v1/registrations/" + id, as: as}), 200, "")
	want(t, w.do(call{method: "PUT", path: "/v1/settings", as: as, body: `{"verification":{"bin_deny":["555555"]}}`}), 200, "")
	rejected := w.register(as, mastercard)
	for _, c := range []struct{ act, object, words string }{
		{"registration.create", id, "verified"},
		{"registration.delete", id, ""},
		{"settings.change", "test", ""},
		{"registration.create", rejected, "rejected: bin_denied"},
	} {
		t.Run(c.act+" "+c.words, func(t *testing.T) {
			for _, result := range []string{"", audit.Success} {
				found := 0
				for _, r := range w.acts(t, c.act, result) {
					if r.Object == c.object && r.Owner == "firm_a" && r.Actor == "client_of_firm_a" && (result == "" || r.Reason == c.words) {
						found++
					}
				}
				if found != 1 {
					t.Errorf("%d records with the result %q: %+v", found, result, w.acts(t, c.act, result))
				}
			}
		})
	}
	report, err := audit.Verify(t.Context(), audit.Config{DB: w.db, Key: w.secrets["audit"]})
	must(t, err)
	if report.Records == 0 {
		t.Error("nothing was verified")
	}
}

func TestNothingHappensWithoutARecord(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	id := w.register(as, visa)
	before := w.holdings(as)
	w.db.Add(storetest.Rule{Collection: "Audit", Op: storetest.Insert, Err: errors.New("disk")})
	for name, c := range map[string]call{
		"register": registerCall(as, mastercard),
		"delete":   {method: "DELETE", path: "/v1/registrations/" + id, as: as},
		"settings": {method: "PUT", path: "/v1/settings", as: as, body: `{"verification":{"velocity":"refuse"}}`},
	} {
		t.Run(name, func(t *testing.T) { want(t, w.do(c), 503, "DATABASE_ERROR") })
	}
	w.db.Clear()
	if got := w.holdings(as); got != before {
		t.Errorf("the firm has\n%s, before it had\n%s", got, before)
	}
}

// holdings are what a firm sees of what it has.
func (w *world) holdings(as string) string {
	var all []string
	for _, path := range []string{"/v1/registrations", "/v1/cards", "/v1/settings"} {
		a := w.do(call{method: "GET", path: path, as: as})
		want(w.t, a, 200, "")
		all = append(all, a.body)
	}
	return strings.Join(all, "\n")
}

// TestNeitherNumberNorNameIsOnDisk looks at every file of the store.
func TestNeitherNumberNorNameIsOnDisk(t *testing.T) {
	w := newWorld(t)
	number, name := anyNumber(), "Q7Xavier Canaryname"
	for _, key := range []string{"", "k1"} {
		c := registerCall(client("firm_a", "live"), number, member{"cardholder_name", `"` + name + `"`}, member{"reference", `"plainreference"`})
		c.key = key
		want(t, w.do(c), 201, "")
	}
	seen := false
	must(t, filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		text := string(b)
		seen = seen || strings.Contains(text, "plainreference")
		for _, secret := range []string{number, name, "Canaryname"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds %q", path, secret)
			}
		}
		return err
	}))
	if !seen {
		t.Error("the search does not find what is there in clear")
	}
	for _, secret := range []string{number, name} {
		if strings.Contains(w.logged.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}
