// Package firm owns the firms that register cards, the people who look after
// them and the machines that act for them (decisions B13 and D1): who is a
// member with which role, which clients there are with which scopes, secrets
// and keys, and whether any of it is suspended or revoked.
//
// It issues no token and checks none (package oauth below it, package identity).
// It knows accounts only as Config.Accounts shows them, and cards not at all: the
// card service learns of firms over the routes of internal.go, through package
// directory.
//
// # Where things are
//
//   - document.go: firm, client, invitation as they are stored; access.go: who
//     acts, how he stands to a firm, and that it is on record
//   - firms.go, members.go, clients.go: what is done to each; shape.go: what a
//     client may be
//   - internal.go: what our own services ask; directory: how they ask it
//   - operators: who runs this installation
//   - people: the routes under /api/firms; credential: what clients prove
//     themselves with; site: which pages they may name
//
// # How it holds together
//
// A firm is one document with its members in it, so that one conditional write
// sees to it that an owner stays. A client is one document too, and says nothing
// of whether its firm is suspended: Active reads both, always from the store, so
// that a suspension needs one write and holds at once. The account of a member
// carries a mark, put there before the membership and removed after it: it
// finds a person's firms and makes the lock of his account stricter (decision
// B5), but gives no right.
package firm

import (
	"context"
	"fmt"
	"time"

	"ccms/internal/audit"
	"ccms/internal/firm/operators"
	"ccms/internal/httpserver"
	"ccms/internal/store"
)

// Accounts are people's, in the login service.
type Accounts = operators.Accounts

// Config is what Open needs.
type Config struct {
	DB       store.DB
	Audit    *audit.Log
	Accounts Accounts
	// Authenticate finds out which person sent a request; see Person.
	Authenticate httpserver.Authenticate
	Now          func() time.Time // default time.Now
}

// Service holds all firms and clients.
type Service struct {
	cfg         Config
	firms       *store.Of[Firm]
	clients     *store.Of[Client]
	invitations *store.Of[invitation]
	operators   *operators.Operators
}

// Open opens the collections Firm, Client and Invitation.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Service{cfg: cfg}
	var err error
	if s.firms, err = store.Open[Firm](ctx, cfg.DB, store.Spec{Name: "Firm", Ordered: []string{"createdAt"}}); err != nil {
		return nil, fmt.Errorf("firm: %w", err)
	}
	if s.clients, err = store.Open[Client](ctx, cfg.DB, store.Spec{Name: "Client", Ordered: []string{"firmId", "createdAt"}}); err != nil {
		return nil, fmt.Errorf("firm: %w", err)
	}
	s.invitations, err = store.Open[invitation](ctx, cfg.DB, store.Spec{Name: "Invitation", Ordered: []string{"firm", "key"}, Expires: "expiresAt"})
	if err != nil {
		return nil, fmt.Errorf("firm: %w", err)
	}
	s.operators, err = operators.Open(ctx, operators.Config{DB: cfg.DB, Accounts: cfg.Accounts, Act: s.recorded, Now: cfg.Now})
	return s, err
}

// now has the precision of the store, so that comparisons agree.
func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }
