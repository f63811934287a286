package oauth

import (
	"context"
	"errors"
	"slices"
	"time"

	"ccms/internal/firm"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/store"
)

// Check returns the principal of a client's verified token as it is now: the
// scopes are those of the token that the client still has (decision C1). It is
// problem.NoToken when the token was revoked, is no client's, or its client is
// no longer active; or a failure of the store. Everything is read live.
func (s *Service) Check(ctx context.Context, p identity.Principal) (identity.Principal, error) {
	return s.check(ctx, p, s.cfg.Clients.Active)
}

func (s *Service) check(ctx context.Context, p identity.Principal, look find) (identity.Principal, error) {
	if p.ClientID == "" || p.ClientID != p.Subject {
		return identity.Principal{}, problem.NoToken()
	}
	c, err := look(ctx, p.ClientID)
	if errors.Is(err, firm.ErrInactive) {
		return identity.Principal{}, problem.NoToken()
	}
	if err != nil {
		return identity.Principal{}, err
	}
	if c.FirmID != p.FirmID || c.Mode != p.Mode {
		return identity.Principal{}, problem.NoToken()
	}
	_, err = s.revoked.Get(ctx, digest(p.TokenID))
	if err == nil {
		return identity.Principal{}, problem.NoToken()
	}
	if !errors.Is(err, store.ErrNotFound) {
		return identity.Principal{}, err
	}
	p.Scope = slices.DeleteFunc(slices.Clone(p.Scope), func(scope string) bool { return !slices.Contains(c.Scopes, scope) })
	return p, nil
}

// Introspection remembers a client for this long, and a token that counts for
// this long more, so that a revocation or suspension shows within 0.8 s (decision
// D1 allows one). Only what is good is remembered.
const (
	remembered = 400 * time.Millisecond
	tokenSize  = 8192 // of one of two generations
	clientSize = 1024
)

// memory is what need not be asked again each time.
type memory struct {
	tokens  *identity.Memory[identity.Principal] // by digest of the token
	clients *identity.Memory[firm.Client]        // by digest of the id
	stamped *identity.Memory[struct{}]           // clients whose use was noted, the same
}

func newMemory() *memory {
	return &memory{
		identity.NewMemory[identity.Principal](tokenSize),
		identity.NewMemory[firm.Client](clientSize),
		identity.NewMemory[struct{}](clientSize),
	}
}

// client is Clients.Active, remembered.
func (s *Service) client(ctx context.Context, id string) (firm.Client, error) {
	now, d := s.cfg.Now(), identity.DigestOf(id)
	if c, ok := s.recent.clients.Get(d, now); ok {
		return c, nil
	}
	c, err := s.cfg.Clients.Active(ctx, id)
	if err == nil {
		s.recent.clients.Put(d, c, now.Add(remembered))
	}
	return c, err
}

// standing is whose a token is if it counts, remembered.
func (s *Service) standing(ctx context.Context, token string) (identity.Principal, error) {
	now, d := s.cfg.Now(), identity.DigestOf(token)
	if p, ok := s.recent.tokens.Get(d, now); ok {
		return p, nil
	}
	p, err := s.cfg.Verifier.Verify(ctx, token)
	if err != nil {
		return identity.Principal{}, err
	}
	if p, err = s.check(ctx, p, s.client); err != nil {
		return identity.Principal{}, err
	}
	until := now.Add(remembered)
	if p.Expires.Before(until) {
		until = p.Expires
	}
	s.recent.tokens.Put(d, p, until)
	return p, nil
}

// forget makes sure that this instance, at least, knows at once.
func (s *Service) forget(token string) {
	s.recent.tokens.Put(identity.DigestOf(token), identity.Principal{}, time.Time{})
}
