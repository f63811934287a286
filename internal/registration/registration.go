// Package registration owns the registrations of firms' cards (decisions D2 to
// D6): what a firm sends to POST /register, what becomes of it, and how it is
// found again; and the settings by which a firm's registrations are judged.
//
// A registration holds no number, no code and no name: the card itself is
// package firmcard's, and whether it is accepted package verification's. Who
// may do what is told by the function handed in as Require (package tenant),
// the record of every act is package audit's, repeated requests are package
// idempotency's, and recognising who tries out codes is package guess's.
package registration

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"ccms/internal/audit"
	"ccms/internal/card"
	"ccms/internal/guess"
	"ccms/internal/httpserver"
	"ccms/internal/idempotency"
	"ccms/internal/identity"
	"ccms/internal/outbox"
	"ccms/internal/registration/firmcard"
	"ccms/internal/registration/ledger"
	"ccms/internal/registration/verification"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/tenant"
	"ccms/internal/webhook"
)

// defaultDeadline is how long a firm's endpoint may leave a registration
// pending.
const defaultDeadline = time.Hour

// Cards keeps the cards; *firmcard.Service does.
type Cards interface {
	Put(ctx context.Context, d firmcard.Deposit) (firmcard.Card, error)
}

// Pipeline decides over registrations; *verification.Pipeline does.
type Pipeline interface {
	Judge(c verification.Case) verification.Verdict
	Ask(ctx context.Context, c verification.Case) (verification.Verdict, error)
	HoldCode(registrationID string, code secret.Bytes)
	DropCode(registrationID string)
}

// Config is what Open needs.
type Config struct {
	DB       store.DB
	Cards    Cards
	Pipeline Pipeline
	// Rules are a firm's in a mode; settings.Service's.
	Rules func(ctx context.Context, firm, mode string) (verification.Rules, error)
	Audit *audit.Log
	// Idempotency keeps the answers to requests with a key (decision D5).
	Idempotency *idempotency.Keys
	// Sealer seals what waits for a firm's endpoint.
	Sealer outbox.Sealer
	// Require makes the check of a route: who sent a request, and that he holds
	// the scope; tenant.Guard's.
	Require func(scope string) httpserver.Authenticate
	// Announce makes durable of what a firm is told; default nobody is told.
	Announce webhook.Announce
	// Brands is the brand table; default card.Default().
	Brands *card.Table
	// Guesses recognises who tries out codes; default a new guess.Memory.
	Guesses *guess.Memory
	// Deadline is when a registration that the firm's endpoint did not decide
	// over has failed (decision D4); default 1 h.
	Deadline time.Duration
	// Log is told of failures nobody else hears of; default slog.Default().
	Log *slog.Logger
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Service is the registrations of all firms; safe for concurrent use.
type Service struct {
	ledger   *ledger.Ledger
	cards    Cards
	pipeline Pipeline
	rules    func(ctx context.Context, firm, mode string) (verification.Rules, error)
	audit    *audit.Log
	once     *idempotency.Keys
	queue    *outbox.Queue
	first    chan firstCall
	require  func(scope string) httpserver.Authenticate
	announce webhook.Announce
	brands   *card.Table
	guesses  *guess.Memory
	deadline time.Duration
	log      *slog.Logger
	now      func() time.Time
	metrics  metrics
}

// Open opens the collections Registration and RegistrationOutbox in c.DB.
func Open(ctx context.Context, c Config) (*Service, error) {
	c = withDefaults(c)
	book, err := ledger.Open(ctx, c.DB)
	if err != nil {
		return nil, err
	}
	s := &Service{
		ledger: book, cards: c.Cards, pipeline: c.Pipeline, rules: c.Rules, audit: c.Audit, once: c.Idempotency,
		first: make(chan firstCall, firstCalls), require: c.Require, announce: c.Announce, brands: c.Brands, guesses: c.Guesses,
		deadline: c.Deadline, log: c.Log, now: c.Now, metrics: newMetrics(),
	}
	s.queue, err = s.openQueue(ctx, c)
	return s, err
}

func withDefaults(c Config) Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Brands == nil {
		c.Brands = card.Default()
	}
	if c.Guesses == nil {
		c.Guesses = guess.New(guess.Config{Now: c.Now})
	}
	if c.Deadline == 0 {
		c.Deadline = defaultDeadline
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// Routes registers the firms' routes (decisions D2, D3 and D6).
func (s *Service) Routes(mux *httpserver.Mux) {
	route := func(pattern, scope string, h httpserver.Handler) {
		mux.Handle(pattern, httpserver.As(s.require(scope), h))
	}
	created := httpserver.JSONOptions{Status: http.StatusCreated}
	route(registerRoute, identity.ScopeRegister, httpserver.JSON(s.handleRegister, created))
	route("GET /status/{registration_id}", identity.ScopeRead, httpserver.JSON(s.handleStatus))
	route("GET /status", identity.ScopeRead, httpserver.JSON(s.handleStatus))
	route("GET /v1/registrations", identity.ScopeRead, httpserver.JSON(s.handleList))
	route("GET /v1/registrations/{id}", identity.ScopeRead, httpserver.JSON(s.handleGet))
	route("DELETE /v1/registrations/{id}", identity.ScopeManage, httpserver.JSON(s.handleDelete))
	route(bulkRoute, identity.ScopeRegister, s.handleBulk)
}

// caller is who acts, and from where, as the audit record has it.
type caller struct {
	firm    string
	mode    string // test or live; "" is a member who reads both
	actor   string // client, or account of a member
	from    string
	request string
}

func callerOf(r *http.Request) caller {
	p := identity.FromContext(r.Context())
	return caller{
		firm: p.FirmID, mode: p.Mode, actor: tenant.Actor(p),
		from: httpserver.Client(r).String(), request: httpserver.RequestID(r.Context()),
	}
}

// writerOf is the caller of a route that makes or changes something, which
// happens in one mode.
func writerOf(r *http.Request) (caller, error) {
	who := callerOf(r)
	var err error
	who.mode, err = tenant.OneMode(identity.FromContext(r.Context()))
	return who, err
}

// shelf is what the caller sees.
func (c caller) shelf() ledger.Shelf {
	return ledger.Shelf{Firm: c.firm, Modes: tenant.Modes(c.mode)}
}

// principal is what an Idempotency-Key is scoped to (decision D5). An account
// may act for several firms, in both modes.
func (c caller) principal() string { return c.firm + "/" + c.mode + "/" + c.actor }

func (c caller) entry(act, object string) audit.Entry {
	return audit.Entry{Act: act, Actor: c.actor, Object: object, Owner: c.firm, From: c.from, Request: c.request}
}

// audited does what e says, on record.
func (s *Service) audited(ctx context.Context, e audit.Entry, do func(*audit.Act) error) error {
	err := s.audit.Do(ctx, e, do)
	if errors.Is(err, audit.ErrUnrecorded) {
		s.metrics.unaudited.Inc()
	}
	return err
}
