// Package creditcard owns a cardholder's cards: contract section 3 as
// decisions C settle it. It knows which cards a person has and what may become
// of them, from adding to erasure.
//
// It can seal a number and make its look-up value, never open one: no answer to
// a cardholder needs it. Who asks is told by the function handed in as
// Authenticate, keys belong to package vault, the record of every act to
// package audit, repeated requests to package idempotency, and recognising who
// tries out codes to package guess.
package creditcard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"ccms/internal/audit"
	"ccms/internal/card"
	"ccms/internal/guess"
	"ccms/internal/httpserver"
	"ccms/internal/idempotency"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/store"
	"ccms/internal/vault"
)

// owner is whose key-encryption key seals cardholders' numbers (decision C12).
const owner = "cardholders"

// defaultRetention is how long a deleted card waits for its erasure.
const defaultRetention = 2160 * time.Hour

// errTaken says that a random creditCardId belongs to another card already.
var errTaken = errors.New("creditcard: creditCardId is taken")

// Vault is what this package needs of package vault.
type Vault interface {
	Seal(ctx context.Context, at vault.Place, plaintext []byte) (string, error)
	Fingerprints(ctx context.Context, owner string, number []byte) (vault.Fingerprints, error)
}

// Config is what Open needs.
type Config struct {
	DB    store.DB
	Vault Vault
	Audit *audit.Log
	// Idempotency keeps the answers to card add (decision D5).
	Idempotency *idempotency.Keys
	// Authenticate finds out who sent a request to a cardholder's route.
	Authenticate httpserver.Authenticate
	// Brands is the brand table; default card.Default().
	Brands *card.Table
	// Guesses recognises who tries out codes; default a new guess.Memory.
	Guesses *guess.Memory
	// Retention is how long a deleted card is kept before it is erased;
	// default 2160 h (setting creditcard.deleted-retention).
	Retention time.Duration
	// Log is told of failures nobody else hears of; default slog.Default().
	Log *slog.Logger
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Service is the cards of all cardholders; safe for concurrent use.
type Service struct {
	holders      *store.Of[cardholder]
	vault        Vault
	audit        *audit.Log
	once         *idempotency.Keys
	authenticate httpserver.Authenticate
	brands       *card.Table
	guesses      *guess.Memory
	retention    time.Duration
	log          *slog.Logger
	now          func() time.Time
	metrics      metrics
}

// Open opens the collection CreditCard (contract section 6.2) in c.DB.
func Open(ctx context.Context, c Config) (*Service, error) {
	holders, err := store.Open[cardholder](ctx, c.DB, store.Spec{
		Name: "CreditCard", Ordered: []string{"deletedSince"}, Expires: "expiresAt",
	})
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Brands == nil {
		c.Brands = card.Default()
	}
	if c.Guesses == nil {
		c.Guesses = guess.New(guess.Config{Now: c.Now})
	}
	if c.Retention == 0 {
		c.Retention = defaultRetention
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Service{
		holders: holders, vault: c.Vault, audit: c.Audit, once: c.Idempotency,
		authenticate: c.Authenticate, brands: c.Brands, guesses: c.Guesses,
		retention: c.Retention, log: c.Log, now: c.Now, metrics: newMetrics(),
	}, nil
}

// Routes registers the cardholder's routes (contract section 3, decisions C9
// and C10) and the two for other services of the deployment.
func (s *Service) Routes(mux *httpserver.Mux) {
	holder := func(pattern string, h httpserver.Handler) {
		mux.Handle(pattern, httpserver.As(s.cardholder, h))
	}
	holder(addRoute, httpserver.JSON(s.handleAdd, httpserver.JSONOptions{Status: http.StatusCreated}))
	holder("GET /api/customer/creditcard", httpserver.JSON(s.handleActive))
	holder("GET /api/creditcards", httpserver.JSON(s.handleList))
	holder("DELETE /api/customer/creditcard/{creditCardNumber}", httpserver.JSON(s.handleDelete))
	holder("PUT /api/customer/creditcard/{creditCardNumber}/toggle", httpserver.JSON(s.handleToggle))
	holder("POST /api/customer/creditcard/{id}/restore", httpserver.JSON(s.handleRestore))
	mux.Handle("POST /internal/cardholders/{id}/erase", httpserver.Internal(httpserver.JSON(s.handleErase)))
	mux.Handle("GET /internal/cardholders/{id}/cards", httpserver.Internal(httpserver.JSON(s.handleExport)))
}

// cardholder authenticates a person who may use cards: no firm's client, a
// verified account, the scope cards. The account comes before the scope, for
// the token of an unverified one need not carry it (decision B3).
func (s *Service) cardholder(r *http.Request) (identity.Principal, error) {
	p, err := s.authenticate(r)
	switch {
	case err != nil:
		return p, err
	case p.Subject == "" || p.FirmID != "" || p.ClientID != "":
		return p, problem.NeedsScope(identity.ScopeCards).With("This path is for cardholders; firms register cards at /register.")
	case !p.Validated:
		return p, problem.Unverified()
	case !p.Has(identity.ScopeCards):
		return p, problem.NeedsScope(identity.ScopeCards)
	}
	return p, nil
}

// caller is who acts, and from where, as the audit record has it.
type caller struct {
	id       string // the customer's, whose cards are meant
	username string
	actor    string
	from     string
	request  string
}

// callerOf is the caller of a cardholder's route.
func callerOf(r *http.Request) caller {
	p := identity.FromContext(r.Context())
	return caller{
		id: p.Subject, username: p.Username, actor: p.Subject,
		from: httpserver.Client(r).String(), request: httpserver.RequestID(r.Context()),
	}
}

func (c caller) entry(act, object string) audit.Entry {
	return audit.Entry{Act: act, Actor: c.actor, Object: object, Owner: c.id, From: c.from, Request: c.request}
}

// audited does what e says, on record; e's object is a card's token or a
// cardholder's id.
func (s *Service) audited(ctx context.Context, e audit.Entry, do func(*audit.Act) error) error {
	err := s.audit.Do(ctx, e, do)
	if errors.Is(err, audit.ErrUnrecorded) {
		s.metrics.unaudited.Inc()
	}
	return err
}

// lookup is the look-up values of a number. The customer is part of the owner,
// so that equal numbers of two cardholders have values that cannot be linked.
func (s *Service) lookup(ctx context.Context, customer string, number []byte) (vault.Fingerprints, error) {
	f, err := s.vault.Fingerprints(ctx, lookupOwner(customer), number)
	if err != nil {
		return f, fmt.Errorf("look-up value of a number: %w", err)
	}
	return f, nil
}

// lookupOwner is whose look-up values a cardholder's are.
func lookupOwner(customer string) string { return owner + "/" + customer }
