// Package cards owns the console's pages about a firm's cards: registrations, the
// cards behind them, and the links by which people enter theirs. It never shows a
// number.
package cards

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
			{Text: "Registrations", Name: "registrations", For: frame.Desk.Member},
			{Text: "Links", Name: "links", For: frame.Desk.Manages}, // a viewer may not even look at them
		},
		Firm: frame.Routes{
			"GET /registrations":                   s.registrations,
			"GET /registrations.csv":               s.exportRegistrations,
			"GET /registrations/{id}":              s.registration,
			"POST /registrations/{id}/enable":      s.turnCard("enabled"),
			"POST /registrations/{id}/disable":     s.turnCard("disabled"),
			"GET /registrations/{id}/delete-card":  s.deleteCardForm,
			"POST /registrations/{id}/delete-card": s.deleteCard,
			"GET /links":                           s.links,
			"GET /links/form":                      s.builder,
			"GET /links/add":                       s.addLinkForm,
			"POST /links/add":                      s.addLink,
			"POST /links/{link}/cancel":            s.cancelLink,
		},
	}
}
