package firm

import "ccms/internal/retention"

// Retention is how long invitations nobody took are kept (PCI DSS 3.2.1).
func Retention() []retention.Expiring {
	return []retention.Expiring{{
		Name:          "invitations of members",
		Justification: "A person has this long to come; address, firm and role.",
		Keep:          invitationLife, Collection: "Invitation", Field: "expiresAt",
	}}
}
