package boot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"ccms/internal/boot/chassis"
	"ccms/internal/eureka"
	"ccms/internal/eureka/registry"
	"ccms/internal/eureka/registry/peer"
	"ccms/internal/eureka/registry/writers"
	"ccms/internal/figures"
	"ccms/internal/identity"
	"ccms/internal/operator"
)

// wireEureka fills the registry. What the services write under their reserved
// names needs a proof of purpose registry (decision E3). It has no public URL to
// tell tokens by unless the settings name one; then nobody is let in from
// elsewhere, and no operator acts on it.
func (p *process) wireEureka(s *chassis.Service) error {
	list, err := p.openWriters()
	if err != nil {
		return err
	}
	prove := p.Prove(eureka.Audience)
	cfg := registry.Config{
		Log:       p.Log.Of(eureka.Audience),
		Snapshot:  p.Dir.File("registry.json"),
		Authorize: func(r *http.Request) bool { return prove(r) == identity.PurposeRegistry },
		Sign: func(audience, method, path string) (string, error) {
			return p.Prover.Sign(audience, identity.PurposeRegistry, method, path)
		},
		Writers: list,
		Peers:   p.Settings.Eureka.Peers.Reveal(),
		Peer:    peer.Config{HTTP: &http.Client{Transport: p.Trust.Transport(eureka.Audience)}},
	}
	if p.Public != nil {
		if err := p.Look(s); err != nil {
			return err
		}
		people := p.directory(s)
		cfg.Operator = operator.Only(p.checker(s).Authenticate, people.Operator)
		cfg.Record = recordOf(people)
		cfg.Console = p.Public.JoinPath("console", "operations", "registry", "act").String()
	}
	r := registry.New(cfg)
	s.Retire = r.Retire
	s.Actuator.AddHealth("peers", true, func(context.Context) error {
		if !r.Open() {
			return errors.New("the lists of the other registries have not been read yet")
		}
		return nil
	})
	r.Routes(s.Mux)
	s.Actuator.Registry().Add(figures.Registry(r))
	s.Work = append(s.Work, r.Run)
	return nil
}

// openWriters reads who may write which application; nil means everybody.
func (p *process) openWriters() (*writers.Policy, error) {
	name := p.Settings.Eureka.WritersFile
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("eureka.writers-file: %w", err)
	}
	defer f.Close()
	list, err := writers.Parse(f, nil)
	if err != nil {
		return nil, fmt.Errorf("eureka.writers-file: %s: %w", name, err)
	}
	return list, nil
}
