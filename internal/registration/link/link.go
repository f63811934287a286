// Package link owns one-time links: a firm asks for one and sends a person
// there, who enters a card on our page instead of the firm's (decision D6). It
// knows which link is good for what and sees to it that one is used once.
//
// The page itself, and the registration a link ends in, are others': they ask
// Open what a link says and have Submit use it up. Who may ask for links is told
// by the function handed in as Require.
package link

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/store"
)

// Client is what a link needs to know of the firm's client it belongs to.
type Client struct {
	FirmID     string
	Mode       string // test or live
	Active     bool   // neither revoked nor of a suspended firm
	ReturnURLs []string
	Origins    []string
}

// Config is what New needs.
type Config struct {
	DB    store.DB
	Audit *audit.Log
	// Require makes the check of a route: who sent a request, and that he holds
	// the scope. The principal names the firm.
	Require func(scope string) httpserver.Authenticate
	// Client tells of a firm's client as it is now; the zero Client for one
	// there is not. Its errors are answered as they are.
	Client func(ctx context.Context, id string) (Client, error)
	// Registered tells whether the registration of a submission is there.
	Registered func(ctx context.Context, s Submission) (bool, error)
	// NewID makes the id of the registration a link ends in.
	NewID func() string
	// PublicURL is what the URLs of links begin with, without a slash at its end.
	PublicURL string
	// Log is told of failures nobody else hears of; default slog.Default().
	Log *slog.Logger
	// Now is the clock; default time.Now. Links vanish from the store by the
	// store's own.
	Now func() time.Time
}

// Service is the links of all firms; safe for concurrent use.
type Service struct {
	c       Config
	links   *store.Of[document]
	metrics metrics
}

// New opens the collection Link in c.DB.
func New(ctx context.Context, c Config) (*Service, error) {
	links, err := store.Open[document](ctx, c.DB, store.Spec{
		Name: "Link", Unique: []string{"hash"}, Ordered: []string{"listed"}, Expires: "removeAt",
	})
	if err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Service{c: c, links: links, metrics: newMetrics()}, nil
}

// Routes registers the firms' routes for links.
func (s *Service) Routes(mux *httpserver.Mux) {
	firm := s.c.Require(identity.ScopeRegister)
	mux.Handle("POST /v1/links", httpserver.As(firm, httpserver.JSON(s.handleCreate, httpserver.JSONOptions{Status: http.StatusCreated})))
	mux.Handle("GET /v1/links", httpserver.As(firm, httpserver.JSON(s.handleList)))
	mux.Handle("DELETE /v1/links/{id}", httpserver.As(firm, httpserver.JSON(s.handleRevoke)))
}

// The names of the acts in the audit record.
const (
	actCreate = "link.create"
	actRevoke = "link.revoke"
	actSubmit = "link.submit"
)

// entry is the record of an act of the caller of r.
func entry(r *http.Request, act, id string) audit.Entry {
	p := identity.FromContext(r.Context())
	e := audit.Entry{
		Act: act, Actor: p.ClientID, Object: id, Owner: p.FirmID,
		From: httpserver.Client(r).String(), Request: httpserver.RequestID(r.Context()),
	}
	if e.Actor == "" {
		e.Actor = p.Subject
	}
	return e
}

// audited does what e says, on record.
func (s *Service) audited(ctx context.Context, e audit.Entry, do func(*audit.Act) error) error {
	err := s.c.Audit.Do(ctx, e, do)
	if err == nil {
		s.metrics.count(e.Act)
	}
	return err
}
