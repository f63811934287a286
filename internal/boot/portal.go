package boot

import (
	"ccms/internal/portal"
	"ccms/internal/trust"
)

// wirePortal fills the portal, which has neither store nor keys.
func (p *process) wirePortal(s *service) error {
	if err := p.connect(s, loginName, cardName); err != nil {
		return err
	}
	edge, err := portal.New(portal.Config{
		Transport: p.reach(s),
		Vouch:     trust.Vouch,
		PublicURL: p.public.String(),
		Log:       p.log.Of(portalName),
	})
	if err != nil {
		return err
	}
	edge.Routes(s.mux)
	return nil
}
