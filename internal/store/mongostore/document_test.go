package mongostore

import (
	"bytes"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
)

func raw(t testing.TB, d bson.D) bson.Raw {
	t.Helper()
	b, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAStoredDocumentHoldsTheBodyAtTopLevel(t *testing.T) {
	got := encode("a\x00b", 7, raw(t, bson.D{{Key: "username", Value: "ann"}, {Key: "n", Value: int64(1)}}))
	want := raw(t, bson.D{{Key: "_id", Value: "a\x00b"}, {Key: "rev", Value: int64(7)}, {Key: "username", Value: "ann"}, {Key: "n", Value: int64(1)}})
	if !bytes.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestADocumentIsReadWhereverItsOwnFieldsStand(t *testing.T) {
	stored := raw(t, bson.D{{Key: "x", Value: "1"}, {Key: "rev", Value: int32(3)}, {Key: "y", Value: "2"}, {Key: "_id", Value: "a"}})
	d, err := decode(stored)
	want := raw(t, bson.D{{Key: "x", Value: "1"}, {Key: "y", Value: "2"}})
	if err != nil || d.ID != "a" || d.Rev != 3 || !bytes.Equal(d.Body, want) {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestADocumentThatIsNotOursIsAnError(t *testing.T) {
	for name, d := range map[string]bson.D{
		"no _id":             {{Key: "rev", Value: int64(1)}},
		"no rev":             {{Key: "_id", Value: "a"}},
		"an _id of no text":  {{Key: "_id", Value: bson.NewObjectID()}, {Key: "rev", Value: int64(1)}},
		"a rev of no number": {{Key: "_id", Value: "a"}, {Key: "rev", Value: "1"}},
	} {
		if got, err := decode(raw(t, d)); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestUniqueKeysThatAreNullAreNotStored(t *testing.T) {
	unique := []string{"email", "card.print"}
	for name, c := range map[string]struct{ body, want bson.D }{
		"a null":              {bson.D{{Key: "email", Value: nil}, {Key: "x", Value: nil}}, bson.D{{Key: "x", Value: nil}}},
		"an inner null":       {bson.D{{Key: "card", Value: bson.D{{Key: "print", Value: nil}, {Key: "y", Value: int32(1)}}}}, bson.D{{Key: "card", Value: bson.D{{Key: "y", Value: int32(1)}}}}},
		"a null on the way":   {bson.D{{Key: "card", Value: nil}}, bson.D{{Key: "card", Value: nil}}},
		"a value":             {bson.D{{Key: "email", Value: "x"}}, bson.D{{Key: "email", Value: "x"}}},
		"nothing of the kind": {bson.D{}, bson.D{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := sparse(raw(t, c.body), unique)
			if err != nil || !bytes.Equal(got, raw(t, c.want)) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// FuzzDocument feeds any bytes as a body that the contract takes: it must come
// back as it went, and any bytes as a stored document, which must not panic.
func FuzzDocument(f *testing.F) {
	f.Add("a", int64(1), []byte(raw(f, bson.D{{Key: "x", Value: bson.A{1, "y"}}})))
	f.Add("", int64(0), []byte("\x05\x00\x00\x00\x00"))
	f.Add("é\x00", int64(-1), []byte(raw(f, bson.D{{Key: "", Value: nil}, {Key: "a.b", Value: bson.D{}}})))
	s := store.Spec{Name: "X"}
	f.Fuzz(func(t *testing.T, id string, rev int64, body []byte) {
		_, _ = decode(body)
		if _, err := s.Keys(store.Doc{ID: id, Body: body}); err != nil || rev == 0 {
			return
		}
		stored := encode(id, rev, body)
		if err := stored.Validate(); err != nil {
			t.Fatalf("stored %v: %v", stored, err)
		}
		d, err := decode(stored)
		if err != nil || d.ID != id || d.Rev != rev || !bytes.Equal(d.Body, body) {
			t.Fatalf("%q %d %v came back as %+v, %v", id, rev, body, d, err)
		}
	})
}
