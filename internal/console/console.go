// Package console owns the pages for the people of firms and for operators
// (decision B13): it puts together what the packages below it have, and itself has
// the first pages of each person and firm. The console keeps nothing: what it
// shows it asks the services for, with the token of who is logged in, and they
// alone decide who may what. It never shows a card number, and a secret once, in
// the answer that made it.
//
// Every page of a firm stands below /console/firms/{firm}/{mode}, so that a
// page's address says whose it is and whether test or live is meant. Its texts
// are English.
package console

import (
	"embed"
	"time"

	"ccms/internal/console/access"
	"ccms/internal/console/backend"
	"ccms/internal/console/cards"
	"ccms/internal/console/frame"
	"ccms/internal/console/hooks"
	"ccms/internal/console/reports"
	"ccms/internal/page/session"
	"ccms/internal/upstream"
)

//go:embed pages/*.html
var pages embed.FS

// Config describes a console.
type Config struct {
	// Upstream asks the services. Required.
	Upstream *upstream.Client
	// PublicURL is where people reach the pages, without a trailing slash.
	PublicURL string
	// Sessions tells who is logged in. Required.
	Sessions *session.Jar
	// Idle is the login service's login.session-idle, of which people are warned;
	// default 15 min.
	Idle time.Duration
	// More are pages beside those of this package and the ones below it; default
	// none.
	More []frame.Part
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// New returns a console.
func New(cfg Config) (*frame.Frame, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	ask := backend.New(cfg.Upstream)
	parts := []frame.Part{
		part(ask, cfg.Now),
		cards.Part(ask, cfg.Now),
		reports.Part(ask, cfg.Now),
		hooks.Part(ask),
		access.Part(ask, cfg.Now),
	}
	return frame.New(frame.Config{
		Backend: ask, PublicURL: cfg.PublicURL, Sessions: cfg.Sessions, Idle: cfg.Idle, Parts: append(parts, cfg.More...),
	})
}

// service has the first pages of each person and firm.
type service struct {
	ask *backend.Backend
	now func() time.Time
}

func part(ask *backend.Backend, now func() time.Time) frame.Part {
	s := &service{ask, now}
	return frame.Part{
		Pages: pages,
		Menu:  []frame.Entry{{Text: "Overview"}},
		Firm:  frame.Routes{"GET ": s.home},
		People: frame.Routes{
			"GET ":                       s.firms,
			"GET /firms":                 s.allFirms,
			"POST /firms":                s.createFirm,
			"POST /firms/{firm}/suspend": s.suspend(true),
			"POST /firms/{firm}/resume":  s.suspend(false),
			"GET /firms/{firm}":          s.enter,
		},
	}
}
