// Package ledger owns the registrations of firms' cards as they are kept and
// found again: the document, its id, its statuses (decision D3), and the lists
// a firm asks for. It holds no number, no code and no name: the card itself is
// package firmcard's. What leads to a registration, and who may see one, is
// decided by package registration.
package ledger

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/card"
	"ccms/internal/problem"
	"ccms/internal/registration/verification"
	"ccms/internal/store"
)

// The statuses of decision D3 beside those of a verdict. Expired is never
// stored: it is what a verified one becomes when the card's month has passed.
const (
	Failed  = "failed"
	Expired = "expired"
)

// Registration is one document of the collection Registration; its id is a Key.
// The ordered fields (reference, last4, reason, status) are those a firm looks
// by; ties in them order by id, so by time.
type Registration struct {
	Actor  string   `bson:"actor"` // client, or account of a member
	Status string   `bson:"status"`
	Reason string   `bson:"reason,omitempty"` // why it was rejected or failed
	Flags  []string `bson:"flags,omitempty"`

	Token string `bson:"token"`
	Brand string `bson:"brand"` // display name
	BIN   string `bson:"bin"`   // first six digits
	Last4 string `bson:"last4"`

	ExpiryMonth int    `bson:"expiryMonth"`
	ExpiryYear  int    `bson:"expiryYear"`
	CVVStatus   string `bson:"cvvStatus"`

	Reference string    `bson:"reference,omitempty"`
	Metadata  Metadata  `bson:"metadata,omitempty"`
	DecidedAt time.Time `bson:"decidedAt,omitempty"`
}

// Metadata is what a firm keeps with a registration, ordered by name. It is a
// list, because names may hold dots, which stores would read as paths.
type Metadata []Entry

// Entry is one member of Metadata.
type Entry struct {
	Name  string `bson:"name"`
	Value string `bson:"value"`
}

// object is the metadata as a JSON object, nil when there is none.
func (m Metadata) object() jsontext.Value {
	if len(m) == 0 {
		return nil
	}
	b := []byte{'{'}
	for i, e := range m {
		if i > 0 {
			b = append(b, ',')
		}
		b, _ = jsontext.AppendQuote(b, e.Name) // valid UTF-8, as it came in
		b = append(b, ':')
		b, _ = jsontext.AppendQuote(b, e.Value)
	}
	return append(b, '}')
}

// Expiry is the month on the card.
func (r *Registration) Expiry() card.Expiry {
	return card.Expiry{Month: r.ExpiryMonth, Year: r.ExpiryYear}
}

// Decide writes a verdict down.
func (r *Registration) Decide(v verification.Verdict, now time.Time) {
	r.Status, r.Reason = v.Status, v.Reason
	for _, f := range v.Flags {
		if !slices.Contains(r.Flags, f) {
			r.Flags = append(r.Flags, f)
		}
	}
	r.CVVStatus = cmp.Or(v.CVVStatus, r.CVVStatus, verification.CodeUnchecked)
	if v.Status != verification.Pending {
		r.DecidedAt = now
	}
}

// StatusAt is the status as decision D3 has it.
func (r *Registration) StatusAt(now time.Time) string {
	if r.Status == verification.Verified && r.Expiry().Expired(now) {
		return Expired
	}
	return r.Status
}

// Ledger is the collection Registration; safe for concurrent use.
type Ledger struct{ docs *store.Of[Registration] }

// Open opens the collection Registration in db.
func Open(ctx context.Context, db store.DB) (*Ledger, error) {
	docs, err := store.Open[Registration](ctx, db, store.Spec{
		Name: "Registration", Ordered: []string{"last4", "status"}, Sparse: []string{"reference", "reason"},
	})
	return &Ledger{docs}, err
}

// Insert keeps a registration; store.ErrExists when k is there.
func (l *Ledger) Insert(ctx context.Context, k Key, r Registration) error {
	return l.docs.Insert(ctx, k.String(), r)
}

// Get returns the registration under k, else store.ErrNotFound.
func (l *Ledger) Get(ctx context.Context, k Key) (Registration, error) {
	r, err := l.docs.Get(ctx, k.String())
	return r.Value, err
}

// Find returns the firm's registration with an id, in text, in one of the
// modes. One that is unknown, deleted, another firm's or of another mode is the
// same 404 NOT_FOUND (decision D3).
func (l *Ledger) Find(ctx context.Context, in Shelf, text string) (Key, Registration, error) {
	if id, ok := ParseID(text); ok {
		for _, mode := range in.Modes {
			k := Key{in.Firm, mode, id}
			r, err := l.Get(ctx, k)
			if !errors.Is(err, store.ErrNotFound) {
				return k, r, err
			}
		}
	}
	return Key{}, Registration{}, NotFound()
}

// NotFound says that there is no such registration (decision D3).
func NotFound() *problem.Error {
	return problem.New(problem.NotFound, "NOT_FOUND", "Registration not found",
		"Name a registration of your firm by its registration_id.")
}

// Settle writes the verdict on a pending registration down. It reports whether
// it was pending still; store.ErrNotFound when it is gone.
func (l *Ledger) Settle(ctx context.Context, k Key, v verification.Verdict, now time.Time) (done bool, err error) {
	_, err = l.docs.Update(ctx, k.String(), func(r *Registration) error {
		if done = r.Status == verification.Pending; done {
			r.Decide(v, now)
		}
		return nil
	})
	return done && err == nil, err
}

// Delete erases the registration under k; NotFound when it is gone already.
func (l *Ledger) Delete(ctx context.Context, k Key) error {
	for {
		r, err := l.docs.Get(ctx, k.String())
		if err == nil {
			err = l.docs.Delete(ctx, r.ID, r.Rev)
		}
		switch {
		case errors.Is(err, store.ErrNotFound):
			return NotFound()
		case !errors.Is(err, store.ErrStale):
			return err
		}
	}
}
