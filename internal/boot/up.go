package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"

	"ccms/internal/datadir"
	"ccms/internal/identity"
)

// Up runs all four services in this process on one store until ctx ends. It
// prints the URLs and, once every service is up and has found those it calls, a
// line that begins with "ready".
func Up(ctx context.Context, start Start) (err error) {
	// Whatever certificate people are shown, here the services can have ours
	// for each other.
	start.OwnTLS = start.OwnTLS || start.Settings.TLS.CertFile != ""
	p, err := newProcess(start)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.openUp(ctx); err != nil {
		return err
	}
	run, err := p.wireUp(ctx)
	if err != nil {
		return err
	}
	return p.run(ctx, func() error {
		if err := p.dir.WriteRunning(run); err != nil {
			return err
		}
		return p.welcome(start.Out, run)
	})
}

// openUp opens what the services of one machine share: keys, made the first
// time, and the store.
func (p *process) openUp(ctx context.Context) error {
	if err := datadir.MakeKeys(p.dir.File("keys")); err != nil {
		return err
	}
	credential, err := datadir.OpenCredential(p.settings.Internal.CredentialFile)
	if err != nil {
		return err
	}
	p.prover = identity.NewProver(credential, nil)
	return p.openStore(ctx)
}

// wireUp opens all listeners first, so that every URL is known, and then
// builds the services.
func (p *process) wireUp(ctx context.Context) (datadir.Running, error) {
	var run datadir.Running
	registry, err := p.addEureka(ctx)
	if err != nil {
		return run, err
	}
	login, err := p.listen(ctx, loginName, p.settings.Login.Addr)
	if err != nil {
		return run, err
	}
	cards, err := p.listen(ctx, cardName, p.settings.CreditCard.Addr)
	if err != nil {
		return run, err
	}
	portal, err := p.listen(ctx, portalName, p.settings.Portal.Addr)
	if err != nil {
		return run, err
	}
	p.registry = []string{registry.server.URL() + "/eureka/"}
	if p.settings.Given("eureka.urls") {
		p.registry = p.settings.Eureka.URLs.Reveal()
	}
	if p.public == nil {
		if p.public, err = url.Parse(portal.server.URL()); err != nil {
			return run, fmt.Errorf("public url: %w", err)
		}
	}
	for _, s := range p.services {
		s.server.SetPublicURL(p.public)
	}
	err = errors.Join(p.keepPorts(), p.wireLogin(ctx, login), p.wireCards(ctx, cards), p.wirePortal(portal))
	return datadir.Running{
		PID:        os.Getpid(),
		Eureka:     registry.server.URL(),
		Login:      login.server.URL(),
		CreditCard: cards.server.URL(),
		Portal:     portal.server.URL(),
	}, err
}

// welcome tells a person where things are.
func (p *process) welcome(w io.Writer, run datadir.Running) error {
	data, curl := p.settings.Data, "curl"
	if ca := p.trust.OwnAuthority(); ca != "" {
		curl += " --cacert " + ca
	}
	where := "is a file in " + filepath.Join(data, "mail")
	if smtp := p.settings.Mail.SMTPURL; !smtp.IsZero() {
		where = "goes out by " + smtp.String()
	}
	_, err := fmt.Fprintf(w, `CCMS keeps its data in %s

  portal      %s
  login       %s
  creditcard  %s
  eureka      %s

Try it:
  %s %s/api/customer/signup -H 'Content-Type: application/json' \
    -d '{"username":"jane","name":{"first":"Jane","last":"Doe"},"email":"jane@example.com","password":"choose-1-yourself"}'
The mail that follows %s.

ready
`, data, run.Portal, run.Login, run.CreditCard, run.Eureka, curl, run.Portal, where)
	return err
}
