package login

import (
	"time"

	"ccms/internal/retention"
)

// eraseWithin is how long the erasure of an account may take while the card
// service cannot be reached, before somebody has to look.
const eraseWithin = 24 * time.Hour

// Retention is how long accounts without an owner are kept (PCI DSS 3.2.1).
func Retention() []retention.Expiring {
	return []retention.Expiring{
		{
			Name:          "accounts never verified",
			Justification: "A person has a week to open the mail (decision B1).",
			Keep:          unverifiedFor, Grace: 2 * sweepEvery, Collection: "Customer", Field: "unverifiedUntil",
		},
		{
			Name:          "accounts being erased",
			Justification: "Empty; they stay until the cards are erased too (decision B10).",
			Grace:         eraseWithin, Collection: "Customer", Field: "erasing",
		},
	}
}
