package boot

import (
	"context"
	"errors"
	"net/http"

	"ccms/internal/boot/chassis"
	"ccms/internal/eureka"
	"ccms/internal/eureka/registry"
	"ccms/internal/eureka/registry/peer"
	"ccms/internal/figures"
	"ccms/internal/identity"
)

// addEureka builds the registry. What the services write under their reserved
// names needs a proof of purpose registry (decision E3).
func (p *process) addEureka(ctx context.Context) (*chassis.Service, error) {
	s, err := p.Listen(ctx, eureka.Audience, p.Settings.Eureka.Addr)
	if err != nil {
		return nil, err
	}
	prove := p.Prove(eureka.Audience)
	r := registry.New(registry.Config{
		Log:       p.Log.Of(eureka.Audience),
		Snapshot:  p.Dir.File("registry.json"),
		Authorize: func(r *http.Request) bool { return prove(r) == identity.PurposeRegistry },
		Sign: func(audience, method, path string) (string, error) {
			return p.Prover.Sign(audience, identity.PurposeRegistry, method, path)
		},
		Peers: p.Settings.Eureka.Peers.Reveal(),
		Peer:  peer.Config{HTTP: &http.Client{Transport: p.Trust.Transport(eureka.Audience)}},
	})
	s.Retire = r.Retire
	s.Actuator.AddHealth("peers", true, func(context.Context) error {
		if !r.Open() {
			return errors.New("the lists of the other registries have not been read yet")
		}
		return nil
	})
	r.Routes(s.Mux)
	s.Actuator.Registry().MustRegister(figures.Registry(r))
	s.Work = append(s.Work, r.Run)
	return s, nil
}

// guardEureka lets the registry know who asks. It has no public URL to tell
// tokens by unless the settings name one; then nobody is let in from elsewhere.
func (p *process) guardEureka(s *chassis.Service) error {
	if p.Public == nil {
		return nil
	}
	if err := p.Look(s); err != nil {
		return err
	}
	p.checker(s)
	return nil
}
