package boot

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
		HTTP:   &http.Client{Transport: p.trust.Transport(eureka.Audience)},
		Secure: p.trust.Secure(),
		Log:    p.log.Of(s.name),
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
	if a, ok := s.server.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		if own := discovery.OwnAddress(p.registry); own != "" {
			base.Host = net.JoinHostPort(own, base.Port())
		}
	}
	return discovery.NewInstance(s.name, fmt.Sprintf("%s:%s:%s", host, s.name, p.dir.ID()), base)
}

// warnOfClearRegistries says that whoever is on the way to a registry reads its
// password, if it has one, and may change what it says. He gets no request by
// that: a service off loopback must still show its certificate.
func (p *process) warnOfClearRegistries() {
	for _, raw := range p.registry {
		u, err := url.Parse(raw)
		if err == nil && u.Scheme == "http" && !discovery.LoopbackHost(u.Hostname()) {
			p.log.Warn("this registry is asked in the clear: give it a certificate and its URL https", "url.full", u.Redacted())
		}
	}
}

// reach returns how a service calls the others by name, with proof.
func (p *process) reach(s *service) http.RoundTripper {
	return trust.Proving(s.client.Transport(p.base), p.prover)
}
