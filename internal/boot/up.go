package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"

	"ccms/internal/boot/chassis"
	"ccms/internal/datadir"
	"ccms/internal/eureka"
)

// Up runs all four services in this process on one store until ctx ends. It
// prints the URLs and, once every service is up and has found those it calls, a
// line that begins with "ready".
func Up(ctx context.Context, start Start) (err error) {
	// Whatever certificate people are shown, here the services can have ours
	// for each other.
	start.OwnTLS = start.OwnTLS || start.Settings.TLS.CertFile != ""
	p, err := open(start)
	if err != nil {
		return err
	}
	defer func() { err = chassis.Damaged(p.Dir, errors.Join(err, p.Close())) }()
	if err := p.openUp(ctx); err != nil {
		return err
	}
	run, err := p.wireUp(ctx)
	if err != nil {
		return err
	}
	return p.run(ctx, func() error {
		if err := p.Dir.WriteRunning(run); err != nil {
			return err
		}
		return p.welcome(start.Out, run)
	})
}

// openUp opens what the services of one machine share: keys, made the first
// time, and the store.
func (p *process) openUp(ctx context.Context) error {
	makeKeys := datadir.MakeKeys
	if !p.Settings.Keyring.URL.IsZero() {
		makeKeys = datadir.MakeCredential
	}
	if err := makeKeys(p.Dir.File("keys")); err != nil {
		return err
	}
	credential, err := datadir.OpenCredential(p.Settings.Internal.CredentialFile)
	if err != nil {
		return err
	}
	if err := p.believe(credential); err != nil {
		return err
	}
	return p.OpenStore(ctx)
}

// wireUp opens all listeners first, so that every URL is known, and then
// builds the services.
func (p *process) wireUp(ctx context.Context) (datadir.Running, error) {
	var run datadir.Running
	registry, err := p.Listen(ctx, eureka.Audience, p.Settings.Eureka.Addr)
	if err != nil {
		return run, err
	}
	login, err := p.Listen(ctx, chassis.LoginService, p.Settings.Login.Addr)
	if err != nil {
		return run, err
	}
	cards, err := p.Listen(ctx, chassis.CardService, p.Settings.CreditCard.Addr)
	if err != nil {
		return run, err
	}
	portal, err := p.Listen(ctx, chassis.Portal, p.Settings.Portal.Addr)
	if err != nil {
		return run, err
	}
	p.Registry = []string{registry.Server.URL() + "/eureka/"}
	if p.Settings.Given("eureka.urls") {
		p.Registry = p.Settings.Eureka.URLs.Reveal()
	}
	if p.Public == nil {
		if p.Public, err = url.Parse(portal.Server.URL()); err != nil {
			return run, fmt.Errorf("public url: %w", err)
		}
	}
	for _, s := range p.Services {
		s.Server.SetPublicURL(p.Public)
	}
	err = errors.Join(p.KeepPorts(), p.wireLogin(ctx, login), p.wireCards(ctx, cards), p.wirePortal(portal), p.wireEureka(registry))
	return datadir.Running{
		PID:         os.Getpid(),
		Eureka:      registry.Server.URL(),
		Login:       login.Server.URL(),
		CreditCard:  cards.Server.URL(),
		Portal:      portal.Server.URL(),
		CA:          p.Settings.TLS.CAFile,
		Certificate: p.Settings.TLS.CertFile,
	}, err
}

// welcome tells a person where things are.
func (p *process) welcome(w io.Writer, run datadir.Running) error {
	data, curl := p.Settings.Data, "curl"
	if ca := p.Trust.OwnAuthority(); ca != "" {
		curl += " --cacert " + ca
	}
	where := "is a file in " + filepath.Join(data, "mail")
	if smtp := p.Settings.Mail.SMTPURL; !smtp.IsZero() {
		where = "goes out by " + smtp.String()
	}
	demo := ""
	if p.Dir.Has("demo-firm.json") {
		demo = "A firm to register cards with is in " + filepath.Join(data, "demo-firm.json") + "; README.md shows how.\n"
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
%s
ready
`, data, run.Portal, run.Login, run.CreditCard, run.Eureka, curl, run.Portal, where, demo)
	return err
}
