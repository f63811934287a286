// Package cardform owns the hosted card form: the page behind a firm's one-time
// link, on which a person enters a card that the firm never sees (decision D6).
// It stands alone, or in one frame of the firm's page, whole. What a link says
// and what becomes of the card is asked of the card service; nothing is kept
// here, and of number and code nothing is ever shown again.
package cardform

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"

	"ccms/internal/httpserver"
	"ccms/internal/page"
	"ccms/internal/upstream"
)

//go:embed pages/*.html
var files embed.FS

// Config is what New needs.
type Config struct {
	// Upstream asks the card service.
	Upstream *upstream.Client
	// PublicURL is where people reach the pages, without a trailing slash.
	PublicURL string
}

// Service is the hosted form; safe for concurrent use.
type Service struct {
	up    *upstream.Client
	pages *page.Set
}

// New returns the hosted form.
func New(cfg Config) (*Service, error) {
	own, err := fs.Sub(files, "pages")
	if err != nil {
		return nil, fmt.Errorf("card form: %w", err)
	}
	pages, err := page.Parse(own, cfg.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("card form: %w", err)
	}
	return &Service{up: cfg.Upstream, pages: pages}, nil
}

// Routes registers the pages.
func (s *Service) Routes(mux *httpserver.Mux) {
	mux.Handle("GET /card/{secret}", s.show)
	mux.Handle("POST /card/{secret}", page.SameOrigin(s.post))
	mux.Handle("GET /embed/v1/card-form.js", s.pages.Loader)
	mux.Handle("GET /assets/inventory.json", s.pages.Inventory)
}

// language is the one the firm asked for with ?lang=, which knows it of its
// customer, else the person's own choice.
func (s *Service) language(r *http.Request) *page.Language {
	if l := s.pages.Named(r.URL.Query().Get("lang")); l != nil {
		return l
	}
	return s.pages.Language(r)
}
