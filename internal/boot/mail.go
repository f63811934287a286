package boot

import (
	"context"
	"errors"
	"fmt"
	"io"

	"ccms/internal/boot/chassis"
	"ccms/internal/certs"
	"ccms/internal/mail"
	"ccms/internal/outbox"
)

// mailQueue is the collection in which the login service's mails wait.
const mailQueue = "LoginOutbox"

// sender is how mail leaves.
type sender interface {
	mail.Sender
	io.Closer
}

// openMail opens the mail server of the settings, else the folder of mails.
func (p *process) openMail() (sender, error) {
	s := p.Settings.Mail
	if s.SMTPURL.IsZero() {
		return mail.OpenFolder(mail.FolderConfig{Dir: p.Dir.File("mail"), From: s.From})
	}
	cfg := mail.SMTPConfig{URL: s.SMTPURL.Reveal(), From: s.From}
	var err error
	if s.SMTPPasswordFile != "" {
		if cfg.Password, err = chassis.ReadSecret(s.SMTPPasswordFile); err != nil {
			return nil, err
		}
	}
	// A mail server is seldom ours.
	if cfg.Roots, err = certs.WithSystem(p.Settings.TLS.CAFile); err != nil {
		return nil, fmt.Errorf("tls.ca-file: %w", err)
	}
	return mail.OpenSMTP(cfg)
}

// openMailQueue opens the queue for commands: it sends nothing.
func (p *process) openMailQueue(ctx context.Context) (*outbox.Queue, error) {
	if !p.Holds(chassis.LoginService, "login.key") {
		return nil, errors.New("mails are the login service's: name its data folder with --data")
	}
	ring, err := p.OpenRing(ctx, "LoginKey", "login.key")
	if err != nil {
		return nil, err
	}
	return outbox.Open(ctx, outbox.Config{DB: p.DB, Collection: mailQueue, Sealer: ring, Log: p.Log.Logger})
}
