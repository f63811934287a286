package creditcard

import (
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/problem"
	"ccms/internal/vault"
)

// Limits of decisions C6 and C10.
const (
	maxCards   = 100
	undoWindow = 10 * time.Minute
)

// The values of a card's status.
const (
	enabled  = "enabled"
	disabled = "disabled"
)

// cardholder is one document of the collection CreditCard (contract section
// 6.2); its id is the customer's. One document holds all cards of a person, so
// that its revision alone makes a number unique in it.
type cardholder struct {
	Username string `bson:"username"`
	// Cards stand in the order in which they were added.
	Cards []creditCard `bson:"creditcards"`
	// DeletedSince is when the card deleted longest ago was, absent when there
	// is none; the sweep looks for it.
	DeletedSince time.Time `bson:"deletedSince,omitempty"`
	// Erased marks what is left of an erased account until ExpiresAt: a request
	// that was under way meanwhile must not create its cards anew.
	Erased    bool      `bson:"erased,omitempty"`
	ExpiresAt time.Time `bson:"expiresAt,omitempty"`
}

// creditCard is one card in the contract's shape, with our fields behind it.
type creditCard struct {
	ID          int64  `bson:"creditCardId"`
	Number      string `bson:"creditCardNumber"` // sealed: AES256{…}
	ExpiryMonth int    `bson:"expiryMonth"`
	ExpiryYear  int    `bson:"expiryYear"`
	// CVV has a type that holds nothing but null (decision C11).
	CVV     bson.Null `bson:"cvv"`
	Status  string    `bson:"status"`
	Deleted bool      `bson:"deleted"`
	Vendor  string    `bson:"wireTransactionVendor"`

	Token       string    `bson:"token"`
	Fingerprint string    `bson:"fingerprint"` // keyed look-up value of the number, which names its key's version
	Length      int       `bson:"length"`      // digits of the number
	Last4       string    `bson:"last4"`
	CreatedAt   time.Time `bson:"createdAt"`
	DeletedAt   time.Time `bson:"deletedAt,omitempty"`
}

// Card is the card object of decision C7.
type Card struct {
	ID          int64  `json:"creditCardId"`
	Number      string `json:"creditCardNumber"` // masked
	Token       string `json:"token"`
	ExpiryMonth int    `json:"expiryMonth"`
	ExpiryYear  int    `json:"expiryYear"`
	Vendor      string `json:"wireTransactionVendor"`
	Status      string `json:"status"`
	Deleted     bool   `json:"deleted"`
}

// view is the card as its holder may see it.
func (c *creditCard) view() Card {
	masked := strings.Repeat("*", max(0, c.Length-len(c.Last4))) + c.Last4
	return Card{c.ID, masked, c.Token, c.ExpiryMonth, c.ExpiryYear, c.Vendor, c.Status, c.Deleted}
}

// created is the card as it was answered when it was added, whatever became of
// it since.
func (c *creditCard) created() Card {
	v := c.view()
	v.Status, v.Deleted = enabled, false
	return v
}

// reference is how a path names a card; one field is set.
type reference struct {
	id     int64
	token  string
	number vault.Fingerprints
}

func (ref reference) names(c *creditCard) bool {
	switch {
	case ref.number.Active != "":
		return ref.number.Is(c.Fingerprint)
	case ref.token != "":
		return c.Token == ref.token
	}
	return c.ID == ref.id
}

// find returns the card ref names, else nil. A number may name several: the
// one not deleted is meant, else the newest.
func (h *cardholder) find(ref reference) *creditCard {
	var found *creditCard
	for i := range h.Cards {
		c := &h.Cards[i]
		if ref.names(c) && (found == nil || found.Deleted) {
			found = c
		}
	}
	return found
}

// live reports whether a card with this number is not deleted.
func (h *cardholder) live(number vault.Fingerprints) bool {
	return slices.ContainsFunc(h.Cards, func(c creditCard) bool { return !c.Deleted && number.Is(c.Fingerprint) })
}

func (h *cardholder) hasID(id int64) bool {
	return slices.ContainsFunc(h.Cards, func(c creditCard) bool { return c.ID == id })
}

// add appends c, whose number has these look-up values. A card with its token is
// c itself, added by an earlier try, and is returned as it was created.
func (h *cardholder) add(c creditCard, number vault.Fingerprints) (Card, error) {
	if h.Erased {
		return Card{}, problem.NoToken()
	}
	if old := h.find(reference{token: c.Token}); old != nil {
		return old.created(), nil
	}
	switch {
	case h.live(number):
		return Card{}, cardExists()
	case len(h.Cards) >= maxCards:
		return Card{}, tooManyCards()
	case h.hasID(c.ID):
		return Card{}, errTaken
	}
	// Deleted cards with this number get its value too: by that restore knows
	// them for the same.
	c.Fingerprint = number.Active
	for i := range h.Cards {
		if old := &h.Cards[i]; number.Is(old.Fingerprint) {
			old.Fingerprint = number.Active
		}
	}
	h.Cards = append(h.Cards, c)
	return c.view(), nil
}

func (h *cardholder) toggle(c *creditCard) error {
	if c.Deleted {
		return cardDeleted()
	}
	if c.Status == enabled {
		c.Status = disabled
	} else {
		c.Status = enabled
	}
	return nil
}

func (h *cardholder) delete(c *creditCard, now time.Time) error {
	if c.Deleted {
		return alreadyDeleted()
	}
	c.Deleted, c.DeletedAt = true, now
	h.noteDeleted()
	return nil
}

// restore undoes a deletion. A card that is not deleted stays as it is; one
// whose time has passed is on its way to erasure and stays deleted.
func (h *cardholder) restore(c *creditCard, now time.Time) error {
	switch {
	case !c.Deleted:
		return nil
	case !now.Before(c.DeletedAt.Add(undoWindow)):
		return alreadyDeleted().With("The ten minutes in which a deletion can be undone have passed; add the card again.")
	case h.live(vault.Fingerprints{Active: c.Fingerprint}):
		return cardExists()
	}
	c.Deleted, c.DeletedAt = false, time.Time{}
	h.noteDeleted()
	return nil
}

// erase removes the card with this token if it was deleted at or before cutoff
// and not restored meanwhile. The record key lies in the sealed number, so
// nothing is left that opens.
func (h *cardholder) erase(token string, cutoff time.Time) {
	h.Cards = slices.DeleteFunc(h.Cards, func(c creditCard) bool { return c.Token == token && c.overdue(cutoff) })
	h.noteDeleted()
}

func (c *creditCard) overdue(cutoff time.Time) bool { return c.Deleted && !c.DeletedAt.After(cutoff) }

func (h *cardholder) noteDeleted() {
	h.DeletedSince = time.Time{}
	for _, c := range h.Cards {
		if c.Deleted && (h.DeletedSince.IsZero() || c.DeletedAt.Before(h.DeletedSince)) {
			h.DeletedSince = c.DeletedAt
		}
	}
}

// list is the cards not deleted, oldest first (decision C8); never nil.
func (h *cardholder) list() []Card {
	return slices.DeleteFunc(h.all(), func(c Card) bool { return c.Deleted })
}

// all is every card kept, oldest first; never nil.
func (h *cardholder) all() []Card {
	cards := make([]Card, len(h.Cards))
	for i := range h.Cards {
		cards[i] = h.Cards[i].view()
	}
	return cards
}
