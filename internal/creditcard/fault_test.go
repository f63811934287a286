package creditcard_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

var errDisk = errors.New("disk of host-7 is gone")

// everyRoute calls each route for a card.
func everyRoute(as string, c object) []call {
	const base = "/api/customer/creditcard"
	return []call{
		addCall(as, mastercard),
		{method: "GET", path: base, as: as},
		{method: "GET", path: "/api/creditcards", as: as},
		{method: "PUT", path: base + "/" + c.id() + "/toggle", as: as},
		{method: "POST", path: base + "/" + c.Token + "/restore", as: as},
		{method: "DELETE", path: base + "/" + visa, as: as},
	}
}

func TestWithTheStoreDownEveryRouteSaysSo(t *testing.T) {
	w := newWorld(t)
	c := w.add("alice", visa)
	w.db.Add(storetest.Rule{Err: errDisk})
	for _, r := range everyRoute("alice", c) {
		a := w.do(r)
		want(t, a, 503, "DATABASE_ERROR")
		if a.header.Get("Retry-After") == "" || strings.Contains(a.body, "host-7") {
			t.Errorf("%s %s: Retry-After %q, %s", r.method, r.path, a.header.Get("Retry-After"), a.body)
		}
	}
	w.db.Clear()
	if got := w.list("alice"); len(got) != 1 || got[0] != c {
		t.Errorf("list %+v", got)
	}
}

func TestASlowStoreIsATimeOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.add("alice", visa)
	w.db.Add(storetest.Rule{Collection: "CreditCard", Delay: time.Hour})
	var wg sync.WaitGroup
	start := time.Now()
	for _, r := range everyRoute("alice", c) {
		wg.Go(func() {
			if a := sendIn(t.Context(), w.handler, r); a.status != 504 || !strings.Contains(a.body, `"TIMEOUT"`) {
				t.Errorf("%s %s: %d %s", r.method, r.path, a.status, a.body)
			}
		})
	}
	wg.Wait()
	if took := time.Since(start); took >= 2*store.Budget {
		t.Errorf("took %v", took)
	}
}

func TestWithoutAnAuditRecordNothingHappens(t *testing.T) {
	w := newWorld(t)
	c := w.add("alice", visa)
	w.db.Add(storetest.Rule{Collection: "Audit", Err: errDisk})
	for _, r := range everyRoute("alice", c) {
		if r.method == "GET" {
			want(t, w.do(r), 200, "") // the masked list is no access to card data
			continue
		}
		want(t, w.do(r), 503, "DATABASE_ERROR")
	}
	if got := w.list("alice"); len(got) != 1 || got[0] != c {
		t.Errorf("list %+v, want %+v unchanged", got, c)
	}
	if got := w.metric("ccms_card_audit_refusals_total"); got != 4 {
		t.Errorf("%v refusals counted, want 4", got)
	}
	w.db.Clear()
	want(t, w.toggle("alice", c.id()), 200, "")
}

func TestAGuessThatCannotBeRecordedIsRefusedAllTheSame(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.do(call{method: "POST", path: "/api/customer/creditcard", as: "alice", body: strings.Replace(cardBody(visa), "123", fmt.Sprintf("00%d", i), 1)})
	}
	w.db.Add(storetest.Rule{Collection: "Audit", Err: errDisk})
	want(t, w.do(addCall("alice", visa)), 503, "DATABASE_ERROR")
}

func TestAnActStandsWhenOnlyItsOutcomeIsNotRecorded(t *testing.T) {
	w := newWorld(t)
	c := w.add("alice", visa)
	w.settle()
	w.db.Add(storetest.Rule{Collection: "Audit", Op: storetest.Insert, Skip: 1, Err: errDisk})
	want(t, w.delete("alice", c.id()), 200, "")
	w.settle()
	w.db.Clear()
	want(t, w.delete("alice", c.id()), 409, "ALREADY_DELETED")
	if n := len(w.audited("card.delete", "", "")); n != 2 {
		t.Errorf("%d beginnings on record, want 2", n)
	}
	if n := len(w.audited("card.delete", "success", "")); n != 0 {
		t.Errorf("%d outcomes on record, want none", n)
	}
	if !strings.Contains(w.logged.String(), "outcome of an act was not recorded") {
		t.Error("nobody was told")
	}
}

// The store fails at each operation of an add in turn, before or after its
// effect, for that one operation or from then on as if the process had been
// killed there. Whatever was answered, the same request sent again to another
// process settles to one card.
func TestAnAddCutOffAnywhereSettlesToOneCardWithItsKey(t *testing.T) {
	t.Parallel()
	const operations = 12 // more than an add has
	for _, first := range []bool{true, false} {
		w := newWorld(t)
		_, other := w.process()
		for skip := range operations {
			for _, after := range []bool{false, true} {
				for times := range 2 {
					as := fmt.Sprint("holder-", skip, after, times)
					if !first {
						w.add(as, mastercard)
					}
					c := addCall(as, visa)
					c.key = "k"
					w.db.Add(storetest.Rule{Skip: skip, After: after, Times: times, Err: errDisk})
					cut := w.do(c)
					w.db.Clear()
					w.clock.Advance(30 * time.Second)
					again := send(t, other, c)
					want(t, again, 201, "")
					if cut.status == 201 && cut.body != again.body {
						t.Errorf("%s: answered %s, then %s", as, cut.body, again.body)
					}
					cards := w.list(as)
					if last := cards[len(cards)-1]; last != decode[object](t, again) || first != (len(cards) == 1) {
						t.Errorf("%s: answered %s, then %s, and lists %+v", as, cut.body, again.body, cards)
					}
				}
			}
		}
	}
}

func TestACardDeletedBeforeTheRetryIsNotAddedAgain(t *testing.T) {
	w := newWorld(t)
	c := addCall("alice", visa)
	c.key = "k"
	w.db.Add(storetest.Rule{Collection: "CreditCard", Op: storetest.Insert, After: true, Err: errDisk})
	want(t, w.do(c), 503, "DATABASE_ERROR")
	w.db.Clear()
	added := w.list("alice")
	want(t, w.delete("alice", visa), 200, "")
	w.clock.Advance(time.Minute)
	again := w.do(c)
	want(t, again, 201, "")
	if got := decode[object](t, again); got != added[0] || len(w.list("alice")) != 0 {
		t.Errorf("again %+v, first %+v", got, added[0])
	}
}

func TestACallerWhoLeftChangesNothingAndBreaksNothing(t *testing.T) {
	w := newWorld(t)
	c := w.add("alice", visa)
	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, r := range everyRoute("alice", c) {
		sendIn(gone, w.handler, r)
	}
	if got := w.list("alice"); len(got) != 1 || got[0] != c {
		t.Errorf("list %+v, want %+v unchanged", got, c)
	}
}
