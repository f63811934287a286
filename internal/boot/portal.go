package boot

import (
	"ccms/internal/boot/chassis"
	"ccms/internal/portal"
	"ccms/internal/portal/session"
	"ccms/internal/trust"
)

// wirePortal fills the portal, which has neither store nor keys.
func (p *process) wirePortal(s *chassis.Service) error {
	if err := p.Connect(s, chassis.LoginService, chassis.CardService); err != nil {
		return err
	}
	p.checker(s)
	sessions, err := session.New(p.sessionKey, p.Public.Scheme == "https", nil)
	if err != nil {
		return err
	}
	edge, err := portal.New(portal.Config{
		Transport: p.Reach(s),
		Vouch:     trust.Vouch,
		PublicURL: p.Public.String(),
		Sessions:  sessions,
		Log:       p.Log.Of(chassis.Portal),
	})
	if err != nil {
		return err
	}
	edge.Routes(s.Mux)
	return nil
}
