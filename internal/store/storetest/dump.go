package storetest

import (
	"fmt"
	"slices"
	"time"

	"ccms/internal/store"
)

var dumpCases = []testCase{
	{"a dump shows every document of every collection, in order", func(f *fixture) {
		another := f.collection(store.Spec{Name: "Another"})
		var want []string
		for i := range 300 { // more than a page
			d := doc(fmt.Sprintf("d%03d", i), "i", int64(i))
			if err := another.Insert(f.Context(), d); err != nil {
				f.Fatal(err)
			}
			want = append(want, "Another/"+d.ID)
		}
		f.insert(doc("a"), doc("b"))
		f.dumps(nil, append(want, "Thing/a", "Thing/b")...)
		f.dumps([]string{"Thing"}, "Thing/a", "Thing/b")
		f.dumps([]string{"None"})
	}},
	{"a dump shows documents that expired too", func(f *fixture) {
		f.insert(doc("a", "gone", f.clock.Now().Add(time.Minute)))
		f.clock.Advance(2 * time.Minute)
		f.absent("a")
		f.dumps([]string{"Thing", "Another"}, "Thing/a")
	}},
	{"a dump ends when its caller has had enough", func(f *fixture) {
		f.insert(doc("a"), doc("b"))
		seen := 0
		for range f.db.(store.Dumper).Dump(f.Context()) {
			seen++
			break
		}
		if seen != 1 {
			f.Errorf("%d documents", seen)
		}
		f.insert(doc("c")) // nothing is held up
	}},
}

// dumps checks which documents a dump of collections shows, COLLECTION/ID.
func (f *fixture) dumps(collections []string, want ...string) {
	f.Helper()
	var got []string
	for s, err := range f.db.(store.Dumper).Dump(f.Context(), collections...) {
		if err != nil {
			f.Fatal(err)
		}
		if s.Rev != 1 || s.Body.Validate() != nil {
			f.Errorf("%s/%s has revision %d and body %v", s.Collection, s.ID, s.Rev, s.Body)
		}
		got = append(got, s.Collection+"/"+s.ID)
	}
	if !slices.Equal(got, want) {
		f.Errorf("shows %q, want %q", got, want)
	}
}
