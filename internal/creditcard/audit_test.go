package creditcard_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/meter"
	"ccms/internal/store"
)

// line is a record of the audit log as it is stored.
type line struct {
	Act    string `bson:"act"`
	Actor  string `bson:"actor"`
	Object string `bson:"object"`
	Owner  string `bson:"owner"`
	Reason string `bson:"reason"`
	Result string `bson:"result"` // empty: about to happen
}

// settle waits for the outcomes of all acts so far.
func (w *world) settle() {
	for _, r := range w.records {
		r.Settle()
	}
}

// audited returns the records of an act with a result, and a reason unless "".
func (w *world) audited(act, result, reason string) []line {
	w.t.Helper()
	w.settle()
	records, err := w.db.Collection(w.t.Context(), store.Spec{Name: "Audit", Ordered: []string{"at"}})
	must(w.t, err)
	var found []line
	for d, err := range records.Find(w.t.Context(), store.Query{}) {
		must(w.t, err)
		var page struct {
			Records []line `bson:"records"`
		}
		must(w.t, bson.Unmarshal(d.Body, &page))
		for _, l := range page.Records {
			if l.Act == act && l.Result == result && (reason == "" || l.Reason == reason) {
				found = append(found, l)
			}
		}
	}
	return found
}

func TestEveryActOnACardIsOnRecordWithItsOutcome(t *testing.T) {
	w := newWorld(t)
	c := w.add("alice", visa)
	want(t, w.do(addCall("alice", visa)), 409, "CARD_EXISTS")
	want(t, w.toggle("alice", visa), 200, "")
	want(t, w.delete("alice", c.id()), 200, "")
	want(t, w.delete("alice", c.id()), 409, "ALREADY_DELETED")
	want(t, w.restore("alice", c.Token), 200, "")
	for _, tt := range []struct {
		act, result string
		n           int
	}{
		{"card.add", "", 2}, {"card.add", "success", 1}, {"card.add", "refused", 1},
		{"card.toggle", "", 1}, {"card.toggle", "success", 1},
		{"card.delete", "", 2}, {"card.delete", "success", 1}, {"card.delete", "refused", 1},
		{"card.restore", "", 1}, {"card.restore", "success", 1},
	} {
		lines := w.audited(tt.act, tt.result, "")
		if len(lines) != tt.n {
			t.Errorf("%s %q: %d records, want %d", tt.act, tt.result, len(lines), tt.n)
		}
		for _, l := range lines {
			if l.Actor != "alice" || l.Owner != "alice" || l.Object == "" {
				t.Errorf("record %+v", l)
			}
			if tt.act != "card.add" && l.Object != c.Token {
				t.Errorf("%s names %s, want the card's token", tt.act, l.Object)
			}
		}
	}
}

// metric is the value of a counter without labels.
func (w *world) metric(name string) float64 {
	w.t.Helper()
	var r meter.Registry
	r.Add(w.service.Collectors()...)
	families, err := r.Gather()
	must(w.t, err)
	for _, f := range families {
		if f.Name == name {
			return f.Series[0].Value
		}
	}
	w.t.Fatalf("no metric %s", name)
	return 0
}
