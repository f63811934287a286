package link

import "ccms/internal/retention"

// Retention is how long links are kept after their end (PCI DSS 3.2.1).
func Retention() []retention.Expiring {
	return []retention.Expiring{{
		Name:          "one-time links",
		Justification: "The firm may look what became of a link; its secret is a hash.",
		Keep:          kept, Collection: "Link", Field: "removeAt",
	}}
}
