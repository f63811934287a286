package boot

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
	"ccms/internal/boot/chassis"
	"ccms/internal/firm"
	"ccms/internal/firm/directory"
	"ccms/internal/firm/oauth"
	"ccms/internal/firm/people"
	"ccms/internal/httpserver"
	"ccms/internal/login/roles"
	"ccms/internal/trust"
)

// firmsOf is what firms need beside the settings.
type firmsOf struct {
	books
	authenticate httpserver.Authenticate // people
}

// wireFirms adds the firms to the login service: who they are, and the tokens
// of their clients.
func (p *process) wireFirms(ctx context.Context, s *chassis.Service, of firmsOf) (*oauth.Service, error) {
	firms, err := p.openFirms(ctx, of)
	if err != nil {
		return nil, err
	}
	tokens, err := oauth.Open(ctx, oauth.Config{
		DB:        p.DB,
		Clients:   firms,
		Issuer:    of.issuer,
		Verifier:  of.verifier,
		Audit:     of.audit,
		Counters:  of.counters,
		PublicURL: p.Public,
		Audience:  audience,
		Log:       p.Log.Of(chassis.LoginService),
	})
	if err != nil {
		return nil, err
	}
	p.firms = firms
	if p.demo {
		if err := p.makeDemo(ctx, firms); err != nil {
			return nil, err
		}
	}
	keys, err := openIdempotency(ctx, p, of.ring)
	if err != nil {
		return nil, err
	}
	firms.Routes(s.Mux)
	people.New(people.Config{Firms: firms, Idempotency: keys}).Routes(s.Mux)
	tokens.Routes(s.Mux)
	return tokens, nil
}

// makeDemo leaves a firm with a test client in the folder, unless there is a
// firm (interface.md, Commands).
func (p *process) makeDemo(ctx context.Context, firms *firm.Service) error {
	demo, made, err := firms.Demo(ctx)
	if err != nil || !made {
		return err
	}
	content, err := json.Marshal(demo)
	if err != nil {
		return fmt.Errorf("encode the demo firm: %w", err)
	}
	defer clear(content)
	return p.Dir.WriteDemo(content)
}

// firmsForCommands are the running service's firms. Where none runs they are
// opened, with a chain of their own in the record.
func (p *process) firmsForCommands(ctx context.Context) (*firm.Service, error) {
	if p.firms != nil {
		return p.firms, nil
	}
	if !p.Holds(chassis.LoginService, "login.key") {
		return nil, errors.New("firms are the login service's: name its data folder with --data")
	}
	ring, err := p.OpenRing(ctx, "LoginKey", "login.key")
	if err != nil {
		return nil, err
	}
	cfg, err := p.AuditConfig(ctx, ring, chassis.LoginAudit)
	if err != nil {
		return nil, err
	}
	log, err := audit.Open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	p.audits = append(p.audits, log)
	return p.openFirms(ctx, firmsOf{books: books{audit: log}})
}

func (p *process) openFirms(ctx context.Context, of firmsOf) (*firm.Service, error) {
	accounts, err := roles.Open(ctx, p.DB)
	if err != nil {
		return nil, fmt.Errorf("firms: %w", err)
	}
	return firm.Open(ctx, firm.Config{
		DB: p.DB, Audit: of.audit, Accounts: accounts, Authenticate: of.authenticate, Log: p.Log.Of(chassis.LoginService),
	})
}

// directory is how the card service learns of firms.
func (p *process) directory(s *chassis.Service) *directory.Directory {
	login := trust.Peer{Name: chassis.LoginService, Client: &http.Client{Transport: p.Reach(s)}}
	return directory.New(directory.Config{Call: login.Call})
}
