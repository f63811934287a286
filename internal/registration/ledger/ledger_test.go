package ledger_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ccms/internal/listing"
	"ccms/internal/problem"
	"ccms/internal/registration/ledger"
	"ccms/internal/registration/verification"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func open(t testing.TB) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), storetest.New(t))
	must(t, err)
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestIDs(t *testing.T) {
	at := noon.Add(123456789 * time.Nanosecond)
	id := ledger.NewID(at)
	text := id.String()
	if len(text) != 36 || text[14] != '7' || !strings.ContainsRune("89ab", rune(text[19])) {
		t.Errorf("%s is no UUID of version 7", text)
	}
	if !id.Time().Equal(at.Truncate(time.Millisecond)) {
		t.Errorf("its time is %v", id.Time())
	}
	for _, same := range []string{text, strings.ToUpper(text)} {
		if got, ok := ledger.ParseID(same); !ok || got != id {
			t.Errorf("%s reads as %v, %v", same, got, ok)
		}
	}
	for _, other := range []string{"", text[1:], text + "0", strings.ReplaceAll(text, "-", ""), "{" + text + "}", strings.Replace(text, "-", "_", 1), text[:35] + "g"} {
		if _, ok := ledger.ParseID(other); ok {
			t.Errorf("%q is taken for an id", other)
		}
	}
	if later := ledger.NewID(at.Add(time.Microsecond)); later.String() <= text {
		t.Errorf("%s, a microsecond later, is not behind %s", later, text)
	}
	k := ledger.Key{Firm: "firm_a", Mode: "live", ID: id}
	if got, ok := ledger.ParseKey(k.String()); !ok || got != k {
		t.Errorf("%s reads as %v", k, got)
	}
	for _, other := range []string{"", text, "firm_a/" + text, k.String() + "/x", "firm_a/live/x"} {
		if _, ok := ledger.ParseKey(other); ok {
			t.Errorf("%q is taken for a key", other)
		}
	}
}

func TestManyIDsOfOneMomentDiffer(t *testing.T) {
	seen := map[ledger.ID]bool{}
	for range 10_000 {
		seen[ledger.NewID(noon)] = true
	}
	if len(seen) != 10_000 {
		t.Errorf("%d different ids of 10,000", len(seen))
	}
}

func FuzzParseID(f *testing.F) {
	f.Add(ledger.NewID(noon).String())
	f.Add("0190A3B4-0000-7000-8000-0190a3b40000")
	f.Fuzz(func(t *testing.T, text string) {
		if id, ok := ledger.ParseID(text); ok && !strings.EqualFold(id.String(), text) {
			t.Errorf("%q became %s", text, id)
		}
	})
}

// sample is a registration with what lists look at taken by chance.
func sample() ledger.Registration {
	pick := func(all ...string) string { return all[rand.IntN(len(all))] }
	r := ledger.Registration{
		Actor: "c", Token: "tok", Status: pick("verified", "verified", "verified", "rejected", "failed", "pending"),
		Brand: pick("Visa", "Mastercard"), Last4: pick("1111", "4444", "0005"), Reference: pick("", "", "a", "b"),
		ExpiryMonth: 1, ExpiryYear: 2026 + rand.IntN(2),
	}
	if r.Status == "rejected" {
		r.Reason = pick("declined", "bin_denied")
	}
	return r
}

// fill inserts n samples a second apart, half of them of each mode, and some of
// another firm; it returns the keys of firm_a, newest first.
func fill(t testing.TB, l *ledger.Ledger, n int) (keys []ledger.Key, all map[string]ledger.Registration) {
	t.Helper()
	all = map[string]ledger.Registration{}
	var group sync.WaitGroup
	for i := range n {
		k := ledger.Key{Firm: "firm_a", Mode: []string{"live", "test"}[i%2], ID: ledger.NewID(noon.Add(time.Duration(i) * time.Second))}
		r := sample()
		keys, all[k.String()] = append(keys, k), r
		foreign := ledger.Key{Firm: []string{"firm", "firm_aa", "firm_b"}[i%3], Mode: k.Mode, ID: k.ID}
		group.Go(func() {
			if err := errors.Join(l.Insert(t.Context(), k, r), l.Insert(t.Context(), foreign, r)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	slices.Reverse(keys)
	return keys, all
}

func list(t testing.TB, l *ledger.Ledger, in ledger.Shelf, query string) (ids []string, pages int) {
	t.Helper()
	for cursor := ""; ; pages++ {
		q, err := url.ParseQuery(query + cursor)
		must(t, err)
		f, err := ledger.ReadFilter(in, q)
		must(t, err)
		p, err := l.List(t.Context(), f, noon)
		must(t, err)
		for _, r := range p.Data {
			ids = append(ids, r.ID)
		}
		if p.Next == nil {
			return ids, pages + 1
		}
		cursor = "&cursor=" + *p.Next
	}
}

// TestListsAgainstTheDefinition compares lists with any filters with what a
// walk over everything gives.
func TestListsAgainstTheDefinition(t *testing.T) {
	l := open(t)
	keys, all := fill(t, l, 400)
	maybe := func(name string, values ...string) string {
		if rand.IntN(3) > 0 {
			return ""
		}
		return "&" + name + "=" + url.QueryEscape(values[rand.IntN(len(values))])
	}
	at := func() string { return noon.Add(time.Duration(rand.IntN(400)) * time.Second).Format(time.RFC3339) }
	for range 300 {
		in := ledger.Shelf{Firm: "firm_a", Modes: [][]string{{"live"}, {"test"}, {"live", "test"}}[rand.IntN(3)]}
		query := fmt.Sprintf("limit=%d", 1+rand.IntN(100)) +
			maybe("status", "verified", "rejected", "failed", "pending", "expired") + maybe("brand", "visa", "MASTERCARD") +
			maybe("reason", "declined", "none") + maybe("reference", "a", "b", "c") + maybe("last4", "1111", "9999") +
			maybe("mode", "test", "live") + maybe("from", at()) + maybe("to", at())
		q, _ := url.ParseQuery(query)
		var want []string
		for _, k := range keys {
			if r := all[k.String()]; slices.Contains(in.Modes, k.Mode) && fits(q, k, &r) {
				want = append(want, k.ID.String())
			}
		}
		if got, _ := list(t, l, in, query); !slices.Equal(got, want) {
			t.Fatalf("%v %s: got %d, want %d:\n%q\n%q", in, query, len(got), len(want), got, want)
		}
	}
}

func fits(q url.Values, k ledger.Key, r *ledger.Registration) bool {
	is := func(name, value string) bool { return q.Get(name) == "" || strings.EqualFold(q.Get(name), value) }
	from, _ := time.Parse(time.RFC3339, q.Get("from"))
	to, err := time.Parse(time.RFC3339, q.Get("to"))
	return is("status", r.StatusAt(noon)) && is("brand", r.Brand) && is("reason", r.Reason) && is("reference", r.Reference) &&
		is("last4", r.Last4) && is("mode", k.Mode) && !k.ID.Time().Before(from) && (err != nil || k.ID.Time().Before(to))
}

// TestPagesStayPutWhileOthersWrite would fail if new registrations shifted what
// a cursor points at, or deleted ones made it lose its place.
func TestPagesStayPutWhileOthersWrite(t *testing.T) {
	l := open(t)
	keys, _ := fill(t, l, 120)
	in := ledger.Shelf{Firm: "firm_a", Modes: []string{"live", "test"}}
	var seen []string
	cursor := url.Values{"limit": {"50"}}
	for page := range 3 {
		f, err := ledger.ReadFilter(in, cursor)
		must(t, err)
		p, err := l.List(t.Context(), f, noon)
		must(t, err)
		for _, r := range p.Data {
			seen = append(seen, r.ID)
		}
		for i := range 5 {
			must(t, l.Insert(t.Context(), ledger.Key{Firm: "firm_a", Mode: "test", ID: ledger.NewID(noon.Add(time.Hour + time.Duration(i)))}, sample()))
		}
		if page == 0 {
			must(t, l.Delete(t.Context(), keys[49])) // the one the cursor names
		}
		if p.Next != nil {
			cursor.Set("cursor", *p.Next)
		}
	}
	var want []string
	for _, k := range keys {
		want = append(want, k.ID.String())
	}
	if !slices.Equal(seen, want) {
		t.Errorf("saw %d of %d", len(seen), len(want))
	}
}

// TestAPageLooksAtABoundedNumber would fail if a filter that leaves most out
// made one page read everything.
func TestAPageLooksAtABoundedNumber(t *testing.T) {
	l := open(t)
	var group sync.WaitGroup
	for i := range 2500 {
		group.Go(func() {
			r := ledger.Registration{Status: verification.Verified, Brand: "Visa", ExpiryMonth: 1, ExpiryYear: 2040}
			if i == 3 {
				r.Brand = "Elo"
			}
			if err := l.Insert(t.Context(), ledger.Key{Firm: "f", Mode: "live", ID: ledger.NewID(noon.Add(time.Duration(i) * time.Second))}, r); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if ids, pages := list(t, l, ledger.Shelf{Firm: "f", Modes: []string{"live"}}, "brand=elo"); len(ids) != 1 || pages != 3 {
		t.Errorf("found %d on %d pages", len(ids), pages)
	}
}

// TestACursorIsGoodInItsOwnListAlone would fail if an altered cursor, or one of
// another list, led to some page all the same.
func TestACursorIsGoodInItsOwnListAlone(t *testing.T) {
	id := ledger.NewID(time.Now())
	given := listing.Cursor("registrations/f", string(id[:]))
	read := func(firm, cursor string) error {
		_, err := ledger.ReadFilter(ledger.Shelf{Firm: firm, Modes: []string{"test"}}, url.Values{"cursor": {cursor}})
		return err
	}
	must(t, read("f", given))
	for name, err := range map[string]error{
		"another firm's":   read("g", given),
		"another list's":   read("f", listing.Cursor("cards/f", string(id[:]))),
		"cut":              read("f", given[:len(given)-1]),
		"with more behind": read("f", given+"AAAA"),
		"altered":          read("f", strings.Map(func(r rune) rune { return r ^ 1 }, given)),
		"the bare id":      read("f", base64.RawURLEncoding.EncodeToString(id[:])),
	} {
		if e, ok := errors.AsType[*problem.Error](err); !ok || e.Code != "VALIDATION_ERROR" || !strings.Contains(e.Details, "next_cursor") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestQueriesThatAreNone(t *testing.T) {
	in := ledger.Shelf{Firm: "f", Modes: []string{"live", "test"}}
	for _, q := range []string{
		"limit=0", "limit=101", "limit=-1", "limit=x", "limit=", "limit=5&limit=5", "status=unknown", "status=", "brand=nobody",
		"last4=11111", "last4=111", "last4=abcd", "from=yesterday", "from=1969-12-31", "to=2026-13-01", "to=12/2026", "mode=prod", "mode=",
		"cursor=x", "cursor=AAAAAAAAAAAAAAAAAAAAAB", "reference=", "reference=%00", "reference=%ff", "reason=" + strings.Repeat("r", 256),
		"card_number=4111111111111111", "Status=verified",
	} {
		values, err := url.ParseQuery(q)
		must(t, err)
		_, err = ledger.ReadFilter(in, values)
		e, ok := errors.AsType[*problem.Error](err)
		if !ok || e.Code != "VALIDATION_ERROR" || strings.Contains(e.Details, "4111") {
			t.Errorf("%s: %v", q, err)
		}
	}
	for _, q := range []string{"", "limit=1", "limit=100", "cursor=", "from=2026-01-01", "to=2026-01-01T10:00:00%2B02:00", "brand=amex"} {
		values, _ := url.ParseQuery(q)
		if _, err := ledger.ReadFilter(in, values); err != nil {
			t.Errorf("%s: %v", q, err)
		}
	}
}

func FuzzReadFilter(f *testing.F) {
	f.Add("status=verified&limit=3&cursor=AZ3jaPYAcACtHCp-d0deeg")
	f.Add("from=2026-05-01&to=2026-05-02T00:00:00Z&reference=%e2%82%ac")
	l := open(f)
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		filter, err := ledger.ReadFilter(ledger.Shelf{Firm: "f", Modes: []string{"live", "test"}}, q)
		if err != nil {
			return
		}
		if _, err := l.List(t.Context(), filter, noon); err != nil {
			t.Errorf("%q is a filter the store does not take: %v", query, err)
		}
	})
}

func TestFindKeepsFirmsAndModesApart(t *testing.T) {
	l := open(t)
	k := ledger.Key{Firm: "firm_a", Mode: "live", ID: ledger.NewID(noon)}
	must(t, l.Insert(t.Context(), k, sample()))
	for name, c := range map[string]struct {
		in   ledger.Shelf
		text string
		ok   bool
	}{
		"its own":        {ledger.Shelf{Firm: "firm_a", Modes: []string{"live"}}, k.ID.String(), true},
		"in both modes":  {ledger.Shelf{Firm: "firm_a", Modes: []string{"test", "live"}}, k.ID.String(), true},
		"the other mode": {ledger.Shelf{Firm: "firm_a", Modes: []string{"test"}}, k.ID.String(), false},
		"another firm":   {ledger.Shelf{Firm: "firm_b", Modes: []string{"live"}}, k.ID.String(), false},
		"no mode":        {ledger.Shelf{Firm: "firm_a"}, k.ID.String(), false},
		"no id":          {ledger.Shelf{Firm: "firm_a", Modes: []string{"live"}}, "x", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := l.Find(t.Context(), c.in, c.text)
			if c.ok && (err != nil || got != k) || !c.ok && !errors.Is(err, ledger.NotFound()) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestAVerdictIsWrittenOnce(t *testing.T) {
	l := open(t)
	k := ledger.Key{Firm: "f", Mode: "live", ID: ledger.NewID(noon)}
	must(t, l.Insert(t.Context(), k, ledger.Registration{Status: verification.Pending, Flags: []string{"bin_walk"}}))
	first := verification.Verdict{Status: verification.Rejected, Reason: "declined", Flags: []string{"bin_walk", "x"}, CVVStatus: verification.CodeMatched}
	for i, v := range []verification.Verdict{first, {Status: verification.Verified}} {
		done, err := l.Settle(t.Context(), k, v, noon)
		if err != nil || done != (i == 0) {
			t.Errorf("verdict %d: %v, %v", i, done, err)
		}
	}
	r, err := l.Get(t.Context(), k)
	if err != nil || r.Status != verification.Rejected || r.Reason != "declined" || !slices.Equal(r.Flags, []string{"bin_walk", "x"}) ||
		r.CVVStatus != verification.CodeMatched || !r.DecidedAt.Equal(noon) {
		t.Errorf("got %+v, %v", r, err)
	}
	must(t, l.Delete(t.Context(), k))
	if _, err := l.Settle(t.Context(), k, first, noon); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of one that is gone: %v", err)
	}
	if err := l.Delete(t.Context(), k); !errors.Is(err, ledger.NotFound()) {
		t.Errorf("deleted again: %v", err)
	}
}

func TestOneThatIsPendingIsOnlyThat(t *testing.T) {
	r := ledger.Registration{Status: verification.Pending, Token: "tok", Brand: "Visa", Last4: "1111", CVVStatus: "unchecked", ExpiryMonth: 1, ExpiryYear: 2020}
	if s := r.StatusOf(ledger.Key{ID: ledger.NewID(noon)}, noon); s.Status != "pending" || s.Token+s.Brand+s.Last4+s.Expiry+s.CVVStatus+s.Reason != "" {
		t.Errorf("got %+v", s)
	}
	r.Status, r.Reason = ledger.Failed, "no_answer"
	if s := r.StatusOf(ledger.Key{}, noon); s.Status != "failed" || s.Reason != "no_answer" || s.Token != "" {
		t.Errorf("got %+v", s)
	}
}
