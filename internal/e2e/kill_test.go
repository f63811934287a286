package e2e

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// TestAKilledProductLosesNothing kills the product with eight writers at work,
// again and again on the same data, and compares what is there with what was
// acknowledged. It would fail if an answer left before its write was durable,
// or if a start after a crash were not clean. The store's own test kills fifty
// times; this one adds everything above the store.
func TestAKilledProductLosesNothing(t *testing.T) {
	const writers, kills, perRound = 8, 8, 10
	dir := t.TempDir()
	p, err := up(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { p.kill() }()
	c := newClient(t)
	journals := make([]journal, writers)
	for i := range journals {
		journals[i] = journal{who: signUp(t, c, p, fmt.Sprintf("writer-%d", i)), known: map[string]bool{}, maybe: map[string]bool{}}
	}
	var slowest time.Duration
	for range kills {
		var wg sync.WaitGroup
		for i := range journals {
			numbers := make([]string, perRound)
			for n := range numbers {
				numbers[n] = randomCard(t)
			}
			wg.Go(func() { journals[i].write(c, p, numbers) })
		}
		<-time.After(time.Duration(20+rand.IntN(150)) * time.Millisecond)
		p.kill()
		wg.Wait()
		began := time.Now()
		if p, err = up(dir); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(began))
		for i := range journals {
			journals[i].check(t, c, p)
		}
	}
	acknowledged := 0
	for _, j := range journals {
		acknowledged += len(j.known)
	}
	t.Logf("%d cards acknowledged over %d kills, slowest start %s", acknowledged, kills, slowest)
}

// journal is what one writer was told.
type journal struct {
	who          customer
	known, maybe map[string]bool // last four digits: acknowledged, or cut off
}

func (j *journal) write(c *client, p *process, numbers []string) {
	for _, number := range numbers {
		last4 := number[12:]
		if j.known[last4] {
			continue // two random numbers may share their end
		}
		j.maybe[last4] = true
		status, _, err := c.send("POST", p.CreditCard+"/api/customer/creditcard", newCard(number, "123"), j.who.auth()...)
		if err == nil && status == 201 {
			j.known[last4] = true
		}
	}
}

func (j *journal) check(t *testing.T, c *client, p *process) {
	t.Helper()
	_, body, err := c.send("GET", p.CreditCard+"/api/creditcards", nil, j.who.auth()...)
	var cards []struct {
		Number string `json:"creditCardNumber"`
	}
	if err != nil || json.Unmarshal(body, &cards) != nil {
		t.Fatalf("list after a kill: %s %v", body, err)
	}
	seen := map[string]bool{}
	for _, card := range cards {
		last4 := card.Number[len(card.Number)-4:]
		seen[last4] = true
		if !j.maybe[last4] {
			t.Errorf("%s has a card nobody added", j.who.name)
		}
	}
	for last4 := range j.known {
		if !seen[last4] {
			t.Errorf("%s lost an acknowledged card", j.who.name)
		}
	}
}
