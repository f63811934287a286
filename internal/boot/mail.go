package boot

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"

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
	s := p.settings.Mail
	if s.SMTPURL.IsZero() {
		return mail.OpenFolder(mail.FolderConfig{Dir: p.dir.File("mail"), From: s.From})
	}
	cfg := mail.SMTPConfig{URL: s.SMTPURL.Reveal(), From: s.From}
	var err error
	if s.SMTPPasswordFile != "" {
		if cfg.Password, err = readSecret(s.SMTPPasswordFile); err != nil {
			return nil, err
		}
	}
	if cfg.Roots, err = mailRoots(p.settings.TLS.CAFile); err != nil {
		return nil, err
	}
	return mail.OpenSMTP(cfg)
}

// mailRoots vouch for a mail server: those of the system, since it is seldom
// ours, and the authorities of the settings.
func mailRoots(file string) (*x509.CertPool, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("authorities of the system: %w", err)
	}
	if file == "" {
		return roots, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("tls.ca-file: %w", err)
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls.ca-file: there is no certificate in %s", file)
	}
	return roots, nil
}

// openMailQueue opens the queue for commands: it sends nothing.
func (p *process) openMailQueue(ctx context.Context) (*outbox.Queue, error) {
	if !p.holds(loginName, "login.key") {
		return nil, errors.New("mails are the login service's: name its data folder with --data")
	}
	ring, err := p.openRing(ctx, "LoginKey", "login.key")
	if err != nil {
		return nil, err
	}
	return outbox.Open(ctx, outbox.Config{DB: p.db, Collection: mailQueue, Sealer: ring, Log: p.log.Logger})
}
