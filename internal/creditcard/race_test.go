package creditcard_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// together sends n requests at once, spread over the handlers, and returns the
// answers.
func together(t *testing.T, n int, handlers []http.Handler, c func(i int) call) []answer {
	t.Helper()
	answers := make([]answer, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			answers[i] = sendIn(t.Context(), handlers[i%len(handlers)], c(i))
		})
	}
	close(start)
	wg.Wait()
	return answers
}

// tally counts answers by status and code.
func tally(t *testing.T, answers []answer) map[string]int {
	t.Helper()
	n := map[string]int{}
	for _, a := range answers {
		code := ""
		if a.status >= 400 {
			code = " " + decode[failure](t, a).ErrorCode
		}
		n[fmt.Sprint(a.status, code)]++
	}
	return n
}

func TestOfManyAddsOfOneNumberExactlyOneWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, other := w.process()
	handlers := []http.Handler{w.handler, other}
	for round := range 20 {
		as := fmt.Sprint("holder-", round/2) // even rounds race for a first card
		number := []string{visa, mastercard}[round%2]
		got := tally(t, together(t, 64, handlers, func(int) call { return addCall(as, number) }))
		if got["201"] != 1 || got["409 CARD_EXISTS"] != 63 {
			t.Fatalf("round %d: %v", round, got)
		}
		if cards := w.list(as); len(cards) != round%2+1 {
			t.Fatalf("round %d: %d cards", round, len(cards))
		}
	}
}

func TestParallelAddsOfDifferentNumbersAllSucceed(t *testing.T) {
	w := newWorld(t)
	numbers := []string{visa, visa2, mastercard, amex, "4012888888881881", "6011111111111117", "30569309025904", "3530111333300000"}
	for round := range 4 {
		as := fmt.Sprint("holder-", round)
		got := tally(t, together(t, len(numbers), []http.Handler{w.handler}, func(i int) call { return addCall(as, numbers[i]) }))
		if got["201"] != len(numbers) {
			t.Fatalf("round %d: %v", round, got)
		}
		ids := map[int64]bool{}
		for _, c := range w.list(as) {
			ids[c.CreditCardID] = true
		}
		if len(ids) != len(numbers) {
			t.Fatalf("round %d: %d different ids", round, len(ids))
		}
	}
}

func TestOfManyDeletesExactlyOneWins(t *testing.T) {
	w := newWorld(t)
	for round := range 5 {
		c := w.add("alice", visa)
		refs := []string{visa, c.id(), c.Token}
		got := tally(t, together(t, 32, []http.Handler{w.handler}, func(i int) call {
			return call{method: "DELETE", path: "/api/customer/creditcard/" + refs[i%3], as: "alice"}
		}))
		if got["200"] != 1 || got["409 ALREADY_DELETED"] != 31 {
			t.Fatalf("round %d: %v", round, got)
		}
	}
}

func TestNoToggleIsLost(t *testing.T) {
	w := newWorld(t)
	c := w.add("alice", visa)
	answers := together(t, 33, []http.Handler{w.handler}, func(int) call {
		return call{method: "PUT", path: "/api/customer/creditcard/" + c.id() + "/toggle", as: "alice"}
	})
	seen := map[string]int{}
	for _, a := range answers {
		want(t, a, 200, "")
		seen[decode[object](t, a).Status]++
	}
	if seen["disabled"] != 17 || seen["enabled"] != 16 || w.list("alice")[0].Status != "disabled" {
		t.Fatalf("33 toggles answered %v and ended %s", seen, w.list("alice")[0].Status)
	}
}

func TestTheLimitHoldsUnderARace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 97 {
		w.add("alice", visa)
		want(t, w.delete("alice", visa), 200, "")
	}
	numbers := []string{visa, visa2, mastercard, amex, "4012888888881881", "6011111111111117", "30569309025904", "3530111333300000"}
	got := tally(t, together(t, len(numbers), []http.Handler{w.handler}, func(i int) call { return addCall("alice", numbers[i]) }))
	if got["201"] != 3 || got["409 CARD_LIMIT"] != 5 {
		t.Fatalf("%v", got)
	}
}

func TestRestoreAndAddingAgainNeverMakeTwoLiveCards(t *testing.T) {
	w := newWorld(t)
	for round := range 10 {
		as := fmt.Sprint("holder-", round)
		c := w.add(as, visa)
		want(t, w.delete(as, visa), 200, "")
		got := tally(t, together(t, 16, []http.Handler{w.handler}, func(i int) call {
			if i%2 == 0 {
				return addCall(as, visa)
			}
			return call{method: "POST", path: "/api/customer/creditcard/" + c.id() + "/restore", as: as}
		}))
		if got["201"]+min(1, got["200"]) != 1 || len(w.list(as)) != 1 {
			t.Fatalf("round %d: %v, %d live cards", round, got, len(w.list(as)))
		}
	}
}

func TestAKeyMakesOneCardHoweverOftenItIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, other := w.process()
	handlers := []http.Handler{w.handler, other}
	numbers := []string{visa, visa2, mastercard, amex}
	answers := make([]string, 500)
	try := func(i int) (inProgress bool) {
		n := i % 100
		c := addCall(fmt.Sprint("holder-", n/len(numbers)), numbers[n%len(numbers)])
		c.key = fmt.Sprint("key-", n)
		a := sendIn(t.Context(), handlers[i%2], c)
		answers[i] = fmt.Sprint(a.status, a.body)
		return a.status == 409 && strings.Contains(a.body, "IDEMPOTENCY_IN_PROGRESS")
	}
	refused := make([]bool, len(answers))
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { refused[i] = try(i) })
	}
	wg.Wait()
	for i := range answers {
		if refused[i] { // another try of the key was under way
			try(i)
		}
	}
	for i, a := range answers {
		if a != answers[i%100] || !strings.HasPrefix(a, "201") {
			t.Fatalf("try %d of key %d: %s; the first: %s", i/100, i%100, a, answers[i%100])
		}
	}
	for n := range 25 {
		if cards := w.list(fmt.Sprint("holder-", n)); len(cards) != len(numbers) {
			t.Fatalf("holder %d has %d cards", n, len(cards))
		}
	}
}

func TestAKeyIsBoundToItsBodyAndHolder(t *testing.T) {
	w := newWorld(t)
	c := addCall("alice", visa)
	c.key = "k"
	first := w.do(c)
	want(t, first, 201, "")

	same := c
	same.body = `{ "expiryYear":2030, "cardNumber":"4111-1111-1111-1111", "cvv":"999", "expiryMonth":12 }`
	if a := w.do(same); a.status != 201 || a.body != first.body {
		t.Errorf("the same request in other words: %d %s", a.status, a.body)
	}
	for name, body := range map[string]string{
		"number": cardBody(visa2), "month": strings.Replace(c.body, ":12", ":11", 1), "year": strings.Replace(c.body, "2030", "2031", 1),
		"vendor": strings.Replace(c.body, "2030", `2030,"wireTransactionVendor":"Visa"`, 1),
	} {
		another := c
		another.body = body
		t.Run("another "+name, func(t *testing.T) { want(t, w.do(another), 422, "IDEMPOTENCY_MISMATCH") })
	}
	c.as = "bob"
	if a := w.do(c); a.status != 201 || a.body == first.body {
		t.Errorf("another holder with the key: %d %s", a.status, a.body)
	}
	c.key = strings.Repeat("k", 256)
	want(t, w.do(c), 400, "VALIDATION_ERROR")
}

func TestARefusalUnderAKeyIsReplayedByteForByte(t *testing.T) {
	w := newWorld(t)
	w.add("alice", visa)
	c := addCall("alice", visa)
	c.key = "k"
	first := w.do(c)
	want(t, first, 409, "CARD_EXISTS")
	want(t, w.delete("alice", visa), 200, "")
	w.clock.Advance(24*time.Hour - time.Millisecond)
	if again := w.do(c); again.status != 409 || again.body != first.body {
		t.Errorf("again: %d %s, first: %s", again.status, again.body, first.body)
	}
	w.clock.Advance(time.Millisecond)
	want(t, w.do(c), 201, "")
}
