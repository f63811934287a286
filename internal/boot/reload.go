package boot

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
// whenever SIGHUP comes (interface.md,
// Signals), until ctx ends.
func (p *process) watch(ctx context.Context) error {
	p.warnOfCertificates()
	p.warnOfClearRegistries()
	daily := time.NewTicker(certificatesEvery)
	defer daily.Stop()
	for {
		select {
		case <-p.hangup:
			p.reopenLog()
			p.rereadSettings()
			p.reloadCertificates()
		case <-daily.C:
			p.reloadCertificates()
		case <-ctx.Done():
			return nil
		}
	}
}

// rereadSettings applies what may change while we run, and says what may not.
func (p *process) rereadSettings() {
	if p.reread == nil {
		return
	}
	newer, err := p.reread()
	if err != nil {
		p.log.Error("the settings cannot be read again, the old ones hold", "error.message", err.Error())
		return
	}
	live, restart := p.settings.Changed(&newer)
	p.log.SetLevel(newer.Log.Level)
	p.log.Info("settings read again", "ccms.settings.applied", strings.Join(live, " "), "ccms.settings.level", newer.Log.Level.String())
	if len(restart) > 0 {
		p.log.Warn("these settings changed and need a restart", "ccms.settings.restart", strings.Join(restart, " "))
	}
}

// reloadCertificates reads the files again; what is wrong with them changes
// nothing.
func (p *process) reloadCertificates() {
	if p.trust.Server() == nil {
		return // there are none
	}
	before := p.trust.Fingerprint()
	if err := p.trust.Reload(); err != nil {
		p.log.Error("the certificates cannot be read again, the old ones hold", "error.message", err.Error())
		return
	}
	p.log.Info("certificates read again", "ccms.certificates.changed", p.trust.Fingerprint() != before, slog.Time("tls.server.not_after", p.trust.Expires()))
	p.warnOfCertificates()
}

// warnOfCertificates says what will fail though nothing has yet.
func (p *process) warnOfCertificates() {
	expires := p.trust.Expires()
	if expires.IsZero() {
		return
	}
	if left := time.Until(expires); left < trust.ExpiresSoon {
		p.log.Warn("a certificate expires soon: renew it and send SIGHUP", "tls.server.not_after", expires)
	}
	for _, s := range p.services {
		if s.name != loginName && s.name != cardName {
			continue // no service calls the portal, and a registry may go by its host
		}
		if err := p.trust.Vouched(trust.NameOf(s.name)); err != nil {
			p.log.Of(s.name).Warn("other services will not believe this certificate: it must be for "+trust.NameOf(s.name)+", from tls.ca-file", "error.message", err.Error())
		}
	}
}
