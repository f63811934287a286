package ledger

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/registration/verification"
)

// Status is the answer of decision D3.
type Status struct {
	ID     string `json:"registration_id"`
	Status string `json:"status"`          // pending, verified, rejected, failed or expired
	Reason string `json:"reason,omitzero"` // once rejected or failed
	// Once verified.
	Token     string `json:"token,omitzero"`
	Brand     string `json:"brand,omitzero"`
	Last4     string `json:"last4,omitzero"`
	Expiry    string `json:"expiry,omitzero"` // MM/YYYY
	CVVStatus string `json:"cvv_status,omitzero"`
}

// StatusOf is what a firm is told of the registration, which is the one under k.
func (r *Registration) StatusOf(k Key, now time.Time) Status {
	s := Status{ID: k.ID.String(), Status: r.StatusAt(now), Reason: r.Reason}
	if r.Status == verification.Verified {
		s.Token, s.Brand, s.Last4 = r.Token, r.Brand, r.Last4
		s.Expiry, s.CVVStatus = r.Expiry().String(), r.CVVStatus
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
	Expiry    string         `json:"expiry"` // MM/YYYY
	CVVStatus string         `json:"cvv_status"`
	Reference string         `json:"reference,omitzero"`
	Metadata  jsontext.Value `json:"metadata,omitzero"`
	By        string         `json:"registered_by"` // client, or account of a member
	CreatedAt time.Time      `json:"created_at"`
	DecidedAt time.Time      `json:"decided_at,omitzero"`
}

// RowOf is the registration, which is the one under k, as a list shows it.
func (r *Registration) RowOf(k Key, now time.Time) Row {
	return Row{
		ID: k.ID.String(), Mode: k.Mode, Status: r.StatusAt(now), Reason: r.Reason, Flags: r.Flags,
		Token: r.Token, Brand: r.Brand, BIN: r.BIN, Last4: r.Last4,
		Expiry: r.Expiry().String(), CVVStatus: r.CVVStatus, Reference: r.Reference, Metadata: r.Metadata.object(),
		By: r.Actor, CreatedAt: k.ID.Time(), DecidedAt: r.DecidedAt.UTC(),
	}
}
