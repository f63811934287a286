// Package portal owns the public edge: it passes API calls on to the service
// that has them and serves the cardholder's pages. It holds no data and no
// session of its own; what it knows of an account it asks the login service
// for every time.
package portal

import (
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"ccms/internal/httpserver"
	"ccms/internal/page"
	"ccms/internal/page/session"
	"ccms/internal/portal/backend"
	"ccms/internal/upstream"
)

//go:embed pages/*.html
var files embed.FS

// Config describes a Service.
type Config struct {
	// Transport reaches http://login-service/… and http://creditcard-service/…
	// and proves us to them (decision A8).
	Transport http.RoundTripper
	// Vouch adds to a request the address of the client it is made for, in the
	// way the other services believe (decision A7).
	Vouch func(r *http.Request, client netip.Addr)
	// PublicURL is shown in examples, without a trailing slash.
	PublicURL string
	// Sessions keeps who is logged in.
	Sessions *session.Jar
	// Mails is the folder that stands in for a mail server; nil when there is
	// one.
	Mails fs.FS
	// Idle is the login service's login.session-idle, of which people are warned;
	// default 15 min.
	Idle time.Duration
	Log  *slog.Logger
}

// Service is the portal.
type Service struct {
	cfg      Config
	pages    *page.Set
	services *backend.Backend
}

// New returns a portal.
func New(cfg Config) (*Service, error) {
	own, err := fs.Sub(files, "pages")
	if err != nil {
		return nil, fmt.Errorf("portal pages: %w", err)
	}
	pages, err := page.Parse(own, cfg.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("portal pages: %w", err)
	}
	return &Service{cfg: cfg, pages: pages, services: backend.New(&upstream.Client{Transport: cfg.Transport, Vouch: cfg.Vouch})}, nil
}

func (s *Service) cardRoutes(mux *httpserver.Mux) {
	form := func(h session.Handler) httpserver.Handler { return page.SameOrigin(s.person(h)) }
	mux.Handle("GET /cards", s.person(s.cards))
	mux.Handle("GET /cards/add", s.person(s.addForm))
	mux.Handle("POST /cards/add", form(s.add))
	mux.Handle("POST /cards/{card}/on", form(s.turn(true)))
	mux.Handle("POST /cards/{card}/off", form(s.turn(false)))
	mux.Handle("GET /cards/{card}/delete", s.person(s.deleteForm))
	mux.Handle("POST /cards/{card}/delete", form(s.delete))
	mux.Handle("POST /cards/{card}/restore", form(s.restore))
}

func (s *Service) accountRoutes(mux *httpserver.Mux) {
	form := func(h session.Handler) httpserver.Handler { return page.SameOrigin(s.person(h)) }
	mux.Handle("GET /account", s.person(s.accountPage))
	mux.Handle("POST /account/name", form(s.changeName()))
	mux.Handle("POST /account/email", form(s.changeEmail()))
	mux.Handle("POST /account/password", form(s.changePassword()))
	mux.Handle("POST /account/sessions/{id}/end", form(s.endSession))
	mux.Handle("GET /account/export", s.person(s.exportAccount))
	mux.Handle("GET /account/delete", s.person(s.deleteAccountForm))
	mux.Handle("POST /account/delete", form(s.deleteAccount))
}

// Routes registers the pages and the paths that are passed on.
func (s *Service) Routes(mux *httpserver.Mux) {
	mux.ErrorPage = s.pages.RenderError
	mux.Handle("GET /{$}", s.home)
	mux.Handle("GET /assets/{name}", s.pages.Asset)
	mux.Handle("POST /language", page.SameOrigin(s.pages.ChooseLanguage))
	mux.Handle("GET /signup", s.signUpForm)
	mux.Handle("POST /signup", page.SameOrigin(s.signUp))
	mux.Handle("GET /login", s.logInForm)
	mux.Handle("POST /login", page.SameOrigin(s.logIn))
	mux.Handle("POST /logout", page.SameOrigin(s.logOut))
	mux.Handle("POST /stay", page.SameOrigin(s.person(s.stay)))
	mux.Handle("GET /verify", s.verifyForm)
	mux.Handle("POST /verify", page.SameOrigin(s.verify))
	mux.Handle("GET /reset-password", s.resetForm)
	mux.Handle("POST /reset-password", page.SameOrigin(s.reset))
	mux.Handle("POST /resend", page.SameOrigin(s.resend))
	mux.Handle("GET /forgot-password", s.forgotForm)
	mux.Handle("POST /forgot-password", page.SameOrigin(s.forgot))
	mux.Handle("GET /mails", s.mails)
	s.cardRoutes(mux)
	s.accountRoutes(mux)

	login, cards := s.pass(upstream.Login), s.pass(upstream.Cards)
	mux.Handle("/api/customer/{rest...}", login)
	mux.Handle("/api/account", login)
	mux.Handle("/api/account/{rest...}", login)
	mux.Handle("/.well-known/{rest...}", login)
	mux.Handle("/api/firms", login)
	mux.Handle("/api/firms/{rest...}", login)
	mux.Handle("/api/operator/{rest...}", login)
	mux.Handle("/oauth2/{rest...}", login)
	mux.Handle("/api/customer/creditcard", cards)
	mux.Handle("/api/customer/creditcard/{rest...}", cards)
	mux.Handle("/api/creditcards", cards)
	mux.Handle("/register", cards)
	mux.Handle("/status", cards)
	mux.Handle("/status/{rest...}", cards)
	mux.Handle("/v1/{rest...}", cards)
}
