package boot

import (
	"io/fs"
	"os"

	"ccms/internal/boot/chassis"
	"ccms/internal/cardform"
	"ccms/internal/console"
	"ccms/internal/console/frame"
	"ccms/internal/console/operations"
	"ccms/internal/page/session"
	"ccms/internal/portal"
	"ccms/internal/trust"
	"ccms/internal/upstream"
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
	var mails fs.FS
	if len(p.Services) > 1 && p.Settings.Mail.SMTPURL.IsZero() {
		mails = os.DirFS(p.Dir.File("mail")) // the login service's, which is in this process
	}
	edge, err := portal.New(portal.Config{
		Mails:     mails,
		Transport: p.Reach(s),
		Vouch:     trust.Vouch,
		PublicURL: p.Public.String(),
		Sessions:  sessions,
		Idle:      p.Settings.Login.SessionIdle,
		Log:       p.Log.Of(chassis.Portal),
	})
	if err != nil {
		return err
	}
	edge.Routes(s.Mux)
	services := &upstream.Client{Transport: p.Reach(s), Vouch: trust.Vouch}
	form, err := cardform.New(cardform.Config{Upstream: services, PublicURL: p.Public.String()})
	if err != nil {
		return err
	}
	form.Routes(s.Mux)
	desk, err := console.New(console.Config{
		Upstream: services, PublicURL: p.Public.String(), Sessions: sessions, Idle: p.Settings.Login.SessionIdle,
		More: []frame.Part{operations.Part(operations.Config{
			Services: services, Registry: &upstream.Client{Transport: toRegistry{p, p.Registry}, Vouch: trust.Vouch},
		})},
	})
	if err != nil {
		return err
	}
	desk.Routes(s.Mux)
	return nil
}
