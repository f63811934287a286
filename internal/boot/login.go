package boot

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"ccms/internal/audit"
	"ccms/internal/boot/chassis"
	"ccms/internal/figures"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/limit"
	"ccms/internal/login"
	"ccms/internal/outbox"
	"ccms/internal/trust"
	"ccms/internal/vault/keyring"
)

// audience is the aud of our tokens (decision B11).
const audience = "ccms"

// wireLogin fills the login service: keys, tokens, counters, record, queue,
// mail, and the accounts above them. Every URL is known by then.
func (p *process) wireLogin(ctx context.Context, s *chassis.Service) error {
	if err := p.Connect(s, chassis.CardService); err != nil {
		return err
	}
	ring, err := p.openRing(ctx, "LoginKey", "login.key")
	if err != nil {
		return err
	}
	keys, err := p.signingKeys(ctx, ring)
	if err != nil {
		return err
	}
	log, err := p.openAudit(ctx, s, ring, loginAudit)
	if err != nil {
		return err
	}
	counters, err := openCounters(ctx, p, ring)
	if err != nil {
		return err
	}
	sender, err := p.openMail()
	if err != nil {
		return fmt.Errorf("login: %w", err)
	}
	s.Closers = append(s.Closers, func(context.Context) error { return sender.Close() })

	var accounts *login.Service
	queue, err := outbox.Open(ctx, outbox.Config{
		DB:         p.DB,
		Collection: mailQueue,
		Sealer:     ring,
		Handlers: map[string]outbox.Handler{
			login.KindMail:  func(ctx context.Context, m outbox.Message) error { return accounts.Deliver(ctx, m) },
			login.KindErase: func(ctx context.Context, m outbox.Message) error { return accounts.Erase(ctx, m) },
		},
		Origin:  httpserver.Origin,
		Resume:  httpserver.Resume,
		Retries: map[string]outbox.Retry{login.KindErase: {MaxAge: outbox.Forever}},
		Log:     p.Log.Of(chassis.LoginService),
	})
	if err != nil {
		return fmt.Errorf("login: %w", err)
	}
	issuer := p.Public.String()
	cfg := p.Settings.Login
	accounts, err = login.Open(ctx, login.Config{
		DB:             p.DB,
		Keys:           keys,
		Issuer:         identity.NewIssuer(identity.IssuerConfig{Keys: keys, Issuer: issuer, Audience: audience}),
		Verifier:       identity.NewVerifier(identity.VerifierConfig{Issuer: issuer, Audience: audience, Lookup: keys.Lookup, Algorithms: algorithms(cfg.JWTAlgorithm)}),
		Counters:       counters,
		Audit:          log,
		Outbox:         queue,
		Mail:           sender,
		Cards:          remoteCards{trust.Peer{Name: chassis.CardService, Client: &http.Client{Transport: p.Reach(s)}}},
		PublicURL:      p.Public,
		Metrics:        s.Actuator.Registry(),
		TokenTTL:       cfg.TokenTTL,
		SessionIdle:    cfg.SessionIdle,
		LockAfter:      cfg.LockAfter,
		LockWindow:     cfg.LockWindow,
		LockFor:        cfg.LockFor,
		VerifyTTL:      cfg.VerifyTTL,
		ResetTTL:       cfg.ResetTTL,
		ResendAfter:    cfg.ResendAfter,
		PasswordMaxAge: cfg.PasswordMaxAge,
		BcryptCost:     cfg.BcryptCost,
		Hardened:       cfg.Enumeration == "hardened",
		RatePerAddress: cfg.RatePerAddress,
		RatePerNetwork: cfg.RatePerNetwork,
		Log:            p.Log.Of(chassis.LoginService),
	})
	if err != nil {
		return err
	}
	accounts.Routes(s.Mux)
	s.Work = append(s.Work, queue.Run, accounts.Run)
	s.Actuator.Registry().MustRegister(figures.Queue(queue, "login")...)
	p.WatchStore(s)
	return nil
}

// openRing opens the keys of a service, wrapped by its root key.
func (p *process) openRing(ctx context.Context, collection, file string) (*keyring.Ring, error) {
	root, err := rootKey(p.Settings.Keyring.URL.Reveal(), p.Dir.File("keys", file))
	if err != nil {
		return nil, err
	}
	return keyring.Open(ctx, keyring.Config{Root: root, DB: p.DB, Collection: collection})
}

// openAudit opens the record of a service; it is closed after all work ended.
func (p *process) openAudit(ctx context.Context, s *chassis.Service, ring *keyring.Ring, collection string) (*audit.Log, error) {
	cfg, err := p.auditConfig(ctx, ring, collection)
	if err != nil {
		return nil, err
	}
	log, err := audit.Open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	s.Closers = append(s.Closers, log.Close)
	return log, nil
}

// The collections of the services' records.
const (
	loginAudit = "LoginAudit"
	cardAudit  = "CreditCardAudit"
)

func (p *process) auditConfig(ctx context.Context, ring *keyring.Ring, collection string) (audit.Config, error) {
	key, err := ring.Secret(ctx, "audit")
	if err != nil {
		return audit.Config{}, fmt.Errorf("audit key: %w", err)
	}
	return audit.Config{DB: p.DB, Key: key, Collection: collection}, nil
}

func openCounters(ctx context.Context, p *process, ring *keyring.Ring) (*limit.Counters, error) {
	key, err := ring.Secret(ctx, "limit")
	if err != nil {
		return nil, fmt.Errorf("counter key: %w", err)
	}
	return limit.Open(ctx, limit.Config{DB: p.DB, Key: key})
}

// minTokenLife is the life of firms' tokens, which no setting shortens.
const minTokenLife = 10 * time.Minute

// algorithms are those a token of ours may have: while a new algorithm takes
// over, tokens of the old one go on; HS256 shares no verifier with others.
func algorithms(configured string) []string {
	if configured == identity.HS256 {
		return []string{identity.HS256}
	}
	return []string{identity.ES256, identity.RS256}
}

func (p *process) signingKeys(ctx context.Context, ring *keyring.Ring) (*identity.Keys, error) {
	cfg := p.Settings.Login
	k := identity.KeysConfig{DB: p.DB, Sealer: ring, Algorithm: cfg.JWTAlgorithm, TokenLife: max(cfg.TokenTTL, minTokenLife)}
	if cfg.JWTAlgorithm == identity.HS256 {
		key, err := readSecret(cfg.JWTSecretFile)
		if err != nil {
			return nil, err
		}
		k.Secret = key
	}
	return identity.OpenKeys(ctx, k)
}

// remoteCards asks the card service on behalf of an account.
type remoteCards struct{ trust.Peer }

var _ login.Cards = remoteCards{}

// Erase implements login.Cards.
func (c remoteCards) Erase(ctx context.Context, customer string) error {
	return c.Call(ctx, http.MethodPost, "/internal/cardholders/"+url.PathEscape(customer)+"/erase", nil)
}

// Export implements login.Cards.
func (c remoteCards) Export(ctx context.Context, customer string) (any, error) {
	var cards any
	err := c.Call(ctx, http.MethodGet, "/internal/cardholders/"+url.PathEscape(customer)+"/cards", &cards)
	return cards, err
}
