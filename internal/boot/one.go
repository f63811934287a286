package boot

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"ccms/internal/identity"
)

// One runs the service name alone, for a deployment of several processes:
// "eureka" or "portal", which need no store.
func One(ctx context.Context, name string, start Start) (err error) {
	p, err := newProcess(start)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	credential, err := openCredential(p.settings.Internal.CredentialFile)
	if err != nil {
		return err
	}
	p.prover = identity.NewProver(credential, nil)
	if err := p.wireOne(ctx, name); err != nil {
		return err
	}
	return p.run(ctx, func() error {
		_, err := fmt.Fprintf(start.Out, "%s listens on %s\nready\n", name, p.services[0].server.URL())
		return err
	})
}

func (p *process) wireOne(ctx context.Context, name string) error {
	if name == "eureka" {
		_, err := p.addEureka(ctx)
		return err
	}
	p.registry = p.settings.Eureka.URLs.Reveal()
	s, err := p.listen(ctx, portalName, p.settings.Portal.Addr)
	if err != nil {
		return err
	}
	if p.public == nil {
		if p.public, err = url.Parse(s.server.URL()); err != nil {
			return fmt.Errorf("public url: %w", err)
		}
	}
	s.server.SetPublicURL(p.public)
	return p.wirePortal(s)
}
