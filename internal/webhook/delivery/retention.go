package delivery

import "ccms/internal/retention"

// Retention is how long the log of deliveries is kept (PCI DSS 3.2.1).
func Retention() []retention.Expiring {
	return []retention.Expiring{{
		Name:          "deliveries of events to firms",
		Justification: "A firm sees what its endpoints answered, and may have an event sent again; it holds nothing but what the firm's lists show.",
		Keep:          kept, Collection: collection, Field: "expires",
	}}
}
