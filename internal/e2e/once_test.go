package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// attempt is a registration under a key, and what was answered to it.
type attempt struct {
	key    string
	body   map[string]any
	mu     sync.Mutex
	answer []byte // the first that was a success
}

// settled is what POST /register answered at last.
type settled struct {
	ID     string `json:"registration_id"`
	Status string `json:"status"`
}

// TestKeysMakeOneUnderLoadAndKills sends each of 1,000 registrations five times
// at once, while the product is killed twice in the middle and started again on
// the same data; then all of them again. It would fail if a key made two
// registrations or two cards, if two answers to a key differed by a byte, or if
// a request that was cut off never settled. Keys that the dead process worked
// on are free when its lease of 30 s is over, so this test waits for that.
func TestKeysMakeOneUnderLoadAndKills(t *testing.T) {
	t.Parallel()
	const keys = 1000
	dir := t.TempDir()
	p, err := up(dir, "--log.level", "warn")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { p.kill() }()
	c := newClient(t)
	firm := newFirm(t, c, p, "--live")
	all := make([]*attempt, keys)
	for i := range all {
		all[i] = &attempt{key: fmt.Sprintf("order %d", i), body: newRegistration(randomCard(t), "123", "Ann Example")}
	}
	var acknowledged atomic.Int64
	for _, until := range []int64{keys / 4, keys / 2} {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			sendAll(t, c, p, firm, all, func() bool { return acknowledged.Load() < until+50 }, &acknowledged)
		}()
		for tick := time.NewTicker(time.Millisecond); acknowledged.Load() < until; <-tick.C {
			select {
			case <-p.exited:
				t.Fatalf("it ended by itself: %v\n%s", p.err, p.output)
			default:
			}
		}
		p.kill()
		<-ended
		if p, err = up(dir, "--log.level", "warn"); err != nil {
			t.Fatal(err)
		}
	}
	sendAll(t, c, p, firm, all, nil, &acknowledged)

	ids := map[string]bool{}
	for _, a := range all {
		var s settled
		if err := json.Unmarshal(a.answer, &s); err != nil || s.ID == "" || s.Status != "pending" {
			t.Fatalf("%s: %s %v", a.key, a.answer, err)
		}
		ids[s.ID] = true
	}
	if len(ids) != keys {
		t.Errorf("%d registrations were answered to %d keys", len(ids), keys)
	}
	for _, id := range listed(t, c, p, firm, "registrations", "registration_id") {
		if !ids[id] {
			t.Errorf("registration %s was made and never answered", id)
		}
		delete(ids, id)
	}
	for id := range ids {
		t.Errorf("registration %s was answered and is not there", id)
	}
	if n := len(listed(t, c, p, firm, "cards", "token")); n != keys {
		t.Errorf("there are %d cards", n)
	}
}

// sendAll tries each key five times at once, several keys at a time, while goes
// says so. Without goes it insists on an answer.
func sendAll(t *testing.T, c *client, p *process, firm firmClient, all []*attempt, goes func() bool, acknowledged *atomic.Int64) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(all) || goes != nil && !goes() {
					return
				}
				var tries sync.WaitGroup
				for range 5 {
					tries.Go(func() { all[i].try(t, c, p, firm, goes == nil, acknowledged) })
				}
				tries.Wait()
			}
		})
	}
	workers.Wait()
}

// try sends the request, again and again while another one has the key if it
// must have an answer.
func (a *attempt) try(t *testing.T, c *client, p *process, firm firmClient, must bool, acknowledged *atomic.Int64) {
	deadline := time.Now().Add(within)
	for {
		status, body, err := c.send("POST", p.CreditCard+"/register", a.body, append(firm.auth(), "Idempotency-Key", a.key)...)
		switch {
		case err != nil && !must: // killed
			return
		case err == nil && status == http.StatusCreated:
			a.took(t, body, acknowledged)
			return
		case err != nil || status != http.StatusConflict || time.Now().After(deadline):
			if must || err == nil && status < 500 {
				t.Errorf("%s: %d %s %v", a.key, status, body, err)
			}
			return
		case !must:
			return
		}
		<-time.After(100 * time.Millisecond)
	}
}

func (a *attempt) took(t *testing.T, body []byte, acknowledged *atomic.Int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.answer == nil:
		a.answer = body
		acknowledged.Add(1)
	case !bytes.Equal(a.answer, body):
		t.Errorf("%s: %s, before that %s", a.key, body, a.answer)
	}
}

// listed reads a whole list of a firm and returns a member of each.
func listed(t testing.TB, c *client, p *process, firm firmClient, list, member string) []string {
	t.Helper()
	var all []string
	for cursor := ""; ; {
		var page struct {
			Data []map[string]any `json:"data"`
			Next *string          `json:"next_cursor"`
		}
		c.must(t, 200, "GET", p.CreditCard+"/v1/"+list+"?limit=100"+cursor, nil, &page, firm.auth()...)
		for _, one := range page.Data {
			all = append(all, one[member].(string))
		}
		if page.Next == nil {
			return all
		}
		cursor = "&cursor=" + *page.Next
	}
}
