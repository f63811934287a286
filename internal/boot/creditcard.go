package boot

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"ccms/internal/bearer"
	"ccms/internal/boot/chassis"
	"ccms/internal/creditcard"
	"ccms/internal/figures"
	"ccms/internal/guess"
	"ccms/internal/idempotency"
	"ccms/internal/operator"
	"ccms/internal/rotation"
	"ccms/internal/vault"
	"ccms/internal/vault/keyring"
)

// wireCards fills the card service: its keys and vault, its record, the check
// of tokens, and above them the cards of people and of firms.
func (p *process) wireCards(ctx context.Context, s *chassis.Service) error {
	if err := p.Connect(s, chassis.LoginService); err != nil {
		return err
	}
	ring, err := p.OpenRing(ctx, "CreditCardKey", "creditcard.key")
	if err != nil {
		return err
	}
	log, err := p.OpenAudit(ctx, s, ring, chassis.CardAudit)
	if err != nil {
		return err
	}
	keys, err := openIdempotency(ctx, p, ring)
	if err != nil {
		return err
	}
	checker := p.checker(s)
	b := cardBooks{
		ring: ring, vault: vault.New(vault.Config{Keys: ring}), audit: log, idempotency: keys,
		guesses: guess.New(guess.Config{}), authenticate: checker.Authenticate,
	}
	sealed, err := p.Sealed(ctx)
	if err != nil {
		return err
	}
	p.lookAfter(s, operatorDesk{
		prefix: "/v1/operator", books: chassis.CardAudit, operator: operator.Only(checker.Authenticate, p.directory(s).Operator),
		keys: rotation.Config{Ring: ring, Audit: log, Vault: b.vault, Books: sealed},
	})
	s.Actuator.Registry().Add(append(checker.Collectors(), figures.Breaker(checker.Breaker()))...)
	p.WatchStore(s)
	return errors.Join(p.wireCardholders(ctx, s, b), p.wireRegistrations(ctx, s, b))
}

// keep looks after the keys of a running service, with the ring it seals under:
// what is rotated there counts at once.
func (p *process) keep(s *chassis.Service, c rotation.Config) *rotation.Keeper {
	c.Service = s.Name
	k := rotation.New(c)
	p.Keepers = append(p.Keepers, k)
	p.WatchKeys(s, c.Ring)
	s.Work = append(s.Work, k.Run)
	return k
}

// wireCardholders adds the cards of people.
func (p *process) wireCardholders(ctx context.Context, s *chassis.Service, b cardBooks) error {
	cards, err := creditcard.Open(ctx, creditcard.Config{
		DB:           p.DB,
		Vault:        b.vault,
		Audit:        b.audit,
		Idempotency:  b.idempotency,
		Authenticate: b.authenticate,
		Guesses:      b.guesses,
		Retention:    p.Settings.CreditCard.DeletedRetention,
		Log:          p.Log.Of(chassis.CardService),
	})
	if err != nil {
		return err
	}
	cards.Routes(s.Mux)
	s.Actuator.Registry().Add(cards.Collectors()...)
	s.Work = append(s.Work, cards.Run)
	return nil
}

func openIdempotency(ctx context.Context, p *process, ring *keyring.Ring) (*idempotency.Keys, error) {
	key, err := ring.Secret(ctx, "idempotency")
	if err != nil {
		return nil, fmt.Errorf("idempotency key: %w", err)
	}
	return idempotency.Open(ctx, idempotency.Config{DB: p.DB, Key: key, Sealer: ring})
}

// checker authenticates requests away from the login service (decision C1).
func (p *process) checker(s *chassis.Service) *bearer.Checker {
	cfg := p.Settings.CreditCard
	c := bearer.New(bearer.Config{
		Issuer:   p.Public.String(),
		Audience: audience,
		Client:   &http.Client{Transport: p.Reach(s)},
		LoginURL: "http://" + chassis.LoginService,
		Timeout:  cfg.LoginTimeout,
		Breaker: bearer.BreakerConfig{
			FailureRate: cfg.Breaker.FailureRateThreshold,
			Window:      cfg.Breaker.SlidingWindowSize,
			Wait:        cfg.Breaker.WaitDurationInOpenState,
		},
		Log: p.Log.Of(s.Name),
	})
	s.Authenticate = c.Authenticate
	s.Closers = append(s.Closers, func(context.Context) error { c.Close(); return nil })
	return c
}
