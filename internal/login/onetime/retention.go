package onetime

import "ccms/internal/retention"

// Retention is how long hashes of tokens are kept (PCI DSS 3.2.1).
func Retention() []retention.Expiring {
	return []retention.Expiring{{
		Name:          "one-time tokens",
		Justification: "Who uses an old link is told that it has expired and not that it never was; a hash, account and address.",
		Keep:          keepExpired, Collection: "OneTimeToken", Field: "keep",
	}}
}
