package chassis

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"ccms/internal/trust"
)

// certificatesEvery is how often certificates are looked at without being told:
// those of our own are renewed before they expire, and files that somebody
// replaced are noticed.
const certificatesEvery = 24 * time.Hour

// watch re-reads certificates and log level, and opens the log file again,
// whenever SIGHUP comes (interface.md, Signals), until ctx ends.
func (p *Process) watch(ctx context.Context) error {
	p.warnOfCertificates()
	p.warnOfClearRegistries()
	daily := time.NewTicker(certificatesEvery)
	defer daily.Stop()
	for {
		select {
		case <-p.hangup:
			p.toldReload(func() {
				p.reopenLog()
				p.rereadSettings()
				p.reloadCertificates()
			})
		case <-daily.C:
			p.reloadCertificates()
		case <-ctx.Done():
			return nil
		}
	}
}

// rereadSettings applies what may change while we run, and says what may not.
func (p *Process) rereadSettings() {
	if p.reread == nil {
		return
	}
	newer, err := p.reread()
	if err != nil {
		p.Log.Error("the settings cannot be read again, the old ones hold", "error.message", err.Error())
		return
	}
	live, restart := p.Settings.Changed(&newer)
	p.Log.SetLevel(newer.Log.Level)
	p.Log.Info("settings read again", "ccms.settings.applied", strings.Join(live, " "), "ccms.settings.level", newer.Log.Level.String())
	if len(restart) > 0 {
		p.Log.Warn("these settings changed and need a restart", "ccms.settings.restart", strings.Join(restart, " "))
	}
}

// reloadCertificates reads the files again; what is wrong with them changes
// nothing.
func (p *Process) reloadCertificates() {
	if p.Trust.Server() == nil {
		return // there are none
	}
	before := p.Trust.Fingerprint()
	if err := p.Trust.Reload(); err != nil {
		p.Log.Error("the certificates cannot be read again, the old ones hold", "error.message", err.Error())
		return
	}
	p.Log.Info("certificates read again", "ccms.certificates.changed", p.Trust.Fingerprint() != before, slog.Time("tls.server.not_after", p.Trust.Expires()))
	p.warnOfCertificates()
}

// warnOfCertificates says what will fail though nothing has yet.
func (p *Process) warnOfCertificates() {
	expires := p.Trust.Expires()
	if expires.IsZero() {
		return
	}
	if left := time.Until(expires); left < trust.ExpiresSoon {
		p.Log.Warn("a certificate expires soon: renew it and send SIGHUP", "tls.server.not_after", expires)
	}
	for _, s := range p.Services {
		if s.Name != LoginService && s.Name != CardService {
			continue // no service calls the portal, and a registry may go by its host
		}
		if err := p.Trust.Vouched(trust.NameOf(s.Name)); err != nil {
			p.Log.Of(s.Name).Warn("other services will not believe this certificate: it must be for "+trust.NameOf(s.Name)+", from tls.ca-file", "error.message", err.Error())
		}
	}
}
