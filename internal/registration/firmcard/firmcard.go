// Package firmcard owns the cards of firms: the token that stands for a number,
// the sealed number and name behind it, and what may become of a card, from the
// first registration to the erasure (decisions C12, D6, D8).
//
// Whether a card may be registered is decided before, by package registration
// and its verification. Who asks is told by the functions handed in as Require,
// keys belong to package vault, the record of every act to package audit, and
// how much a client may reveal to package limit.
package firmcard

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/limit"
	"ccms/internal/listing"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/vault"
	"ccms/internal/webhook"
)

// The defaults of Config.
const (
	defaultRetention = 2160 * time.Hour
	defaultReveals   = 100
)

// Vault is what this package needs of package vault.
type Vault interface {
	Seal(ctx context.Context, at vault.Place, plaintext []byte) (string, error)
	Open(ctx context.Context, at vault.Place, sealed string) (secret.Bytes, error)
	Fingerprints(ctx context.Context, owner string, number []byte) (vault.Fingerprints, error)
}

// Quota is the collection in which reveals are counted.
const Quota = "RevealQuota"

// Config is what Open needs.
type Config struct {
	DB    store.DB
	Vault Vault
	Audit *audit.Log
	// Require makes the check of a route: who sent a request, and that he holds
	// the scope. The principal names the firm.
	Require func(scope string) httpserver.Authenticate
	// Announce makes durable of what a firm is told; default nobody is told.
	Announce webhook.Announce
	// RevealPerHour is how many numbers a client may see in an hour; default
	// 100 (setting reveal.per-hour).
	RevealPerHour int
	// Retention is how long the tombstone of a deleted card stays; default
	// 2160 h (setting creditcard.deleted-retention).
	Retention time.Duration
	// Log is told of failures nobody else hears of; default slog.Default().
	Log *slog.Logger
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Service is the cards of all firms; safe for concurrent use.
type Service struct {
	cards     *store.Of[document]
	vault     Vault
	audit     *audit.Log
	require   func(scope string) httpserver.Authenticate
	announce  webhook.Announce
	reveals   *limit.Quota
	retention time.Duration
	log       *slog.Logger
	now       func() time.Time
	metrics   metrics
}

// Open opens the collection Card in c.DB.
func Open(ctx context.Context, c Config) (*Service, error) {
	cards, err := store.Open[document](ctx, c.DB, store.Spec{
		Name: "Card", Unique: []string{fieldLookup, fieldLookupEven}, Ordered: []string{"card.listed"}, Sparse: []string{"deletedAt"},
	})
	if err != nil {
		return nil, err
	}
	if c.RevealPerHour == 0 {
		c.RevealPerHour = defaultReveals
	}
	if c.Retention == 0 {
		c.Retention = defaultRetention
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	reveals, err := limit.OpenQuota(ctx, limit.QuotaConfig{DB: c.DB, Collection: Quota, Max: c.RevealPerHour, Now: c.Now})
	if err != nil {
		return nil, err
	}
	return &Service{
		cards: cards, vault: c.Vault, audit: c.Audit, require: c.Require, announce: c.Announce, reveals: reveals,
		retention: c.Retention, log: c.Log, now: c.Now, metrics: newMetrics(),
	}, nil
}

// Routes registers the firms' routes for cards (decision D6).
func (s *Service) Routes(mux *httpserver.Mux) {
	route := func(pattern, scope string, h httpserver.Handler) {
		mux.Handle(pattern, httpserver.As(s.require(scope), h))
	}
	route("GET /v1/cards", identity.ScopeRead, httpserver.JSON(s.handleList))
	route("GET /v1/cards/{token}", identity.ScopeRead, httpserver.JSON(s.handleGet))
	route("PATCH /v1/cards/{token}", identity.ScopeManage, httpserver.JSON(s.handlePatch))
	route("DELETE /v1/cards/{token}", identity.ScopeManage, httpserver.JSON(s.handleDelete))
	mux.Handle("POST /v1/cards/{token}/reveal", httpserver.As(s.machine(s.require(identity.ScopeReveal)), httpserver.JSON(s.handleReveal)))
}

// machine lets only firms' clients pass: people never see a number (decisions
// B13 and D6).
func (s *Service) machine(next httpserver.Authenticate) httpserver.Authenticate {
	return func(r *http.Request) (identity.Principal, error) {
		p, err := next(r)
		if err == nil && p.ClientID == "" {
			err = problem.Denied("Numbers are shown to a firm's clients with the scope cards:reveal, never to people.")
		}
		return p, err
	}
}

// caller is who acts, and from where, as the audit record has it.
type caller struct {
	firm    string
	mode    string // test or live; "" is a member who reads both
	client  string // "" for a person
	actor   string
	from    string
	request string
}

func callerOf(r *http.Request) caller {
	p := identity.FromContext(r.Context())
	who := caller{
		firm: p.FirmID, mode: p.Mode, client: p.ClientID, actor: p.ClientID,
		from: httpserver.Client(r).String(), request: httpserver.RequestID(r.Context()),
	}
	if who.actor == "" {
		who.actor = p.Subject
	}
	return who
}

func (c caller) entry(act, token string) audit.Entry {
	return audit.Entry{Act: act, Actor: c.actor, Object: token, Owner: c.firm, From: c.from, Request: c.request}
}

// sees reports whether a card is the caller's: of his firm, in his mode.
func (c caller) sees(d document) bool {
	return c.firm != "" && d.Firm == c.firm && (c.mode == "" || d.Mode == c.mode)
}

// audited does what e says, on record.
func (s *Service) audited(ctx context.Context, e audit.Entry, do func(*audit.Act) error) error {
	err := s.audit.Do(ctx, e, do)
	if errors.Is(err, audit.ErrUnrecorded) {
		s.metrics.unaudited.Inc()
	}
	return err
}

// listed is a card's place in its firm's list.
func listed(firm string, at time.Time, token string) string { return listing.Key(firm, at, token) }
