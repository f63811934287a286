package firmcard

import (
	"strings"
	"time"

	"ccms/internal/card"
	"ccms/internal/vault"
)

// The values of a card's status.
const (
	Enabled  = "enabled"
	Disabled = "disabled"
	// Deleted is what a card's tombstone has; no answer to a firm shows it.
	Deleted = "deleted"
)

// document is one document of the collection Card; its id is the token.
type document struct {
	Firm      string    `bson:"firm"`
	Mode      string    `bson:"mode"`
	Status    string    `bson:"status"`
	CreatedAt time.Time `bson:"createdAt"`
	UpdatedAt time.Time `bson:"updatedAt"`
	DeletedAt time.Time `bson:"deletedAt,omitempty"`
	// Content is nil once the card is deleted: what it held, the number with its
	// record key and the look-up value among it, goes with that one write.
	Content *content `bson:"card,omitempty"`
}

// content is all a document has of the card itself.
type content struct {
	// Lookup and LookupEven are unique: firm, mode and the keyed value of the
	// number. A value under an odd version of the look-up key has the one field,
	// under an even version the other, so that a card can be unique under two at
	// once while the next version is introduced; but for then it has one.
	Lookup     string `bson:"lookup,omitempty"`
	LookupEven string `bson:"lookupEven,omitempty"`
	// Listed is firm, time of creation and token, the order of lists.
	Listed string `bson:"listed"`
	Number string `bson:"number"` // sealed: AES256{…}
	Name   string `bson:"name"`   // sealed
	Brand  string `bson:"brand"`
	Last4  string `bson:"last4"`
	BIN    string `bson:"bin"`

	ExpiryMonth int `bson:"expiryMonth"`
	ExpiryYear  int `bson:"expiryYear"`

	// Day is the day, in UTC, of the last deposit; Count is how many there were
	// on it, and Deposit the token the last one brought.
	Day     string `bson:"day"`
	Count   int    `bson:"count"`
	Deposit string `bson:"deposit"`
}

// The fields of look-up values.
const (
	fieldLookup     = "card.lookup"
	fieldLookupEven = "card.lookupEven"
)

// slot is the field a fingerprint belongs in.
func slot(fingerprint string) string {
	if vault.FingerprintVersion(fingerprint)%2 == 0 {
		return fieldLookupEven
	}
	return fieldLookup
}

// keep keeps the card under these fingerprints and no others.
func (c *content) keep(owner string, fingerprints ...string) {
	c.Lookup, c.LookupEven = "", ""
	for _, f := range fingerprints {
		if slot(f) == fieldLookup {
			c.Lookup = owner + "/" + f
		} else {
			c.LookupEven = owner + "/" + f
		}
	}
}

// kept are the fingerprints the card is kept under.
func (c *content) kept(owner string) (all []string) {
	for _, lookup := range []string{c.Lookup, c.LookupEven} {
		if f, ok := strings.CutPrefix(lookup, owner+"/"); ok {
			all = append(all, f)
		}
	}
	return all
}

// Card is a firm's card as others may know it: nothing sealed, nothing by which
// the number could be found.
type Card struct {
	Token  string
	FirmID string
	Mode   string // test or live
	Brand  string // display name, such as Visa
	BIN    string // first six digits
	Last4  string
	Expiry card.Expiry
	// Status is Enabled, Disabled or Deleted; a deleted card has no brand, BIN,
	// last four and expiry any more.
	Status    string
	CreatedAt time.Time
	UpdatedAt time.Time

	day   string
	count int
}

// Registered is how often the card was registered on the day, in UTC, of at.
// It counts deposits, so a registration that was tried again after a crash may
// count twice when another one came between.
func (c Card) Registered(at time.Time) int {
	if c.day != dayOf(at) {
		return 0
	}
	return c.count
}

func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// view is the card under its token.
func (d document) view(token string) Card {
	v := Card{
		Token: token, FirmID: d.Firm, Mode: d.Mode, Status: d.Status,
		CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
	}
	if c := d.Content; c != nil {
		v.Brand, v.BIN, v.Last4 = c.Brand, c.BIN, c.Last4
		v.Expiry = card.Expiry{Month: c.ExpiryMonth, Year: c.ExpiryYear}
		v.day, v.count = c.Day, c.Count
	}
	return v
}

// counted notes one more deposit on a day, unless it is the last one again.
func (c *content) counted(day, deposit string) {
	if c.Deposit == deposit {
		return
	}
	if c.Day != day {
		c.Day, c.Count = day, 0
	}
	c.Count++
	c.Deposit = deposit
}

// erase leaves of a card that it was there, whose it was and when.
func (d *document) erase(now time.Time) {
	d.Status, d.Content = Deleted, nil
	d.UpdatedAt, d.DeletedAt = now, now
}
