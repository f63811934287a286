package creditcard_test

import (
	"go.mongodb.org/mongo-driver/v2/bson"

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

// audited returns the records of an act with a result, and a reason unless "".
func (w *world) audited(act, result, reason string) []line {
	w.t.Helper()
	records, err := w.db.Collection(w.t.Context(), store.Spec{Name: "Audit"})
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
