package firmcard

import (
	"time"

	"ccms/internal/card"
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
	// Lookup is unique: firm, mode and the keyed value of the number.
	Lookup string `bson:"lookup"`
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
