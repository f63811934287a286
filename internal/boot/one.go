package boot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"

	"ccms/internal/datadir"
	"ccms/internal/identity"
)

// One runs the service name alone, for a deployment of several processes.
// Login and creditcard need a MongoDB, since the embedded store belongs to one
// process, and keys that all instances share (ccms keys init).
func One(ctx context.Context, name string, start Start) (err error) {
	p, err := newProcess(start)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	credential, err := datadir.OpenCredential(p.settings.Internal.CredentialFile)
	if name == "eureka" && errors.Is(err, fs.ErrNotExist) && !p.settings.Given("internal.credential-file") {
		// The contract's registry starts from its four properties alone (E1).
		p.log.Warn("nobody may register under the names of our services, because there is no internal credential: " + sharedKeys)
		err = nil
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, sharedKeys)
	}
	p.prover = identity.NewProver(credential, nil)
	if err := errors.Join(p.wireOne(ctx, name), p.keepPorts()); err != nil {
		return err
	}
	return p.run(ctx, func() error {
		_, err := fmt.Fprintf(start.Out, "%s listens on %s\nready\n", name, p.services[0].server.URL())
		return err
	})
}

// sharedKeys is what to do when a process lacks the keys of all.
const sharedKeys = "make keys once with ccms keys init --out FOLDER, and give them to every process by internal.credential-file and keyring.url"

func (p *process) wireOne(ctx context.Context, name string) error {
	if name == "eureka" {
		_, err := p.addEureka(ctx)
		return err
	}
	p.registry = p.settings.Eureka.URLs.Reveal()
	switch name {
	case "login":
		return p.wireStored(ctx, loginName, p.settings.Login.Addr, p.wireLogin)
	case "creditcard":
		return p.wireStored(ctx, cardName, p.settings.CreditCard.Addr, p.wireCards)
	}
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

// wireStored builds a service that has a store.
func (p *process) wireStored(ctx context.Context, name, addr string, wire func(context.Context, *service) error) error {
	if p.settings.Store.URL.Scheme() == "sqlite" {
		return fmt.Errorf("%s alone needs a MongoDB, because the embedded store belongs to one process: set store.url to mongodb://HOST/CCMS, or run all services with ccms up", strings.TrimSuffix(name, "-service"))
	}
	if err := p.assumePublic(); err != nil {
		return err
	}
	if err := p.openStore(ctx); err != nil {
		return err
	}
	s, err := p.listen(ctx, name, addr)
	if err != nil {
		return err
	}
	s.server.SetPublicURL(p.public)
	return wire(ctx, s)
}

// assumePublic takes the address the portal is set to for public-url. Tokens
// name it, so all processes must agree on it.
func (p *process) assumePublic() error {
	if p.public != nil {
		return nil
	}
	host, port, err := net.SplitHostPort(p.settings.Portal.Addr)
	if ip := net.ParseIP(host); err != nil || port == "0" || host == "" || ip != nil && ip.IsUnspecified() {
		return errors.New("public-url: where people reach the portal is not known here: set it, the same for all processes")
	}
	scheme := "http"
	if p.trust.Server() != nil {
		scheme = "https"
	}
	p.public = &url.URL{Scheme: scheme, Host: p.settings.Portal.Addr}
	return nil
}
