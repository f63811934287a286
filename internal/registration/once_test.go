package registration_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ccms/internal/store/storetest"
)

func keyed(c call, key string) call {
	c.key = key
	return c
}

func TestAKeyMakesOneRegistration(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	first := w.do(keyed(registerCall(as, visa), "k1"))
	want(t, first, 201, "")
	w.clock.Advance(23 * time.Hour)
	again := w.do(keyed(registerCall(as, "4111 1111 1111 1111", member{"cvv", `"124"`}, member{"expiry_date", `"2030-12"`}), "k1"))
	if want(t, again, 201, ""); again.body != first.body {
		t.Errorf("the same request with another code gave %s, then %s", first.body, again.body)
	}
	for name, changed := range map[string]member{
		"card": {"card_number", `"` + mastercard + `"`}, "month": {"expiry_date", `"11/30"`}, "name": {"cardholder_name", `"Jane Doe"`},
		"reference": {"reference", `"r"`}, "metadata": {"metadata", `{"a":"b"}`},
	} {
		t.Run("another "+name+" is another request", func(t *testing.T) {
			want(t, w.do(keyed(registerCall(as, visa, changed), "k1")), 422, "IDEMPOTENCY_MISMATCH")
		})
	}
	for name, other := range map[string]string{"firm": client("firm_b", "test")} {
		a := w.do(keyed(registerCall(other, visa), "k1"))
		if want(t, a, 201, ""); a.body == first.body {
			t.Errorf("a key of one %s gave the answer of another", name)
		}
	}
	w.clock.Advance(time.Hour + time.Second)
	a := w.do(keyed(registerCall(as, visa), "k1"))
	if want(t, a, 201, ""); a.body == first.body {
		t.Error("a key counts for longer than 24 hours")
	}
	want(t, w.do(keyed(registerCall(as, visa), "schlüssel")), 400, "VALIDATION_ERROR")
}

func TestARefusalForItsShapeLeavesTheKeyFree(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	want(t, w.do(keyed(registerCall(as, visa, member{"cvv", `"1"`}), "k")), 400, "INVALID_CVV")
	want(t, w.do(keyed(registerCall(as, mastercard), "k")), 201, "")
}

// TestAThousandKeysTriedFiveTimesAtOnce would fail if parallel tries of one key
// ever made two registrations, or gave two answers. Who is told that another try
// is under way asks once more when all are through.
func TestAThousandKeysTriedFiveTimesAtOnce(t *testing.T) {
	const keys, tries = 1000, 5
	w := newWorld(t)
	as := client("firm_a", "live")
	answers := make([]map[string]bool, keys)
	var mu sync.Mutex
	try := func(k int) {
		a := w.do(keyed(registerCall(as, nth(k)), fmt.Sprint("key-", k)))
		if a.status == http.StatusConflict {
			want(t, a, 409, "IDEMPOTENCY_IN_PROGRESS")
			return
		}
		want(t, a, 201, "")
		mu.Lock()
		defer mu.Unlock()
		if answers[k] == nil {
			answers[k] = map[string]bool{}
		}
		answers[k][a.body] = true
	}
	all := func(times int) {
		var group sync.WaitGroup
		var next atomic.Int64
		for range 50 {
			group.Go(func() {
				for i := int(next.Add(1)) - 1; i < keys*times; i = int(next.Add(1)) - 1 {
					try(i / times)
				}
			})
		}
		group.Wait()
	}
	all(tries)
	all(1)
	ids := map[string]bool{}
	for k, bodies := range answers {
		if len(bodies) != 1 {
			t.Errorf("key %d gave %v", k, bodies)
		}
		maps.Copy(ids, bodies)
	}
	if listed := w.listAll(as, "limit=100"); len(ids) != keys || len(listed) != keys {
		t.Errorf("%d keys gave %d answers and made %d registrations", keys, len(ids), len(listed))
	}
}

// nth is the same Luhn-valid live number for the same n.
func nth(n int) string { return complete(fmt.Sprintf("4929%011d", n)) }

// TestWhatWasCutOffSettles stops the process at every write of a registration,
// before it and after it, and sends the same again once the lease is over.
func TestWhatWasCutOffSettles(t *testing.T) {
	for _, collection := range []string{"Audit", "Card", "Registration", "Idempotency"} {
		for _, op := range []storetest.Op{storetest.Insert, storetest.Replace} {
			for _, after := range []bool{false, true} {
				for skip := range 2 {
					t.Run(fmt.Sprint(collection, " ", op, " ", skip, " after ", after), func(t *testing.T) {
						w := newWorld(t)
						as := client("firm_a", "test")
						w.db.Add(storetest.Rule{Collection: collection, Op: op, Skip: skip, After: after, Err: errors.New("pulled plug")})
						first := w.do(keyed(registerCall(as, visa), "k"))
						w.db.Clear()
						w.clock.Advance(31 * time.Second)
						w.service, w.handler = w.process() // what was in memory is gone
						second := w.do(keyed(registerCall(as, visa), "k"))
						want(t, second, 201, "")
						if first.status == 201 && first.body != second.body {
							t.Errorf("%s became %s", first.body, second.body)
						}
						if all := w.listAll(as, ""); len(all) != 1 || all[0].ID != decode[status](t, second).ID {
							t.Errorf("the firm has %+v", all)
						}
					})
				}
			}
		}
	}
}

// TestTheSameCardOfManyAtOnceHasOneToken would fail if a race made two cards of
// one.
func TestTheSameCardOfManyAtOnceHasOneToken(t *testing.T) {
	w := newWorld(t)
	number := anyNumber()
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			if a := w.do(registerCall(client(fmt.Sprint("firm_", i%2), "live"), number)); a.status != 201 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	group.Wait()
	tokens := map[string]string{}
	for _, firm := range []string{"firm_0", "firm_1"} {
		for _, r := range w.listAll(client(firm, "live"), "") {
			if tokens[firm] == "" {
				tokens[firm] = r.Token
			}
			if r.Token != tokens[firm] {
				t.Errorf("%s has tokens %s and %s", firm, r.Token, tokens[firm])
			}
		}
	}
	if tokens["firm_0"] == tokens["firm_1"] || tokens["firm_0"] == "" {
		t.Errorf("two firms have the tokens %v", tokens)
	}
}
