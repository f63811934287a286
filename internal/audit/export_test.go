package audit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ccms/internal/store"
)

// diary writes acts of two firms on three days, by two processes, and returns
// how to read it. The clock stands at midnight of the first day.
func diary(t *testing.T) (cfg Config, midnight time.Time) {
	t.Helper()
	midnight = time.Date(2031, 5, 17, 0, 0, 0, 0, time.UTC)
	now := midnight
	cfg = config(t)
	cfg.Now = func() time.Time { return now }
	var logs []*Log
	for _, chain := range []string{"a", "b"} {
		cfg.Chain = chain
		logs = append(logs, open(t, cfg))
	}
	for day := range 3 {
		for hour := range 4 {
			now = midnight.AddDate(0, 0, day).Add(time.Duration(hour+1) * time.Hour)
			for i, l := range logs {
				for _, firm := range []string{"firm_1", "firm_2"} {
					act(t, l, Entry{Act: "card.reveal", Actor: "client_" + firm, Object: fmt.Sprintf("tok_%d_%d_%d", day, hour, i), Owner: firm, From: "192.0.2.1", Request: "r", Reason: "dispute"})
				}
			}
		}
	}
	return cfg, midnight
}

func export(t *testing.T, cfg Config, f Filter) (rows []Row) {
	t.Helper()
	for r, err := range Export(t.Context(), cfg, f) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

func TestAFirmsRecordsOfAPeriodAreExported(t *testing.T) {
	cfg, midnight := diary(t)
	for _, tc := range []struct {
		name string
		f    Filter
		want int
	}{
		{"of one firm", Filter{Owner: "firm_1"}, 48},
		{"of a firm on one day", Filter{Owner: "firm_2", From: midnight.AddDate(0, 0, 1), To: midnight.AddDate(0, 0, 2)}, 16},
		{"from an hour on, which counts", Filter{Owner: "firm_1", From: midnight.AddDate(0, 0, 2).Add(4 * time.Hour)}, 4},
		{"to an hour, which does not count", Filter{Owner: "firm_1", To: midnight.Add(2 * time.Hour)}, 4},
		{"of nobody", Filter{Owner: "firm_3"}, 0},
		{"of all", Filter{}, 98},
		{"of no time", Filter{From: midnight.AddDate(1, 0, 0)}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, tc.f.Limit = range []int{0, 1, 7} {
				rows := export(t, cfg, tc.f)
				if len(rows) != tc.want {
					t.Errorf("%d rows, want %d", len(rows), tc.want)
				}
				seen := map[string]bool{}
				for i, r := range rows {
					if seen[r.Record] || i > 0 && r.Time.Before(rows[i-1].Time) || tc.f.Owner != "" && r.Owner != tc.f.Owner {
						t.Fatalf("row %d is %+v", i, r)
					}
					seen[r.Record] = true
				}
			}
		})
	}
}

// TestARowSaysWhatPCIAsksFor would fail if one of the facts of PCI DSS 10.2.2
// were missing.
func TestARowSaysWhatPCIAsksFor(t *testing.T) {
	cfg, midnight := diary(t)
	rows := export(t, cfg, Filter{Owner: "firm_1", To: midnight.Add(90 * time.Minute)})
	want := Row{
		Time: midnight.Add(time.Hour), Act: "card.reveal", Actor: "client_firm_1", Object: "tok_0_0_0", Owner: "firm_1",
		From: "192.0.2.1", Result: Begun, Reason: "dispute", Request: "r", Record: "a/2",
	}
	if rows[0] != want {
		t.Errorf("%+v", rows[0])
	}
	want.Result, want.Record, want.Begin = Success, "a/3", "a/2"
	if rows[1] != want {
		t.Errorf("%+v", rows[1])
	}
}

func TestAPageGoesOnWhereTheLastEnded(t *testing.T) {
	cfg, _ := diary(t)
	whole := export(t, cfg, Filter{Owner: "firm_1"})
	cfg.Chain = "c"
	l := open(t, cfg)
	var rows []Row
	f := Filter{Owner: "firm_1", Limit: 5}
	for {
		page, next, err := l.Page(t.Context(), f)
		if err != nil || len(page) > 5 {
			t.Fatal(len(page), err)
		}
		if rows = append(rows, page...); next == "" {
			break
		}
		f.After = next
	}
	if !slices.Equal(rows, whole) {
		t.Errorf("%d rows in pages, %d at once", len(rows), len(whole))
	}
	for _, text := range []string{"x", "0 0", strings.Repeat("A", 60), place{at: -1, id: "a/1"}.String(), place{id: "a"}.String()} {
		if _, _, err := l.Page(t.Context(), Filter{After: text}); !errors.Is(err, ErrPlace) {
			t.Errorf("place %q: %v", text, err)
		}
	}
}

// TestAPageLooksAtABoundedNumberOfDocuments would fail if one firm's page cost
// more the more other firms do.
func TestAPageLooksAtABoundedNumberOfDocuments(t *testing.T) {
	cfg := config(t)
	l := open(t, cfg)
	for range maxPages {
		if err := l.Note(t.Context(), Entry{Act: "a", Owner: "firm_1"}, Success); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Note(t.Context(), Entry{Act: "a", Owner: "firm_2"}, Success); err != nil {
		t.Fatal(err)
	}
	rows, next, err := l.Page(t.Context(), Filter{Owner: "firm_2"})
	if err != nil || len(rows) != 0 || next == "" {
		t.Errorf("%d rows, next %q, %v", len(rows), next, err)
	}
	rows, next, err = l.Page(t.Context(), Filter{Owner: "firm_2", After: next})
	if err != nil || len(rows) != 1 || next != "" {
		t.Errorf("%d rows, next %q, %v", len(rows), next, err)
	}
}

// TestDocumentsOfEarlierVersionsAreExportedToo takes the time from some
// documents, as they were before they had one.
func TestDocumentsOfEarlierVersionsAreExportedToo(t *testing.T) {
	cfg, midnight := diary(t)
	l := open(t, cfg)
	s := tampered{t, cfg, l}
	old := 0
	for _, doc := range s.pages() {
		if doc.Value.At.Before(midnight.AddDate(0, 0, 1)) {
			s.put(doc.ID, doc.Value.Records...)
			old++
		}
	}
	for _, limit := range []int{1, 3, 100} {
		if rows := export(t, cfg, Filter{Owner: "firm_1", Limit: limit}); len(rows) != 48 || old == 0 {
			t.Errorf("%d rows, %d documents without a time", len(rows), old)
		}
		if rows := export(t, cfg, Filter{Owner: "firm_1", Limit: limit, From: midnight.AddDate(0, 0, 2)}); len(rows) != 16 {
			t.Errorf("%d rows of the last day", len(rows))
		}
	}
	verify(t, cfg)
}

func TestAnExportEndsWhereTheLogWasAltered(t *testing.T) {
	last := Filter{From: time.Date(2031, 5, 19, 0, 0, 0, 0, time.UTC)}
	for name, alter := range map[string]func(s tampered, doc store.Record[page]){
		"a record was changed": func(s tampered, doc store.Record[page]) {
			doc.Value.Records[0].Actor = "client_9"
			s.remove(doc.ID)
			if err := s.log.records.Insert(s.Context(), doc.ID, doc.Value); err != nil {
				s.Fatal(err)
			}
		},
		"a document was removed": func(s tampered, doc store.Record[page]) { s.remove(doc.ID) },
		"a document was moved to another time": func(s tampered, doc store.Record[page]) {
			doc.Value.At = doc.Value.At.Add(time.Hour)
			s.remove(doc.ID)
			if err := s.log.records.Insert(s.Context(), doc.ID, doc.Value); err != nil {
				s.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := diary(t)
			s := tampered{t, cfg, open(t, cfg)}
			pages := slices.DeleteFunc(s.pages(), func(d store.Record[page]) bool { return d.Value.At.Before(last.From) })
			alter(s, pages[1])
			var err error
			for _, err = range Export(t.Context(), cfg, last) {
			}
			if _, ok := errors.AsType[*Broken](err); !ok {
				t.Errorf("%v", err)
			}
			if _, err := Verify(t.Context(), cfg); err == nil {
				t.Error("verify finds nothing")
			}
		})
	}
}
