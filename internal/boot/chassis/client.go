package chassis

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"

	"ccms/internal/eureka"
	"ccms/internal/eureka/discovery"
	"ccms/internal/identity"
	"ccms/internal/trust"
)

// Connect gives a service its registry client: it registers the service, and
// finds those it needs.
func (p *Process) Connect(s *Service, needs ...string) error {
	self, err := p.instance(s)
	if err != nil {
		return err
	}
	s.Needs = needs
	return p.join(s, p.Registry, self)
}

// Look lets the registry itself find the others, as its own client that is in
// no list.
func (p *Process) Look(registry *Service) error {
	return p.join(registry, []string{registry.Server.URL() + "/eureka/"}, nil)
}

func (p *Process) join(s *Service, registries []string, self *eureka.Instance) (err error) {
	cfg := discovery.Config{
		URLs: registries,
		Self: self,
		Sign: func(audience, method, path string) (string, error) {
			return p.Prover.Sign(audience, identity.PurposeRegistry, method, path)
		},
		HTTP:   &http.Client{Transport: p.Trust.Transport(eureka.Audience)},
		Secure: p.Trust.Secure(),
		Log:    p.Log.Of(s.Name),
	}
	if a, ok := s.Server.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		cfg.Address = func() (string, error) { return ownAddress(registries) }
	}
	s.Client, err = discovery.New(cfg)
	if err != nil {
		return fmt.Errorf("%s: registry client: %w", s.Name, err)
	}
	return nil
}

// instance is what a service says of itself in the registry (decision E2). Its
// id comes from host, data folder and service and not from the port, so that a
// restart replaces its own entry.
func (p *Process) instance(s *Service) (*eureka.Instance, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("host name: %w", err)
	}
	base, err := url.Parse(s.Server.URL())
	if err != nil {
		return nil, fmt.Errorf("own url: %w", err)
	}
	return discovery.NewInstance(s.Name, fmt.Sprintf("%s:%s:%s", host, s.Name, p.Dir.ID()), base)
}

// warnOfClearRegistries says that whoever is on the way to a registry reads its
// password, if it has one, and may change what it says. He gets no request by
// that: a service off loopback must still show its certificate.
func (p *Process) warnOfClearRegistries() {
	for _, raw := range p.Registry {
		u, err := url.Parse(raw)
		if err == nil && u.Scheme == "http" && !discovery.LoopbackHost(u.Hostname()) {
			p.Log.Warn("this registry is asked in the clear: give it a certificate and its URL https", "url.full", u.Redacted())
		}
	}
}

// Reach returns how a service calls the others by name, with proof.
func (p *Process) Reach(s *Service) http.RoundTripper {
	return trust.Proving(s.Client.Transport(p.base), p.Prover)
}
