package outbox

import (
	"cmp"

	"ccms/internal/retention"
)

// Retention is how long the queue that cfg describes keeps messages it gave up
// (PCI DSS 3.2.1); those that wait are needed, and go when they were handled.
func Retention(cfg Config) []retention.Expiring {
	return []retention.Expiring{{
		Name:          "dead letters of " + cmp.Or(cfg.Collection, defaultCollection),
		Justification: "An operator sees what never arrived and may send it again; what it says is sealed.",
		Keep:          cmp.Or(max(cfg.KeepDead, 0), keepDead), Collection: cmp.Or(cfg.Collection, defaultCollection), Field: "expires",
	}}
}
