package creditcard_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is a cardholder as the contract describes one: a list of cards and what
// may become of them, without sealing, look-up values or a store.
type model struct {
	cards []*modelCard // oldest first
	now   time.Duration
}

type modelCard struct {
	number  string
	shown   object
	deleted time.Duration // when
}

func (m *model) live(number string) *modelCard {
	for _, c := range m.cards {
		if c.number == number && !c.shown.Deleted {
			return c
		}
	}
	return nil
}

// named is the card a path means: by number the live one, else the newest.
func (m *model) named(ref string) *modelCard {
	if c := m.live(ref); c != nil {
		return c
	}
	var found *modelCard
	for _, c := range m.cards {
		if c.number == ref || c.shown.Token == ref || c.shown.id() == ref {
			found = c
		}
	}
	return found
}

// add returns the status and code the contract wants.
func (m *model) add(number string) (int, string) {
	switch {
	case m.live(number) != nil:
		return 409, "CARD_EXISTS"
	case len(m.cards) >= 100:
		return 409, "CARD_LIMIT"
	}
	return 201, ""
}

func (m *model) toggle(ref string) (int, string) {
	c := m.named(ref)
	switch {
	case c == nil:
		return 404, "CARD_NOT_FOUND"
	case c.shown.Deleted:
		return 409, "CARD_DELETED"
	case c.shown.Status == "enabled":
		c.shown.Status = "disabled"
	default:
		c.shown.Status = "enabled"
	}
	return 200, ""
}

func (m *model) delete(ref string) (int, string) {
	c := m.named(ref)
	switch {
	case c == nil:
		return 404, "CARD_NOT_FOUND"
	case c.shown.Deleted:
		return 409, "ALREADY_DELETED"
	}
	c.shown.Deleted, c.deleted = true, m.now
	return 200, ""
}

func (m *model) restore(ref string) (int, string) {
	c := m.named(ref)
	switch {
	case c == nil || c.number == ref:
		return 404, "CARD_NOT_FOUND"
	case !c.shown.Deleted:
		return 200, ""
	case m.now-c.deleted >= 10*time.Minute:
		return 409, "ALREADY_DELETED"
	case m.live(c.number) != nil:
		return 409, "CARD_EXISTS"
	}
	c.shown.Deleted = false
	return 200, ""
}

// sweep erases what was deleted long enough ago.
func (m *model) sweep() {
	var kept []*modelCard
	for _, c := range m.cards {
		if !c.shown.Deleted || m.now-c.deleted < retention {
			kept = append(kept, c)
		}
	}
	m.cards = kept
}

func (m *model) list() []object {
	shown := []object{}
	for _, c := range m.cards {
		if !c.shown.Deleted {
			shown = append(shown, c.shown)
		}
	}
	return shown
}

func TestTheLifeOfCardsAgreesWithASimpleModel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	numbers := []string{visa, mastercard, amex}
	holder := 0
	rapid.Check(t, func(rt *rapid.T) {
		holder++
		as := fmt.Sprint("holder-", holder)
		m := &model{}
		names := append([]string{"1", "tok_aaaaaaaaaaaaaaaaaaaaaaaaaa"}, numbers...)
		ref := func() string { return rapid.SampledFrom(names).Draw(rt, "ref") }
		check := func(a answer, status int, code string) {
			if a.status != status || code != "" && decode[failure](t, a).ErrorCode != code {
				rt.Fatalf("got %d %s, want %d %s", a.status, a.body, status, code)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"add": func(rt *rapid.T) {
				number := rapid.SampledFrom(numbers).Draw(rt, "number")
				status, code := m.add(number)
				a := w.do(addCall(as, number))
				check(a, status, code)
				if status == 201 {
					o := decode[object](t, a)
					m.cards = append(m.cards, &modelCard{number: number, shown: o})
					names = append(names, o.id(), o.Token)
				}
			},
			"toggle": func(rt *rapid.T) {
				r := ref()
				status, code := m.toggle(r)
				a := w.toggle(as, r)
				check(a, status, code)
				if status == 200 && decode[object](t, a) != m.named(r).shown {
					rt.Fatalf("toggled %s, want %+v", a.body, m.named(r).shown)
				}
			},
			"delete": func(rt *rapid.T) {
				r := ref()
				status, code := m.delete(r)
				check(w.delete(as, r), status, code)
			},
			"restore": func(rt *rapid.T) {
				r := ref()
				status, code := m.restore(r)
				check(w.restore(as, r), status, code)
			},
			"pass time": func(rt *rapid.T) {
				d := time.Duration(rapid.IntRange(1, 60).Draw(rt, "minutes")) * time.Minute
				m.now += d
				w.clock.Advance(d)
			},
			"sweep": func(rt *rapid.T) {
				m.sweep()
				must(t, w.service.Sweep(t.Context()))
			},
			"": func(rt *rapid.T) {
				if got := w.list(as); !reflect.DeepEqual(got, m.list()) {
					rt.Fatalf("list %+v, want %+v", got, m.list())
				}
			},
		})
	})
}
