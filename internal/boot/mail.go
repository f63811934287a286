package boot

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/admin"
	"ccms/internal/config"
	"ccms/internal/login"
	"ccms/internal/mail"
	"ccms/internal/outbox"
	"ccms/internal/store"
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

// Letter is a mail that waits or was given up, without what it says and to
// whom.
type Letter struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	State    string    `json:"state"` // "queued", "sending" or "dead"
	Created  time.Time `json:"created"`
	Attempts int       `json:"attempts"`
	Next     time.Time `json:"next,omitzero"`
	Failure  string    `json:"failure,omitzero"` // class of the last one, "recipient 550 5.1.1"
}

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

// listMail returns what waits, the oldest first, then what was given up.
func (p *process) listMail(ctx context.Context, _ struct{}) ([]Letter, error) {
	q, err := p.openMailQueue(ctx)
	if err != nil {
		return nil, err
	}
	items, err := q.List(ctx, login.KindMail)
	letters := make([]Letter, 0, len(items))
	for _, i := range items {
		l := Letter{ID: i.ID, Kind: i.Kind, State: i.State, Created: i.Created, Attempts: i.Tries, Next: i.Due, Failure: i.Failure}
		if i.Leased && i.Due.After(time.Now()) {
			l.State, l.Next = "sending", time.Time{}
		}
		letters = append(letters, l)
	}
	return letters, err
}

// MailRetry names the mails to try again: one, or all.
type MailRetry struct {
	ID  string `json:"id,omitzero"`
	All bool   `json:"all,omitzero"`
}

// Retried says how many mails are due now.
type Retried struct {
	Retried int `json:"retried"`
}

// retryMail makes mails due now. The queue of the running process finds them
// within a second.
func (p *process) retryMail(ctx context.Context, which MailRetry) (Retried, error) {
	q, err := p.openMailQueue(ctx)
	if err != nil {
		return Retried{}, err
	}
	if !which.All {
		switch err := q.Retry(ctx, login.KindMail, which.ID); {
		case errors.Is(err, store.ErrNotFound):
			return Retried{}, fmt.Errorf("there is no mail %q: ccms mail list shows those that wait or were given up", which.ID)
		case errors.Is(err, outbox.ErrBusy):
			return Retried{}, fmt.Errorf("mail %s is being sent right now", which.ID)
		case err != nil:
			return Retried{}, err
		}
		return Retried{1}, nil
	}
	items, err := q.List(ctx, login.KindMail)
	var done Retried
	for _, i := range items {
		err := q.Retry(ctx, login.KindMail, i.ID)
		if err == nil {
			done.Retried++
		} else if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, outbox.ErrBusy) { // sent meanwhile, or about to be
			return done, err
		}
	}
	return done, err
}

// ListMail writes the mails that wait or were given up, as text or JSON.
func ListMail(ctx context.Context, s config.Settings, w Output) error {
	var letters []Letter
	if err := carryOut(ctx, s, admin.Request{Command: "mail list", Args: struct{}{}}, &letters); err != nil {
		return err
	}
	if w.Format == "json" {
		return writeJSON(w, letters)
	}
	if len(letters) == 0 {
		_, err := fmt.Fprintln(w, "no mail waits, none was given up")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "ID\tKIND\tSTATE\tAGE\tATTEMPTS\tNEXT\tLAST FAILURE") // Flush reports errors
	for _, l := range letters {
		next := "-"
		if !l.Next.IsZero() {
			next = "in " + max(time.Until(l.Next), 0).Round(time.Second).String()
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", l.ID, l.Kind, l.State, time.Since(l.Created).Round(time.Second), l.Attempts, next, cmp.Or(l.Failure, "-"))
	}
	return t.Flush()
}

// RetryMail makes mails due now and writes how many, as text or JSON.
func RetryMail(ctx context.Context, s config.Settings, which MailRetry, w Output) error {
	var done Retried
	if err := carryOut(ctx, s, admin.Request{Command: "mail retry", Args: which}, &done); err != nil {
		return err
	}
	if w.Format == "json" {
		return writeJSON(w, done)
	}
	_, err := fmt.Fprintf(w, "mails to be tried again: %d\n", done.Retried)
	return err
}

// Output is where a command writes its answer, and how: as text or JSON.
type Output struct {
	io.Writer
	Format string
}

// writeJSON writes one line that a program may read.
func writeJSON(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}
