package scan

import (
	"iter"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

func TestDocumentsOfAStoreAreSearched(t *testing.T) {
	db := storetest.New(t)
	c, err := db.Collection(t.Context(), store.Spec{Name: "Order"})
	if err != nil {
		t.Fatal(err)
	}
	for id, body := range map[string]bson.D{
		"a":  {{Key: "note", Value: "paid with " + visa}, {Key: "sealed", Value: "AES256{AAAA}"}, {Key: "at", Value: bson.DateTime(4111111111111111)}},
		"b":  {{Key: "lines", Value: bson.A{bson.D{{Key: "pan", Value: int64(4929000000000018)}}}}, {Key: "f", Value: 5105105105105100.0}},
		"c":  {{Key: "x" + mastercard, Value: bson.Binary{Data: []byte(visa)}}},
		visa: {},
	} {
		raw, err := bson.Marshal(body)
		if err == nil {
			err = c.Insert(t.Context(), store.Doc{ID: id, Body: raw})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	s := New(Config{Found: func(f Finding) { lines = append(lines, f.String()) }, Unread: func(u Unread) { lines = append(lines, u.String()) }})
	if err := s.Documents(t.Context(), db.(store.Dumper).Dump(t.Context())); err != nil {
		t.Fatal(err)
	}
	want(t, lines,
		"Order/************1111:6: Visa ************1111, name, a test number",
		"Order/a!note:14: Visa ************1111, a test number",
		"Order/b!lines.0.pan:0: Visa ************0018",
		"Order/b!f:0: Mastercard ************5100, a test number",
		"Order/c!x************5100:1: Mastercard ************5100, name, a test number",
		"Order/c!x************5100:5: Visa ************1111, a test number")
	if s.Totals().Documents != 4 {
		t.Errorf("%+v", s.Totals())
	}
}

func TestADocumentThatIsNoneIsTold(t *testing.T) {
	var docs iter.Seq2[store.Stored, error] = func(yield func(store.Stored, error) bool) {
		yield(store.Stored{Collection: "C", Doc: store.Doc{ID: "i", Body: bson.Raw("x")}}, nil)
	}
	s := New(Config{Found: func(Finding) {}, Unread: func(Unread) {}})
	if err := s.Documents(t.Context(), docs); err != nil || s.Totals().Unread != 1 {
		t.Errorf("%v, %+v", err, s.Totals())
	}
}
