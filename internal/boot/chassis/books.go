package chassis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ccms/internal/audit"
	"ccms/internal/figures"
	"ccms/internal/identity"
	"ccms/internal/limit"
	"ccms/internal/vault/keyring"
)

// OpenRing opens the keys of a service, wrapped by its root key.
func (p *Process) OpenRing(ctx context.Context, collection, file string) (*keyring.Ring, error) {
	root, err := p.rootKey(p.Dir.File("keys", file))
	if err != nil {
		return nil, err
	}
	alone := p.Settings.Store.URL.Scheme() == "sqlite" // it serves one process
	ring, err := keyring.Open(ctx, keyring.Config{Root: root, DB: p.DB, Collection: collection, Alone: alone})
	if errors.Is(err, keyring.ErrRoot) {
		err = fmt.Errorf("%w: put back the one that was kept with it, as %s or by keyring.url", err, p.Dir.File("keys", file))
	}
	return ring, err
}

// OpenAudit opens the record of a service; it is closed after all work ended.
func (p *Process) OpenAudit(ctx context.Context, s *Service, ring *keyring.Ring, collection string) (*audit.Log, error) {
	cfg, err := p.AuditConfig(ctx, ring, collection)
	if err != nil {
		return nil, err
	}
	cfg.Log = p.Log.Of(s.Name)
	log, err := audit.Open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	s.Closers = append(s.Closers, log.Close)
	s.Actuator.Registry().Add(figures.Books(log, ring))
	return log, nil
}

// The collections of the services' records.
const (
	LoginAudit = "LoginAudit"
	CardAudit  = "CreditCardAudit"
)

// AuditConfig is where the record of a service lies, and its key.
func (p *Process) AuditConfig(ctx context.Context, ring *keyring.Ring, collection string) (audit.Config, error) {
	key, err := ring.Secret(ctx, "audit")
	if err != nil {
		return audit.Config{}, fmt.Errorf("audit key: %w", err)
	}
	return audit.Config{DB: p.DB, Key: key, Collection: collection}, nil
}

// OpenCounters opens the counters of a service.
func (p *Process) OpenCounters(ctx context.Context, ring *keyring.Ring) (*limit.Counters, error) {
	key, err := ring.Secret(ctx, "limit")
	if err != nil {
		return nil, fmt.Errorf("counter key: %w", err)
	}
	return limit.Open(ctx, limit.Config{DB: p.DB, Key: key})
}

// KeyRing names where a service keeps its record and its keys.
type KeyRing struct{ Service, Collection, Keys, File string }

// KeyRings are those of the services that have keys.
func KeyRings() []KeyRing {
	return []KeyRing{
		{LoginService, LoginAudit, "LoginKey", "login.key"},
		{CardService, CardAudit, "CreditCardKey", "creditcard.key"},
	}
}

// Holds reports whether the keys of a service are those of this process.
// Opening its books with any other would make a key under the wrong root.
func (p *Process) Holds(service, file string) bool {
	for _, s := range p.Services {
		if s.Name == service {
			return true
		}
	}
	if len(p.Services) > 0 {
		return false
	}
	named := !p.Settings.Keyring.URL.IsZero()
	if p.Settings.Store.URL.Scheme() == "sqlite" { // all services share it: a key that is missing is told, not passed over
		return named || p.Dir.Occupied()
	}
	return !named && p.Dir.Has("keys", file)
}

// minTokenLife is the life of firms' tokens, which no setting shortens.
const minTokenLife = 10 * time.Minute

// SigningKeys opens the keys that sign tokens.
func (p *Process) SigningKeys(ctx context.Context, ring *keyring.Ring) (*identity.Keys, error) {
	cfg := p.Settings.Login
	k := identity.KeysConfig{DB: p.DB, Sealer: ring, Algorithm: cfg.JWTAlgorithm, TokenLife: max(cfg.TokenTTL, minTokenLife)}
	if cfg.JWTAlgorithm == identity.HS256 {
		key, err := ReadSecret(cfg.JWTSecretFile)
		if err != nil {
			return nil, err
		}
		k.Secret = key
	}
	return identity.OpenKeys(ctx, k)
}
