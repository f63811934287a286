package boot

import (
	"context"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"

	"ccms/internal/boot/chassis"
	"ccms/internal/firm"
	"ccms/internal/firm/directory"
	"ccms/internal/firm/oauth"
	"ccms/internal/firm/people"
	"ccms/internal/httpserver"
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
	firms, err := p.OpenFirms(ctx, of.audit, of.authenticate)
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
	p.Firms = firms
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

// directory is how the card service learns of firms.
func (p *process) directory(s *chassis.Service) *directory.Directory {
	login := trust.Peer{Name: chassis.LoginService, Client: &http.Client{Transport: p.Reach(s)}}
	return directory.New(directory.Config{Call: login.Call})
}
