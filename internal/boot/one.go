package boot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"

	"ccms/internal/boot/chassis"
	"ccms/internal/datadir"
	"ccms/internal/eureka"
)

// One runs the service name alone, for a deployment of several processes.
// Login and creditcard need a MongoDB, since the embedded store belongs to one
// process, and keys that all instances share (ccms keys init).
func One(ctx context.Context, name string, start Start) (err error) {
	p, err := open(start)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	credential, err := datadir.OpenCredential(p.Settings.Internal.CredentialFile)
	if name == "eureka" && errors.Is(err, fs.ErrNotExist) && !p.Settings.Given("internal.credential-file") {
		// The contract's registry starts from its four properties alone (E1).
		p.Log.Warn("nobody may register under the names of our services, because there is no internal credential: " + chassis.SharedKeys)
		err = nil
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, chassis.SharedKeys)
	}
	if err := p.believe(credential); err != nil {
		return err
	}
	if err := errors.Join(p.wireOne(ctx, name), p.KeepPorts()); err != nil {
		return err
	}
	return p.run(ctx, func() error {
		run := datadir.RunningAlone(name, p.Services[0].Server.URL())
		run.CA, run.Certificate = p.Settings.TLS.CAFile, p.Settings.TLS.CertFile
		if err := p.Dir.WriteRunning(run); err != nil {
			return err
		}
		_, err := fmt.Fprintf(start.Out, "%s listens on %s\nready\n", name, p.Services[0].Server.URL())
		return err
	})
}

func (p *process) wireOne(ctx context.Context, name string) error {
	if name == "eureka" {
		s, err := p.Listen(ctx, eureka.Audience, p.Settings.Eureka.Addr)
		if err != nil {
			return err
		}
		return p.wireEureka(s)
	}
	p.Registry = p.Settings.Eureka.URLs.Reveal()
	switch name {
	case "login":
		return p.wireStored(ctx, chassis.LoginService, p.Settings.Login.Addr, p.wireLogin)
	case "creditcard":
		return p.wireStored(ctx, chassis.CardService, p.Settings.CreditCard.Addr, p.wireCards)
	}
	s, err := p.Listen(ctx, chassis.Portal, p.Settings.Portal.Addr)
	if err != nil {
		return err
	}
	if p.Public == nil {
		if p.Public, err = url.Parse(s.Server.URL()); err != nil {
			return fmt.Errorf("public url: %w", err)
		}
	}
	s.Server.SetPublicURL(p.Public)
	return p.wirePortal(s)
}

// wireStored builds a service that has a store.
func (p *process) wireStored(ctx context.Context, name, addr string, wire func(context.Context, *chassis.Service) error) error {
	if p.Settings.Store.URL.Scheme() == "sqlite" {
		return fmt.Errorf("%s alone needs a MongoDB, because the embedded store belongs to one process: set store.url to mongodb://HOST/CCMS, or run all services with ccms up", strings.TrimSuffix(name, "-service"))
	}
	if err := p.assumePublic(); err != nil {
		return err
	}
	if err := p.OpenStore(ctx); err != nil {
		return err
	}
	s, err := p.Listen(ctx, name, addr)
	if err != nil {
		return err
	}
	s.Server.SetPublicURL(p.Public)
	return wire(ctx, s)
}

// assumePublic takes the address the portal is set to for public-url. Tokens
// name it, so all processes must agree on it.
func (p *process) assumePublic() error {
	if p.Public != nil {
		return nil
	}
	host, port, err := net.SplitHostPort(p.Settings.Portal.Addr)
	if ip := net.ParseIP(host); err != nil || port == "0" || host == "" || ip != nil && ip.IsUnspecified() {
		return errors.New("public-url: where people reach the portal is not known here: set it, the same for all processes")
	}
	scheme := "http"
	if p.Trust.Server() != nil {
		scheme = "https"
	}
	p.Public = &url.URL{Scheme: scheme, Host: p.Settings.Portal.Addr}
	return nil
}
