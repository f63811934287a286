package boot

import (
	"context"
	"errors"
	"fmt"

	rules "ccms/internal/registration/settings"

	"ccms/internal/audit"
	"ccms/internal/boot/chassis"
	"ccms/internal/certs"
	"ccms/internal/firm/directory"
	"ccms/internal/guess"
	"ccms/internal/httpserver"
	"ccms/internal/idempotency"
	"ccms/internal/meter"
	"ccms/internal/problem"
	"ccms/internal/registration"
	"ccms/internal/registration/firmcard"
	"ccms/internal/registration/hosted"
	"ccms/internal/registration/link"
	"ccms/internal/registration/record"
	"ccms/internal/registration/report"
	"ccms/internal/registration/verification"
	"ccms/internal/tenant"
	"ccms/internal/vault"
	"ccms/internal/vault/keyring"
	"ccms/internal/webhook"
)

// cardBooks are what cardholders' and firms' cards, both of the card service,
// work with.
type cardBooks struct {
	ring         *keyring.Ring
	vault        *vault.Vault
	audit        *audit.Log
	idempotency  *idempotency.Keys
	guesses      *guess.Memory
	authenticate httpserver.Authenticate
}

// wireRegistrations adds the firms' cards to the card service.
func (p *process) wireRegistrations(ctx context.Context, s *chassis.Service, b cardBooks) error {
	firms := p.directory(s)
	guard := tenant.New(tenant.Config{Authenticate: b.authenticate, Role: roleIn(firms)})
	log := p.Log.Of(chassis.CardService)
	hooks, err := p.openWebhooks(ctx, s, b, webhooksOf{guard, firms})
	if err != nil {
		return err
	}
	cards, err := firmcard.Open(ctx, firmcard.Config{
		DB:            p.DB,
		Vault:         b.vault,
		Audit:         b.audit,
		Require:       guard.Require,
		Announce:      hooks.Announce,
		RevealPerHour: p.Settings.Reveal.PerHour,
		Retention:     p.Settings.CreditCard.DeletedRetention,
		Log:           log,
	})
	if err != nil {
		return err
	}
	pipeline, err := p.openPipeline(ctx, b.ring)
	if err != nil {
		return err
	}
	firmRules, err := rules.Open(ctx, rules.Config{DB: p.DB, Audit: b.audit, Adopt: pipeline.Adopt, Require: guard.Require})
	if err != nil {
		return err
	}
	registrations, err := registration.Open(ctx, registration.Config{
		DB:          p.DB,
		Cards:       cards,
		Pipeline:    pipeline,
		Rules:       firmRules.Rules,
		Audit:       b.audit,
		Idempotency: b.idempotency,
		Sealer:      b.ring,
		Require:     guard.Require,
		Announce:    hooks.Announce,
		Guesses:     b.guesses,
		Log:         log,
	})
	if err != nil {
		return err
	}
	links, err := p.openLinks(ctx, b, linksOf{firms: firms, registrations: registrations, require: guard.Require})
	if err != nil {
		return err
	}
	hooks.Ask("card", cards.Happened)
	hooks.Ask("registration", registrations.Happened)
	cards.Routes(s.Mux)
	registrations.Routes(s.Mux)
	firmRules.Routes(s.Mux)
	links.Routes(s.Mux)
	hosted.New(hosted.Config{Links: links, Registrations: registrations, FirmName: nameOf(firms)}).Routes(s.Mux)
	report.New(report.Config{During: registrations.During, Audit: b.audit, Require: guard.Require, Log: log}).Routes(s.Mux)
	record.New(record.Config{Audit: b.audit, Require: guard.Require}).Routes(s.Mux)
	for _, c := range [][]meter.Collector{cards.Collectors(), registrations.Collectors(), pipeline.Collectors(), links.Collectors()} {
		s.Actuator.Registry().Add(c...)
	}
	s.Work = append(s.Work, cards.Run, registrations.Run, pipeline.Run)
	return nil
}

// linksOf is what links need of the other parts.
type linksOf struct {
	firms         *directory.Directory
	registrations *registration.Service
	require       func(scope string) httpserver.Authenticate
}

func (p *process) openLinks(ctx context.Context, b cardBooks, of linksOf) (*link.Service, error) {
	return link.New(ctx, link.Config{
		DB:      p.DB,
		Audit:   b.audit,
		Require: of.require,
		Client: func(ctx context.Context, id string) (link.Client, error) {
			c, err := of.firms.Client(ctx, id)
			if errors.Is(err, directory.ErrUnknown) {
				return link.Client{}, nil
			}
			return link.Client{FirmID: c.FirmID, Mode: c.Mode, Active: c.Active, ReturnURLs: c.ReturnURLs, Origins: c.Origins}, err
		},
		Registered: func(ctx context.Context, s link.Submission) (bool, error) {
			return of.registrations.Exists(ctx, s.FirmID, s.Mode, s.RegistrationID)
		},
		NewID:     of.registrations.NewID,
		PublicURL: p.Public.String(),
		Log:       p.Log.Of(chassis.CardService),
	})
}

// openPipeline opens what decides over registrations, and calls firms' own
// endpoints.
func (p *process) openPipeline(ctx context.Context, ring *keyring.Ring) (*verification.Pipeline, error) {
	key, err := ring.Secret(ctx, "verification")
	if err != nil {
		return nil, fmt.Errorf("key of firms' signing secrets: %w", err)
	}
	defer key.Wipe()
	roots, err := certs.WithSystem(p.Settings.TLS.CAFile)
	if err != nil {
		return nil, fmt.Errorf("tls.ca-file: %w", err)
	}
	client := webhook.NewClient(webhook.ClientConfig{AllowPrivate: p.Settings.Webhook.AllowPrivate, Roots: roots})
	return verification.New(verification.Config{Client: client, Secret: key})
}

// nameOf tells what people know a firm by.
func nameOf(d *directory.Directory) func(ctx context.Context, firm string) (string, error) {
	return func(ctx context.Context, firm string) (string, error) {
		f, err := d.Firm(ctx, firm)
		if errors.Is(err, directory.ErrUnknown) {
			return "", problem.NoResource()
		}
		return f.Name, err
	}
}

// roleIn tells the role of a person in a firm, "" for none.
func roleIn(d *directory.Directory) func(ctx context.Context, firm, subject string) (string, error) {
	return func(ctx context.Context, firm, subject string) (string, error) {
		role, err := d.Role(ctx, firm, subject)
		if errors.Is(err, directory.ErrUnknown) {
			return "", problem.NoResource()
		}
		return role, err
	}
}
