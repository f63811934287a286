package registration

import (
	"cmp"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/card"
	"ccms/internal/registration/verification"
)

// The statuses of decision D3 beside those a verdict has. expired is never
// stored: it is what a verified one becomes when the card's month has passed.
const (
	failed  = "failed"
	expired = "expired"
)

// noAnswer is the reason of a registration that failed.
const noAnswer = "no_answer"

// registration is one document of the collection Registration; its id is a key.
// The ordered fields are those a firm looks by; ties in them order by id, so by
// time.
type registration struct {
	Actor  string   `bson:"actor"` // client, or account of a member
	Status string   `bson:"status"`
	Reason string   `bson:"reason,omitempty"` // why it was rejected or failed
	Flags  []string `bson:"flags,omitempty"`

	Token string `bson:"token"`
	Brand string `bson:"brand"` // display name
	BIN   string `bson:"bin"`
	Last4 string `bson:"last4"`

	ExpiryMonth int    `bson:"expiryMonth"`
	ExpiryYear  int    `bson:"expiryYear"`
	CVVStatus   string `bson:"cvvStatus"`

	Reference string    `bson:"reference,omitempty"`
	Metadata  metadata  `bson:"metadata,omitempty"`
	DecidedAt time.Time `bson:"decidedAt,omitempty"`
}

// metadata is what a firm keeps with a registration, ordered by name. It is a
// list, because names may hold dots, which stores would read as paths.
type metadata []entry

type entry struct {
	Name  string `bson:"name"`
	Value string `bson:"value"`
}

// object is the metadata as a JSON object, nil when there is none.
func (m metadata) object() jsontext.Value {
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

func (r *registration) expiry() card.Expiry {
	return card.Expiry{Month: r.ExpiryMonth, Year: r.ExpiryYear}
}

// decide writes a verdict down.
func (r *registration) decide(v verification.Verdict, now time.Time) {
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

// statusAt is the status as decision D3 has it.
func (r *registration) statusAt(now time.Time) string {
	if r.Status == verification.Verified && r.expiry().Expired(now) {
		return expired
	}
	return r.Status
}

// Status is the answer of decision D3.
type Status struct {
	ID     string `json:"registration_id"`
	Status string `json:"status"` // pending, verified, rejected, failed or expired
	Reason string `json:"reason,omitzero"`
	// Once verified.
	Token     string `json:"token,omitzero"`
	Brand     string `json:"brand,omitzero"`
	Last4     string `json:"last4,omitzero"`
	Expiry    string `json:"expiry,omitzero"` // MM/YYYY
	CVVStatus string `json:"cvv_status,omitzero"`
}

func (r *registration) status(id uuid, now time.Time) Status {
	s := Status{ID: id.String(), Status: r.statusAt(now), Reason: r.Reason}
	if r.Status == verification.Verified {
		s.Token, s.Brand, s.Last4 = r.Token, r.Brand, r.Last4
		s.Expiry, s.CVVStatus = r.expiry().String(), r.CVVStatus
	}
	return s
}

// Row is a registration in a firm's list. It names the token whatever the
// status, so that a firm can delete the card of a rejected one too.
type Row struct {
	ID        string         `json:"registration_id"`
	Mode      string         `json:"mode"`
	Status    string         `json:"status"`
	Reason    string         `json:"reason,omitzero"`
	Flags     []string       `json:"flags,omitempty"`
	Token     string         `json:"token"`
	Brand     string         `json:"brand"`
	BIN       string         `json:"bin"`
	Last4     string         `json:"last4"`
	Expiry    string         `json:"expiry"`
	CVVStatus string         `json:"cvv_status"`
	Reference string         `json:"reference,omitzero"`
	Metadata  jsontext.Value `json:"metadata,omitzero"`
	By        string         `json:"registered_by"`
	CreatedAt time.Time      `json:"created_at"`
	DecidedAt time.Time      `json:"decided_at,omitzero"`
}

func (r *registration) row(k key, now time.Time) Row {
	return Row{
		ID: k.id.String(), Mode: k.mode, Status: r.statusAt(now), Reason: r.Reason, Flags: r.Flags,
		Token: r.Token, Brand: r.Brand, BIN: r.BIN, Last4: r.Last4,
		Expiry: r.expiry().String(), CVVStatus: r.CVVStatus, Reference: r.Reference, Metadata: r.Metadata.object(),
		By: r.Actor, CreatedAt: k.id.time(), DecidedAt: r.DecidedAt,
	}
}
