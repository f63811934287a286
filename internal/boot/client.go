package boot

import (
	"fmt"
	"net/http"
	"net/url"
	"os"

	"ccms/internal/eureka"
	"ccms/internal/eureka/discovery"
	"ccms/internal/identity"
)

// connect gives a service its registry client: it registers the service, and
// finds those it needs.
func (p *process) connect(s *service, needs ...string) error {
	self, err := p.instance(s)
	if err != nil {
		return err
	}
	s.needs = needs
	s.client, err = discovery.New(discovery.Config{
		URLs: p.registry,
		Self: self,
		Sign: func(audience, method, path string) (string, error) {
			return p.prover.Sign(audience, identity.PurposeRegistry, method, path)
		},
		HTTP:   &http.Client{Transport: p.trust.transports[eureka.Audience]},
		Secure: p.trust.secure(),
		Log:    p.log.of(s.name),
	})
	if err != nil {
		return fmt.Errorf("%s: registry client: %w", s.name, err)
	}
	return nil
}

// instance is what a service says of itself in the registry (decision E2). Its
// id comes from host, data folder and service and not from the port, so that a
// restart replaces its own entry.
func (p *process) instance(s *service) (*eureka.Instance, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("host name: %w", err)
	}
	base, err := url.Parse(s.server.URL())
	if err != nil {
		return nil, fmt.Errorf("own url: %w", err)
	}
	return discovery.NewInstance(s.name, fmt.Sprintf("%s:%s:%s", host, s.name, p.dir.id()), base)
}

// reach returns how a service calls the others by name, with proof.
func (p *process) reach(s *service) http.RoundTripper {
	return proving{next: s.client.Transport(p.base), prover: p.prover}
}
