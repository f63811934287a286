package store_test

import (
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
)

func TestFieldsNamesEachKeyOnce(t *testing.T) {
	s := store.Spec{Unique: []string{"a", "b"}, Ordered: []string{"b", "c"}, Expires: "c"}
	if got := s.Fields(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("got %q", got)
	}
	if got := (store.Spec{}).Fields(); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

func TestKeyReadsWhatCanBeCompared(t *testing.T) {
	at := time.Date(2031, 5, 17, 12, 0, 0, 5e6, time.UTC)
	body := marshal(t, bson.D{
		{Key: "text", Value: "x"}, {Key: "null", Value: nil}, {Key: "int32", Value: int32(-7)}, {Key: "int64", Value: int64(1) << 60},
		{Key: "at", Value: at}, {Key: "true", Value: true}, {Key: "list", Value: bson.A{"x"}}, {Key: "half", Value: 0.5},
		{Key: "in", Value: bson.D{{Key: "text", Value: "y"}, {Key: "list", Value: bson.A{bson.D{{Key: "text", Value: "z"}}}}}},
	})
	for name, c := range map[string]struct {
		path string
		want any
		bad  bool
	}{
		"a string":                            {path: "text", want: "x"},
		"null is nil":                         {path: "null"},
		"an absent field is nil":              {path: "no"},
		"int32 becomes int64":                 {path: "int32", want: int64(-7)},
		"int64":                               {path: "int64", want: int64(1) << 60},
		"a time in UTC":                       {path: "at", want: at},
		"an embedded string":                  {path: "in.text", want: "y"},
		"an absent embedded field is nil":     {path: "in.no"},
		"a field of no document is nil":       {path: "text.x"},
		"a field of an absent field is nil":   {path: "no.x.y"},
		"a boolean is refused":                {path: "true", bad: true},
		"a fraction is refused":               {path: "half", bad: true},
		"a document is refused":               {path: "in", bad: true},
		"a list is refused":                   {path: "list", bad: true},
		"a field within a list is refused":    {path: "in.list.text", bad: true},
		"a position within a list is refused": {path: "list.0", bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := store.Key(body, c.path)
			if (err != nil) != c.bad || got != c.want {
				t.Errorf("Key(%q) = %v, %v", c.path, got, err)
			}
		})
	}
}

func marshal(t testing.TB, v any) bson.Raw {
	t.Helper()
	b, err := bson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzKeys feeds any bytes as a document: Keys must refuse what is malformed
// and never panic, and what it accepts must be of the kinds drivers compare.
func FuzzKeys(f *testing.F) {
	f.Add([]byte(marshal(f, bson.D{{Key: "a", Value: "x"}, {Key: "b", Value: bson.D{{Key: "c", Value: int64(1)}}}})), "b.c")
	f.Add([]byte(marshal(f, bson.D{{Key: "a", Value: bson.A{1, "x"}}, {Key: "t", Value: time.Unix(0, 0)}})), "a.0")
	f.Add([]byte("\x05\x00\x00\x00\x00"), "")
	f.Add([]byte("\xff\xff\xff\x7f\x03a\x00\x05"), "a..b")
	f.Fuzz(func(t *testing.T, body []byte, path string) {
		s := store.Spec{Name: "X", Ordered: []string{path}, Expires: "t"}
		if s.Validate() != nil {
			return
		}
		keys, err := s.Keys(store.Doc{ID: "a", Body: body})
		if err != nil {
			return
		}
		if err := bson.Raw(body).Validate(); err != nil {
			t.Fatalf("accepted malformed BSON: %v", err)
		}
		for _, k := range keys {
			switch k.(type) {
			case nil, string, int64, time.Time:
			default:
				t.Fatalf("a key of type %T", k)
			}
		}
	})
}
