package listing_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"ccms/internal/listing"
	"ccms/internal/problem"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

type thing struct {
	Listed string `bson:"listed"`
	Odd    bool   `bson:"odd"`
}

func things(t testing.TB, n int) (listing.Source[thing], store.DB) {
	t.Helper()
	db := storetest.New(t)
	docs, err := store.Open[thing](t.Context(), db, store.Spec{Name: "Thing", Ordered: []string{"listed"}})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for i := range n {
		id := fmt.Sprintf("thing_%04d", i)
		v := thing{listing.Key("firm_A", at.Add(time.Duration(i/3)*time.Millisecond), id), i%2 == 1}
		if err := docs.Insert(t.Context(), id, v); err != nil {
			t.Fatal(err)
		}
	}
	for _, firm := range []string{"firm_", "firm_A0", "firm_B", "firm_@"} { // around firm_A in the order
		if err := docs.Insert(t.Context(), firm, thing{Listed: listing.Key(firm, at, firm)}); err != nil {
			t.Fatal(err)
		}
	}
	return listing.Source[thing]{Documents: docs, Field: "listed", Key: func(v thing) string { return v.Listed }}, db
}

// walk reads all pages and returns the ids and the number of pages.
func walk(t *testing.T, s listing.Source[thing], limit string, show func(store.Record[thing]) (string, bool)) (ids []string, pages int) {
	t.Helper()
	for q := (url.Values{"limit": {limit}}); ; pages++ {
		r, err := listing.Parse("things", "firm_A", q)
		if err != nil {
			t.Fatal(err)
		}
		p, err := listing.Read(t.Context(), s, r, show)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, p.Data...)
		if p.Next == nil {
			return ids, pages + 1
		}
		q.Set("cursor", *p.Next)
	}
}

func every(r store.Record[thing]) (string, bool) { return r.ID, true }

func TestPagesHoldEverythingOnceNewestFirst(t *testing.T) {
	s, _ := things(t, 10)
	var want []string
	for i := 9; i >= 0; i-- {
		want = append(want, fmt.Sprintf("thing_%04d", i))
	}
	for limit, pages := range map[string]int{"1": 10, "3": 4, "5": 2, "9": 2, "10": 1, "100": 1} {
		got, n := walk(t, s, limit, every)
		if !slices.Equal(got, want) || n != pages {
			t.Errorf("limit %s: %q on %d pages", limit, got, n)
		}
	}
}

func TestAFilterThatLeavesOutMostMakesShortPages(t *testing.T) {
	s, _ := things(t, 1500)
	got, pages := walk(t, s, "50", func(r store.Record[thing]) (string, bool) { return r.ID, r.ID == "thing_0000" })
	if !slices.Equal(got, []string{"thing_0000"}) || pages != 2 {
		t.Errorf("got %q on %d pages", got, pages)
	}
	got, _ = walk(t, s, "100", func(r store.Record[thing]) (string, bool) { return r.ID, r.Value.Odd })
	if len(got) != 750 {
		t.Errorf("%d found, want 750", len(got))
	}
}

func TestWhatIsMadeMeanwhileDoesNotShiftPages(t *testing.T) {
	s, _ := things(t, 4)
	q := url.Values{"limit": {"2"}}
	r, err := listing.Parse("things", "firm_A", q)
	if err != nil {
		t.Fatal(err)
	}
	first, err := listing.Read(t.Context(), s, r, every)
	if err != nil {
		t.Fatal(err)
	}
	newest := thing{Listed: listing.Key("firm_A", time.Now(), "thing_new")}
	if err := s.Documents.Insert(t.Context(), "thing_new", newest); err != nil {
		t.Fatal(err)
	}
	q.Set("cursor", *first.Next)
	if r, err = listing.Parse("things", "firm_A", q); err != nil {
		t.Fatal(err)
	}
	second, err := listing.Read(t.Context(), s, r, every)
	if err != nil || !slices.Equal(second.Data, []string{"thing_0001", "thing_0000"}) {
		t.Errorf("got %q, %v", second.Data, err)
	}
}

func TestAnEmptyListHasDataAndNoCursor(t *testing.T) {
	s, _ := things(t, 0)
	got, pages := walk(t, s, "10", every)
	if len(got) != 0 || pages != 1 {
		t.Errorf("got %q on %d pages", got, pages)
	}
}

func TestAWrongQueryIsRefused(t *testing.T) {
	for _, query := range []string{
		"limit=0", "limit=101", "limit=x", "limit=1&limit=2", "cursor=%21", "cursor=YQ", "cursor=YS9iL2M", "cursor=YS9i=", "more=1", "state=a&state=b",
		"cursor=" + strings.Repeat("A", 301),
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := listing.Parse("things", "firm_A", q, "state"); err == nil || problem.From(err).Code != "VALIDATION_ERROR" {
			t.Errorf("%s: %v", query, err)
		}
	}
	r, err := listing.Parse("things", "firm_A", url.Values{"state": {"a"}}, "state")
	if err != nil || r.Filter("state") != "a" || r.Filter("limit") != "" {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestACursorThatWasNotGivenIsRefused(t *testing.T) {
	s, _ := things(t, 3)
	r, err := listing.Parse("things", "firm_A", url.Values{"limit": {"1"}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := listing.Read(t.Context(), s, r, every)
	if err != nil {
		t.Fatal(err)
	}
	given := *p.Next
	if _, err := listing.Parse("things", "firm_B", url.Values{"cursor": {given}}); err == nil {
		t.Error("another firm's cursor is taken")
	}
	if _, err := listing.Parse("others", "firm_A", url.Values{"cursor": {given}}); err == nil {
		t.Error("another list's cursor is taken")
	}
	for i := range given {
		changed := []byte(given)
		changed[i]++
		for _, text := range []string{string(changed), given[:i], given + given[:i+1]} {
			if _, err := listing.Parse("things", "firm_A", url.Values{"cursor": {text}}); err == nil && text != "" {
				t.Errorf("%s is taken for %s", text, given)
			}
		}
	}
}

func TestAPlaceComesBackFromItsCursor(t *testing.T) {
	for _, place := range []string{"", "a", "20260501T120000.000/thing_1", "\x00\xff"} {
		c := listing.Cursor("things/firm_A", place)
		if got, err := listing.Place("things/firm_A", c); got != place || err != nil || (c == "") != (place == "") {
			t.Errorf("%q comes back from %q as %q, %v", place, c, got, err)
		}
	}
}

func TestAFailureOfTheStoreIsTold(t *testing.T) {
	s, db := things(t, 1)
	_ = db.Close()
	r, _ := listing.Parse("things", "firm_A", nil)
	if _, err := listing.Read(t.Context(), s, r, every); !errors.Is(err, store.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// FuzzParse would find a cursor that leads into another firm's list.
func FuzzParse(f *testing.F) {
	s, _ := things(f, 3)
	first, err := listing.Parse("things", "firm_A", url.Values{"limit": {"1"}})
	if err != nil {
		f.Fatal(err)
	}
	p, err := listing.Read(f.Context(), s, first, every)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("firm_A", *p.Next, "1")
	f.Add("firm_B", "Ly8", "100")
	f.Fuzz(func(t *testing.T, firm, cursor, limit string) {
		r, err := listing.Parse("things", "firm_A", url.Values{"cursor": {cursor}, "limit": {limit}, firm: {cursor}})
		if err != nil {
			return
		}
		p, err := listing.Read(context.Background(), s, r, every)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range p.Data {
			if !strings.HasPrefix(id, "thing_") {
				t.Errorf("%q shows %s", cursor, id)
			}
		}
	})
}
