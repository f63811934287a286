package chassis

import (
	"fmt"
	"io"

	"ccms/internal/certs"
	"ccms/internal/mail"
)

// Sender is how mail leaves.
type Sender interface {
	mail.Sender
	io.Closer
}

// OpenMail opens the mail server of the settings, else the folder of mails.
func (p *Process) OpenMail() (Sender, error) {
	s := p.Settings.Mail
	if s.SMTPURL.IsZero() {
		return mail.OpenFolder(mail.FolderConfig{Dir: p.Dir.File("mail"), From: s.From})
	}
	cfg := mail.SMTPConfig{URL: s.SMTPURL.Reveal(), From: s.From}
	var err error
	if s.SMTPPasswordFile != "" {
		if cfg.Password, err = ReadSecret(s.SMTPPasswordFile); err != nil {
			return nil, err
		}
	}
	// A mail server is seldom ours.
	if cfg.Roots, err = certs.WithSystem(p.Settings.TLS.CAFile); err != nil {
		return nil, fmt.Errorf("tls.ca-file: %w", err)
	}
	return mail.OpenSMTP(cfg)
}
