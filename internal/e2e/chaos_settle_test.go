//go:build chaos

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
)

// settleWithin is how long a write that was cut off may take to settle: whoever
// finds its claim waits for the lease of 30 s.
const settleWithin = 50 * time.Second

// lost counts orders among those placed from the first-th on that were
// acknowledged and are not there.
func (tr *traffic) lost(first int) (acknowledged, lost int) {
	tr.mu.Lock()
	orders := slices.Clone(tr.orders[first:])
	tr.mu.Unlock()
	var gone atomic.Int64
	tr.each(orders, func(o *order) {
		if o.answer == nil {
			return
		}
		if err := tr.isThere(o); err != nil {
			gone.Add(1)
			tr.t.Errorf("%s: acknowledged and not there: %v", o.key, err)
		}
	})
	for _, o := range orders {
		if o.answer != nil {
			acknowledged++
		}
	}
	return acknowledged, int(gone.Load())
}

// each calls f for all orders, several at a time.
func (tr *traffic) each(orders []*order, f func(*order)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(orders); i = int(next.Add(1)) - 1 {
				f(orders[i])
			}
		})
	}
	group.Wait()
}

func (tr *traffic) isThere(o *order) error {
	path, header := "/api/creditcards", tr.headerOf(o)[:2]
	if o.holder == nil {
		path = "/status/" + member(o.answer, "registration_id")
	}
	status, body, err := tr.c.send("GET", tr.view.Portal+path, nil, header...)
	switch {
	case err != nil || status != http.StatusOK:
		return fmt.Errorf("%d %s %w", status, body, err)
	case o.holder == nil:
		return nil
	}
	var cards []map[string]any
	if err := json.Unmarshal(body, &cards); err != nil {
		return err
	}
	if !slices.ContainsFunc(cards, func(c map[string]any) bool { return c["token"] == member(o.answer, "token") }) {
		return errors.New("no such card")
	}
	return nil
}

// settle sends every order again under its key until it is answered. What was
// acknowledged must be answered the same, byte for byte, and a write of which
// nobody knows what became must be there once. It returns how many of these
// there were, and how long the slowest took.
func (tr *traffic) settle() (open int, slowest time.Duration) {
	for _, who := range tr.holders { // whose sessions may have been idle too long
		who.token = logIn(tr.t, tr.c, tr.view, who.customer)
	}
	began := time.Now()
	var longest, unanswered atomic.Int64
	tr.each(tr.orders, func(o *order) {
		if o.answer == nil {
			unanswered.Add(1)
		}
		body, err := tr.again(o, began.Add(settleWithin))
		switch {
		case err != nil:
			tr.t.Errorf("%s does not settle: %v", o.key, err)
		case o.answer != nil && !bytes.Equal(o.answer, body):
			tr.t.Errorf("%s: %s, before that %s", o.key, body, o.answer)
		case o.answer == nil:
			o.answer = body
			longest.Store(max(longest.Load(), int64(time.Since(began))))
		}
	})
	tr.once()
	return int(unanswered.Load()), time.Duration(longest.Load())
}

// again sends an order until it is answered.
func (tr *traffic) again(o *order, until time.Time) ([]byte, error) {
	for {
		status, body, err := tr.c.send("POST", tr.view.Portal+o.path, o.body, tr.headerOf(o)...)
		if err == nil && status == http.StatusCreated {
			return body, nil
		}
		if err != nil || status != http.StatusConflict || time.Now().After(until) {
			return nil, fmt.Errorf("%d %s %w", status, body, err)
		}
		<-time.After(200 * time.Millisecond)
	}
}

// once checks that there are as many registrations and cards as orders.
func (tr *traffic) once() {
	ids, cards := map[string]bool{}, map[*holder]int{}
	for _, o := range tr.orders {
		if o.holder == nil {
			ids[member(o.answer, "registration_id")] = true
		} else {
			cards[o.holder]++
		}
	}
	view := *tr.view
	view.CreditCard = view.Portal
	there := listed(tr.t, tr.c, &view, tr.firm, "registrations", "registration_id")
	if len(there) != len(ids) {
		tr.t.Errorf("%d registrations are there, %d were answered", len(there), len(ids))
	}
	for _, id := range there {
		if !ids[id] {
			tr.t.Errorf("registration %s is there and was never answered", id)
		}
	}
	for who, count := range cards {
		var list []map[string]any
		tr.c.must(tr.t, http.StatusOK, "GET", view.Portal+"/api/creditcards", nil, &list, who.auth()...)
		if len(list) != count {
			tr.t.Errorf("%s has %d cards, %d were answered", who.name, len(list), count)
		}
	}
}
