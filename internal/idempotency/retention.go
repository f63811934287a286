package idempotency

import "ccms/internal/retention"

// Retention is how long keys and answers are kept (PCI DSS 3.2.1).
func Retention() []retention.Expiring {
	return []retention.Expiring{{
		Name:          "idempotency keys",
		Justification: "A request sent again within a day gets the first answer (decision D5): a keyed hash of the body, and the answer, sealed.",
		Keep:          kept, Collection: "Idempotency", Field: "expiresAt",
	}}
}
