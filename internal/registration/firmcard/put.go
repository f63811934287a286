package firmcard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ccms/internal/card"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/vault"
)

// triesOfPut bounds how often Put begins anew; each time the card was made or
// deleted by another between two steps.
const triesOfPut = 20

// errGone says that a card was deleted between being found and being changed.
var errGone = errors.New("firmcard: the card was deleted meanwhile")

// Deposit is a card as it was registered. Put keeps nothing of it and wipes
// nothing.
type Deposit struct {
	FirmID string
	Mode   string // test or live
	// Token is fresh, from vault.NewToken; the card gets it if it is new. The
	// same deposit tried again brings the same one.
	Token  string
	Number card.Number
	Expiry card.Expiry
	Name   secret.Bytes // of the cardholder, valid UTF-8
}

// fields of the sealed values (decision C12).
const (
	fieldNumber = "number"
	fieldName   = "name"
)

// place is where a sealed value of a card belongs; it opens nowhere else. Firm
// and mode are the owner, so each mode of a firm has a key-encryption key of
// its own, and a live service opens no test card (decision D8, PCI DSS 3.6.1.1).
func place(firm, mode, token, field string) vault.Place {
	return vault.Place{Owner: owner(firm, mode), Record: token, Field: field}
}

// owner is whose keys hold a card. What stands before the slash has the look-up
// key (vault.LookupKey): one per firm.
func owner(firm, mode string) string { return firm + "/" + mode }

// Put finds the firm's card with this number, or makes it, and returns it. The
// same number gives the same token in one mode of one firm, however many
// deposits come at once; after a deletion it gives a new one. Expiry and name
// are those of the newest deposit; a disabled card stays disabled. A deposit
// with the token of an earlier one does nothing twice, and returns the card as
// Deleted when it has been deleted since.
//
// The caller has the act on record before (decision D9). Errors are the store's.
func (s *Service) Put(ctx context.Context, d Deposit) (Card, error) {
	for range triesOfPut {
		// Most cards are new, and a look-up costs more than an insert that is
		// refused.
		c, err := s.first(ctx, d)
		if errors.Is(err, store.ErrExists) {
			c, err = s.again(ctx, d)
		}
		if errors.Is(err, store.ErrNotFound) {
			c, err = s.made(ctx, d)
		}
		if !errors.Is(err, errGone) {
			return c, err
		}
	}
	return Card{}, fmt.Errorf("%w, %d times", errGone, triesOfPut)
}

// lookups are the values by which a number is found in a mode of a firm.
func (s *Service) lookups(ctx context.Context, d Deposit) (vault.Fingerprints, error) {
	f, err := s.vault.Fingerprints(ctx, owner(d.FirmID, d.Mode), d.Number.Digits())
	if err != nil {
		return f, fmt.Errorf("look-up value of a number: %w", err)
	}
	return f, nil
}

// find returns the card with this number, else ErrNotFound. Cards move from older
// look-up values to newer ones, never back, and it looks in that order: one that
// moves meanwhile is met under its new value.
func (s *Service) find(ctx context.Context, d Deposit) (store.Record[document], error) {
	f, err := s.lookups(ctx, d)
	if err != nil {
		return store.Record[document]{}, err
	}
	for _, value := range slices.Concat(f.Retired, f.Kept()) {
		where := []store.Cond{{Field: slot(value), Op: store.Eq, Value: owner(d.FirmID, d.Mode) + "/" + value}}
		found, err := s.cards.First(ctx, store.Query{Where: where})
		if !errors.Is(err, store.ErrNotFound) {
			return found, err
		}
	}
	return store.Record[document]{}, store.ErrNotFound
}

// again notes a deposit of a card that is there, else ErrNotFound.
func (s *Service) again(ctx context.Context, d Deposit) (Card, error) {
	found, err := s.find(ctx, d)
	if err != nil {
		return Card{}, err
	}
	name, err := s.vault.Seal(ctx, place(d.FirmID, d.Mode, found.ID, fieldName), d.Name.Reveal())
	if err != nil {
		return Card{}, fmt.Errorf("seal a name: %w", err)
	}
	r, err := s.cards.Update(ctx, found.ID, func(v *document) error {
		c := v.Content
		if c == nil {
			return errGone
		}
		if found.ID != d.Token {
			c.counted(dayOf(s.now()), d.Token)
		}
		c.Name, c.ExpiryMonth, c.ExpiryYear = name, d.Expiry.Month, d.Expiry.Year
		v.UpdatedAt = s.now().UTC().Truncate(time.Millisecond)
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		err = errGone
	}
	return r.Value.view(r.ID), err
}

// first makes the card; ErrExists when its token or its number is there.
func (s *Service) first(ctx context.Context, d Deposit) (Card, error) {
	number, err := s.vault.Seal(ctx, place(d.FirmID, d.Mode, d.Token, fieldNumber), d.Number.Digits())
	if err != nil {
		return Card{}, fmt.Errorf("seal a number: %w", err)
	}
	name, err := s.vault.Seal(ctx, place(d.FirmID, d.Mode, d.Token, fieldName), d.Name.Reveal())
	if err != nil {
		return Card{}, fmt.Errorf("seal a name: %w", err)
	}
	now := s.now()
	v := document{
		Firm: d.FirmID, Mode: d.Mode, Status: Enabled, CreatedAt: now, UpdatedAt: now,
		Content: &content{
			Listed: listed(d.FirmID, now, d.Token), Number: number, Name: name,
			Brand: d.Number.Brand().Name, Last4: d.Number.Last4(), BIN: d.Number.BIN(),
			ExpiryMonth: d.Expiry.Month, ExpiryYear: d.Expiry.Year,
			Day: dayOf(now), Count: 1, Deposit: d.Token,
		},
	}
	f, err := s.lookups(ctx, d)
	if err != nil {
		return Card{}, err
	}
	v.Content.keep(owner(d.FirmID, d.Mode), f.Kept()...)
	if err := s.cards.Insert(ctx, d.Token, v); err != nil {
		return Card{}, err
	}
	s.metrics.count(actCreate)
	return v.view(d.Token), nil
}

// made returns the card that an earlier try of this deposit made; errGone when
// it was another deposit that came first, whose card is to be found then.
func (s *Service) made(ctx context.Context, d Deposit) (Card, error) {
	r, err := s.cards.Get(ctx, d.Token)
	if errors.Is(err, store.ErrNotFound) {
		return Card{}, errGone
	}
	if err == nil && (r.Value.Firm != d.FirmID || r.Value.Mode != d.Mode) {
		err = errors.New("firmcard: the token of a deposit belongs to another firm's card")
	}
	return r.Value.view(r.ID), err
}
