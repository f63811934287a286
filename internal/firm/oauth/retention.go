package oauth

import "ccms/internal/retention"

// Retention is how long is kept what tokens and assertions leave behind
// (PCI DSS 3.2.1).
func Retention() []retention.Expiring {
	return []retention.Expiring{
		{
			Name:          "assertions that were used",
			Justification: "One that is sent again before it expires is refused (RFC 7523); a hash.",
			Collection:    "UsedAssertion", Field: "expires",
		},
		{
			Name:          "tokens that were revoked",
			Justification: "One that is used again before it expires is refused (RFC 7009); its id.",
			Collection:    "RevokedToken", Field: "expires",
		},
	}
}
