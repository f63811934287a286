package creditcard

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
	"ccms/internal/idempotency"
	"ccms/internal/problem"
	"ccms/internal/store"
	"ccms/internal/vault"
)

// The names of the acts in the audit record. Looking at the masked list is no
// access to card data (PCI DSS 10.2.1.1) and has none.
const (
	actAdd     = "card.add"
	actDelete  = "card.delete"
	actToggle  = "card.toggle"
	actRestore = "card.restore"
	actErase   = "card.erase"
	actExport  = "card.export"
)

// maxID bounds creditCardId from above (decision C7): eleven digits, so that an
// id in a path is never taken for a number.
const maxID = 100_000_000_000

// drawsOfID bounds how often an id is drawn again; among 100 cards a draw meets
// a taken one once in 10^9.
const drawsOfID = 5

// add adds a card and returns the card object as JSON. Trying out codes is
// refused before anything is looked up (decision G).
func (s *Service) add(ctx context.Context, who caller, d details, key string) ([]byte, error) {
	if err := s.refuseGuess(ctx, who, d); err != nil {
		return nil, err
	}
	content := d.content()
	defer clear(content)
	request := idempotency.Request{
		Principal: who.id, Route: addRoute, Key: key, Body: content,
		IDs: []string{vault.NewToken(), strconv.FormatInt(newID(), 10)},
	}
	return s.once.Do(ctx, request, func(ctx context.Context, ids []string) ([]byte, error) {
		var added Card
		err := s.audited(ctx, who.entry(actAdd, ids[0]), func(*audit.Act) (err error) {
			added, err = s.insert(ctx, who, d, ids)
			return err
		})
		if err != nil {
			return nil, err
		}
		return json.Marshal(added)
	})
}

// refuseGuess refuses the fourth different code for one card and puts that on
// record (decision C11a).
func (s *Service) refuseGuess(ctx context.Context, who caller, d details) error {
	wait, ok := s.guesses.Allow(owner, d.number.Digits(), d.code)
	if ok {
		return nil
	}
	s.metrics.guesses.Inc()
	e := who.entry(actAdd, "")
	e.Reason = "too many different codes for card " + d.number.Masked()
	if err := s.audit.Note(ctx, e, audit.Refused); err != nil {
		s.metrics.unaudited.Inc()
		return err
	}
	return problem.Throttled(wait).With("Too many different codes were tried for this card; wait for the time given in Retry-After.")
}

// insert seals the number and adds the card under the given token and id. A
// card with that token is there already when an earlier try got that far.
func (s *Service) insert(ctx context.Context, who caller, d details, ids []string) (Card, error) {
	id, err := strconv.ParseInt(ids[1], 10, 64)
	if err != nil {
		return Card{}, fmt.Errorf("claimed creditCardId: %w", err)
	}
	c := creditCard{
		ExpiryMonth: d.expiry.Month, ExpiryYear: d.expiry.Year, Status: enabled,
		Vendor: d.number.Brand().Name, Token: ids[0],
		Length: len(d.number.Digits()), Last4: d.number.Last4(), CreatedAt: s.now(),
	}
	for range drawsOfID {
		c.ID = id
		if c.Number, err = s.vault.Seal(ctx, place(who.id, id), d.number.Digits()); err != nil {
			return Card{}, fmt.Errorf("seal a number: %w", err)
		}
		added, err := s.append(ctx, who, c, d.number.Digits())
		if !errors.Is(err, errTaken) {
			return added, err
		}
		id = newID()
	}
	return Card{}, errTaken
}

// place is where a card's number belongs; sealed there it opens nowhere else
// (decision C12).
func place(customer string, id int64) vault.Place {
	return vault.Place{Owner: owner, Record: customer + "/" + strconv.FormatInt(id, 10), Field: "number"}
}

// append writes c into the cardholder's document, which the first card makes.
// Two first cards race by the document's id, all later ones by its revision. The
// look-up values are those of the moment of each write (vault.Fingerprints).
func (s *Service) append(ctx context.Context, who caller, c creditCard, digits []byte) (Card, error) {
	var added Card
	for {
		_, err := s.holders.Update(ctx, who.id, func(h *cardholder) error {
			number, err := s.lookup(ctx, who.id, digits)
			if err != nil {
				return err
			}
			h.Username = who.username
			added, err = h.add(c, number)
			return err
		})
		if !errors.Is(err, store.ErrNotFound) {
			return s.added(added, err)
		}
		number, err := s.lookup(ctx, who.id, digits)
		if err != nil {
			return Card{}, err
		}
		fresh := cardholder{Username: who.username}
		if added, err = fresh.add(c, number); err == nil {
			err = s.holders.Insert(ctx, who.id, fresh)
		}
		if !errors.Is(err, store.ErrExists) {
			return s.added(added, err)
		}
	}
}

func (s *Service) added(c Card, err error) (Card, error) {
	if err != nil {
		return Card{}, err
	}
	s.metrics.count(actAdd, 1)
	return c, nil
}

// change is one thing that may become of a card.
type change struct {
	act string
	do  func(*cardholder, *creditCard) error
}

func (s *Service) toggling() change { return change{actToggle, (*cardholder).toggle} }

func (s *Service) deletion() change {
	return change{actDelete, func(h *cardholder, c *creditCard) error { return h.delete(c, s.now()) }}
}

func (s *Service) restoration() change {
	return change{actRestore, func(h *cardholder, c *creditCard) error { return h.restore(c, s.now()) }}
}

// change finds the card v names and does ch to it, under its token: between
// the two another request may have changed which card v names.
func (s *Service) change(ctx context.Context, who caller, v pathValue, ch change) (Card, error) {
	token, err := s.resolve(ctx, who.id, v)
	if err != nil {
		return Card{}, err
	}
	var changed Card
	err = s.audited(ctx, who.entry(ch.act, token), func(*audit.Act) error {
		_, err := s.holders.Update(ctx, who.id, func(h *cardholder) error {
			c := h.find(reference{token: token})
			if c == nil {
				return cardNotFound()
			}
			h.Username = who.username
			if err := ch.do(h, c); err != nil {
				return err
			}
			changed = c.view()
			return nil
		})
		return absent(err)
	})
	if err == nil {
		s.metrics.count(ch.act, 1)
	}
	return changed, err
}

// resolve returns the token of the card v names.
func (s *Service) resolve(ctx context.Context, customer string, v pathValue) (string, error) {
	ref := reference{id: v.id, token: v.token}
	if v.number != nil {
		defer clear(v.number)
		var err error
		if ref.number, err = s.lookup(ctx, customer, v.number); err != nil {
			return "", err
		}
	}
	h, err := s.holder(ctx, customer)
	if err != nil {
		return "", err
	}
	c := h.find(ref)
	if c == nil {
		return "", cardNotFound()
	}
	return c.Token, nil
}

// absent turns the store's word for a missing cardholder into the contract's
// for a missing card.
func absent(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return cardNotFound()
	}
	return err
}

// holder returns a cardholder's document; one without cards when there is none.
func (s *Service) holder(ctx context.Context, customer string) (cardholder, error) {
	r, err := s.holders.Get(ctx, customer)
	if errors.Is(err, store.ErrNotFound) {
		return cardholder{}, nil
	}
	return r.Value, err
}

// newID returns a random creditCardId, which says nothing of order or number of
// cards.
func newID() int64 { return 1 + rand.Int64N(maxID-1) }
