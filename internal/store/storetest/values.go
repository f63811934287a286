package storetest

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
)

// sample is a document as a domain would write it.
type sample struct {
	Text  string            `bson:"text,omitempty"`
	Bytes []byte            `bson:"bytes,omitempty"`
	At    time.Time         `bson:"at"`
	Maybe *time.Time        `bson:"maybe,omitempty"`
	N     int64             `bson:"n"`
	Small int32             `bson:"small"`
	Yes   bool              `bson:"yes"`
	List  []string          `bson:"list,omitempty"`
	Inner []inner           `bson:"inner,omitempty"`
	Map   map[string]string `bson:"map,omitempty"`
}

type inner struct {
	Name  string `bson:"name"`
	Inner *inner `bson:"inner,omitempty"`
}

func valueCases() []testCase {
	east := time.FixedZone("east", 5*3600)
	deep := &inner{Name: "0"}
	for i := range 60 {
		deep = &inner{Name: fmt.Sprint(i), Inner: deep}
	}
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	return []testCase{
		same("text keeps Unicode, NUL and its normal form", sample{Text: "é é \x00 🂡 \u202e \ufeff \u2028 ß"}),
		same("an empty text stays empty", sample{Text: ""}),
		same("a text of a megabyte stays whole", sample{Text: strings.Repeat("ä", 1<<19)}),
		same("bytes keep every value", sample{Bytes: every}),
		same("whole numbers keep their extremes", sample{N: math.MinInt64, Small: math.MaxInt32}),
		same("a whole number above 2^53 stays exact", sample{N: 1<<53 + 1}),
		same("true stays true", sample{Yes: true}),
		same("lists keep their order", sample{List: []string{"b", "a", "", "b"}}),
		same("embedded documents keep their nesting", sample{Inner: []inner{*deep, {Name: "x"}}}),
		same("maps keep names with dots and dollars", sample{Map: map[string]string{"a.b": "1", "$c": "2", "": "3"}}),
		same("a time keeps its millisecond", sample{At: noon.Add(123 * time.Millisecond)}),
		same("the zero time and the last of year 9999 stay", sample{At: time.Time{}, Maybe: new(time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC))}),
		same("a time before 1970 stays", sample{At: time.Date(1913, 7, 4, 1, 2, 3, 4e6, time.UTC)}),
		becomes("a time loses what is below the millisecond", sample{At: noon.Add(1999 * time.Microsecond)}, sample{At: noon.Add(time.Millisecond)}),
		becomes("a time before 1970 is cut towards the past", sample{At: time.Unix(-1, 999_999_999)}, sample{At: time.Unix(-1, 999e6).UTC()}),
		becomes("a time comes back in UTC", sample{At: noon.In(east)}, sample{At: noon}),
		{"fields keep their order and types, byte by byte", func(f *fixture) {
			d := doc("a", "z", int32(1), "y", int64(1), "x", 1.5, "w", bson.NewObjectID(), "v", nil, "u", bson.A{int32(1), "2"},
				"t", bson.Binary{Subtype: 4, Data: make([]byte, 16)}, "s", bson.Timestamp{T: 1, I: 2}, "r", bson.Regex{Pattern: "x", Options: "i"})
			f.insert(d)
			f.holds(d)
		}},
	}
}

func same(name string, v sample) testCase { return becomes(name, v, v) }

// becomes stores v through the typed wrapper and expects want, from Get, Find
// and after Replace.
func becomes(name string, v, want sample) testCase {
	return testCase{name, func(f *fixture) {
		of, err := store.Open[sample](f.Context(), f.db, store.Spec{Name: "Sample", Ordered: []string{"at", "n"}})
		if err != nil {
			f.Fatal(err)
		}
		if err := of.Insert(f.Context(), "a", v); err != nil {
			f.Fatal(err)
		}
		got, err := of.Get(f.Context(), "a")
		if err != nil {
			f.Fatal(err)
		}
		f.alike(got.Value, want)
		got.Value = v
		if err := of.Replace(f.Context(), got); err != nil {
			f.Fatal(err)
		}
		first, err := of.First(f.Context(), store.Query{Where: []store.Cond{{Field: "n", Op: store.Eq, Value: v.N}}})
		if err != nil {
			f.Fatal(err)
		}
		f.alike(first.Value, want)
	}}
}

func (f *fixture) alike(got, want sample) {
	f.Helper()
	if !reflect.DeepEqual(got, want) {
		f.Fatalf("got %+v, want %+v", got, want)
	}
}
