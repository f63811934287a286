// Package access owns the console's pages about who and what acts for a firm: API
// clients, people, the rules by which cards are accepted, and the record of what
// they all did.
package access

import (
	"embed"
	"time"

	"ccms/internal/console/backend"
	"ccms/internal/console/frame"
)

//go:embed pages/*.html
var pages embed.FS

type service struct {
	ask *backend.Backend
	now func() time.Time
}

// Part is the pages, which ask through ask.
func Part(ask *backend.Backend, now func() time.Time) frame.Part {
	s := &service{ask, now}
	return frame.Part{
		Pages: pages,
		Menu: []frame.Entry{
			{Text: "API clients", Name: "clients", For: frame.Desk.Member},
			{Text: "People", Name: "people"},
			{Text: "Audit", Name: "audit"},
			{Text: "Settings", Name: "settings", For: frame.Desk.Member},
		},
		Firm: frame.Routes{
			"GET /clients":                  s.clients,
			"GET /clients/add":              s.addClientForm,
			"POST /clients/add":             s.addClient,
			"GET /clients/{client}":         s.client,
			"POST /clients/{client}":        s.changeClient,
			"POST /clients/{client}/rotate": s.rotate,
			"GET /clients/{client}/revoke":  s.revokeForm,
			"POST /clients/{client}/revoke": s.revoke,
			"GET /people":                   s.people,
			"POST /people":                  s.invite,
			"GET /people/{member}":          s.member,
			"POST /people/{member}":         s.changeRole,
			"POST /people/{member}/remove":  s.removeMember,
			"GET /audit":                    s.audit,
			"GET /audit.csv":                s.exportAudit,
			"GET /settings":                 s.settings,
			"POST /settings/name":           s.rename,
			"POST /settings/rules":          s.changeRules,
		},
	}
}
