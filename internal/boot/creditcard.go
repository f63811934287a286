package boot

import (
	"context"
	"fmt"
	"net/http"

	"ccms/internal/bearer"
	"ccms/internal/creditcard"
	"ccms/internal/figures"
	"ccms/internal/idempotency"
	"ccms/internal/vault"
	"ccms/internal/vault/keyring"
)

// wireCards fills the card service: its keys and vault, its record, the check
// of tokens, and the cards above them.
func (p *process) wireCards(ctx context.Context, s *service) error {
	if err := p.connect(s, loginName); err != nil {
		return err
	}
	ring, err := p.openRing(ctx, "CreditCardKey", "creditcard.key")
	if err != nil {
		return err
	}
	log, err := p.openAudit(ctx, s, ring, cardAudit)
	if err != nil {
		return err
	}
	keys, err := openIdempotency(ctx, p, ring)
	if err != nil {
		return err
	}
	checker := p.checker(s)
	s.closers = append(s.closers, func(context.Context) error { checker.Close(); return nil })
	cards, err := creditcard.Open(ctx, creditcard.Config{
		DB:           p.db,
		Vault:        vault.New(vault.Config{Keys: ring}),
		Audit:        log,
		Idempotency:  keys,
		Authenticate: checker.Authenticate,
		Retention:    p.settings.CreditCard.DeletedRetention,
		Log:          p.log.Of(cardName),
	})
	if err != nil {
		return err
	}
	cards.Routes(s.mux)
	s.actuator.Registry().MustRegister(cards.Collectors()...)
	s.actuator.Registry().MustRegister(figures.Breaker(checker.Breaker())...)
	p.watchStore(s)
	s.work = append(s.work, cards.Run)
	return nil
}

func openIdempotency(ctx context.Context, p *process, ring *keyring.Ring) (*idempotency.Keys, error) {
	key, err := ring.Secret(ctx, "idempotency")
	if err != nil {
		return nil, fmt.Errorf("idempotency key: %w", err)
	}
	return idempotency.Open(ctx, idempotency.Config{DB: p.db, Key: key, Sealer: ring})
}

// checker authenticates requests away from the login service (decision C1).
func (p *process) checker(s *service) *bearer.Checker {
	cfg := p.settings.CreditCard
	return bearer.New(bearer.Config{
		Issuer:   p.public.String(),
		Audience: audience,
		Client:   &http.Client{Transport: p.reach(s)},
		LoginURL: "http://" + loginName,
		Timeout:  cfg.LoginTimeout,
		Breaker: bearer.BreakerConfig{
			FailureRate: cfg.Breaker.FailureRateThreshold,
			Window:      cfg.Breaker.SlidingWindowSize,
			Wait:        cfg.Breaker.WaitDurationInOpenState,
		},
		Log: p.log.Of(s.name),
	})
}
