package limit

import "ccms/internal/retention"

// Retention is how long counts are kept (PCI DSS 3.2.1): counters are those of
// the collection Counter, and quotas those of the named ones.
func Retention(quotas ...string) []retention.Expiring {
	all := []retention.Expiring{{
		Name:          "counters of failures",
		Justification: "Locks and throttles hold over a restart (decision B5); of what is counted a keyed hash.",
		Collection:    "Counter", Field: "expires",
	}}
	for _, q := range quotas {
		all = append(all, retention.Expiring{
			Name:          "quotas in " + q,
			Justification: "What was used within the window holds over a restart; ids of clients.",
			Collection:    q, Field: "expires",
		})
	}
	return all
}
