// Package console owns the pages for the people of firms and for operators: API
// clients, registrations, links, the record, people and rules of a firm (decision
// B13). It keeps nothing: what it shows it asks the login and the card service
// for, with the token of who is logged in, and they alone decide who may what. It
// never shows a card number, and a secret once, in the answer that made it.
//
// Every page of a firm stands below /console/firms/{firm}/{mode}, so that a
// page's address says whose it is and whether test or live is meant. Its texts
// are English.
package console

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
	"ccms/internal/httpserver"
	"ccms/internal/page"
	"ccms/internal/page/session"
	"ccms/internal/upstream"
)

//go:embed pages/*.html
var files embed.FS

// Config describes a Service.
type Config struct {
	// Upstream asks the services. Required.
	Upstream *upstream.Client
	// PublicURL is where people reach the pages, without a trailing slash.
	PublicURL string
	// Sessions tells who is logged in. Required.
	Sessions *session.Jar
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Service is the console; safe for concurrent use.
type Service struct {
	sessions *session.Jar
	now      func() time.Time
	pages    *page.Set
	ask      *backend.Backend
	forms    forms.Maker
}

// New returns a console.
func New(cfg Config) (*Service, error) {
	own, err := fs.Sub(files, "pages")
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	pages, err := page.Parse(own, cfg.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{sessions: cfg.Sessions, now: cfg.Now, pages: pages, ask: backend.New(cfg.Upstream), forms: forms.New(pages.Named("en"))}, nil
}

// Routes registers the pages.
func (s *Service) Routes(mux *httpserver.Mux) {
	mux.Handle("GET /console", s.person(s.firms))
	mux.Handle("GET /console/firms", s.person(s.allFirms))
	mux.Handle("POST /console/firms", page.SameOrigin(s.person(s.createFirm)))
	mux.Handle("POST /console/firms/{firm}/suspend", page.SameOrigin(s.person(s.suspend(true))))
	mux.Handle("POST /console/firms/{firm}/resume", page.SameOrigin(s.person(s.suspend(false))))
	mux.Handle("GET /console/firms/{firm}", s.person(s.enter))

	get := func(path string, h deskHandler) { mux.Handle("GET "+firmPath+path, s.desk(h)) }
	post := func(path string, h deskHandler) { mux.Handle("POST "+firmPath+path, page.SameOrigin(s.desk(h))) }
	get("", s.home)

	get("/registrations", s.registrations)
	get("/registrations.csv", s.exportRegistrations)
	get("/registrations/{id}", s.registration)
	post("/registrations/{id}/enable", s.turnCard("enabled"))
	post("/registrations/{id}/disable", s.turnCard("disabled"))
	get("/registrations/{id}/delete-card", s.deleteCardForm)
	post("/registrations/{id}/delete-card", s.deleteCard)

	get("/links", s.links)
	get("/links/add", s.addLinkForm)
	post("/links/add", s.addLink)
	post("/links/{link}/cancel", s.cancelLink)

	get("/clients", s.clients)
	get("/clients/add", s.addClientForm)
	post("/clients/add", s.addClient)
	get("/clients/{client}", s.client)
	post("/clients/{client}", s.changeClient)
	post("/clients/{client}/rotate", s.rotate)
	get("/clients/{client}/revoke", s.revokeForm)
	post("/clients/{client}/revoke", s.revoke)

	get("/audit", s.audit)
	get("/audit.csv", s.exportAudit)

	get("/people", s.people)
	post("/people", s.invite)
	get("/people/{member}", s.member)
	post("/people/{member}", s.changeRole)
	post("/people/{member}/remove", s.removeMember)

	get("/settings", s.settings)
	post("/settings/name", s.rename)
	post("/settings/rules", s.changeRules)
}

// person runs h for who is logged in.
func (s *Service) person(h session.Handler) httpserver.Handler {
	return s.sessions.Person("/console", func(w http.ResponseWriter, r *http.Request, who session.Session) error {
		return s.denied(w, r, who, h(w, r, who))
	})
}
