package boot

import (
	"context"
	"errors"
	"fmt"

	"ccms/internal/boot/chassis"
	"ccms/internal/certs"
	"ccms/internal/firm/directory"
	"ccms/internal/tenant"
	"ccms/internal/webhook"
	"ccms/internal/webhook/delivery"
	"ccms/internal/webhook/endpoint"
)

// webhooksOf is whom webhooks ask: who may do what, and about firms.
type webhooksOf struct {
	guard *tenant.Guard
	firms *directory.Directory
}

// openWebhooks adds the webhooks of firms to the card service. Those who
// announce events are opened after it.
func (p *process) openWebhooks(ctx context.Context, s *chassis.Service, b cardBooks, of webhooksOf) (*delivery.Service, error) {
	roots, err := certs.WithSystem(p.Settings.TLS.CAFile)
	if err != nil {
		return nil, fmt.Errorf("tls.ca-file: %w", err)
	}
	log := p.Log.Of(chassis.CardService)
	client := webhook.NewClient(webhook.ClientConfig{AllowPrivate: p.Settings.Webhook.AllowPrivate, Roots: roots, StatusOnly: true})
	endpoints, err := endpoint.Open(ctx, endpoint.Config{
		DB: p.DB, Audit: b.audit, Sealer: b.ring, ParseURL: client.ParseURL, Require: of.guard.Require, Log: log,
		Tell: func(ctx context.Context, n endpoint.Notice) error {
			err := of.firms.TellDisabled(ctx, directory.Disabled{FirmID: n.FirmID, Endpoint: n.ID, Mode: n.Mode, Host: n.Host, Reason: n.Reason, At: n.At})
			if errors.Is(err, directory.ErrUnknown) {
				return nil // there is nobody to tell
			}
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	hooks, err := delivery.Open(ctx, delivery.Config{
		DB: p.DB, Endpoints: endpoints, Client: client, Audit: b.audit, Require: of.guard.Require, Suspended: suspendedIn(of.firms), Log: log,
	})
	if err != nil {
		return nil, err
	}
	endpoints.Routes(s.Mux)
	hooks.Routes(s.Mux)
	s.Actuator.Registry().Add(append(endpoints.Collectors(), hooks.Collectors()...)...)
	s.Work = append(s.Work, hooks.Run, endpoints.Run)
	s.Closers = append(s.Closers, func(context.Context) error { client.Close(); return nil })
	return hooks, nil
}

// suspendedIn tells whether a firm is suspended. One that is unknown is no better.
func suspendedIn(d *directory.Directory) func(ctx context.Context, firm string) (bool, error) {
	return func(ctx context.Context, firm string) (bool, error) {
		f, err := d.Firm(ctx, firm)
		if errors.Is(err, directory.ErrUnknown) {
			return true, nil
		}
		return f.Suspended, err
	}
}
