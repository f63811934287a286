// Package letters owns the mails to people with an account: that they are asked
// for in one durable step, written later from what the account says then, and
// not sent when their reason is gone.
//
// It does not have the words of a letter or send it (package mail), keep the
// queue (outbox) or decide who is told what: that is the service's. Tokens in
// links are made by onetime.
package letters

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"ccms/internal/login/customer"
	"ccms/internal/login/onetime"
	"ccms/internal/mail"
	"ccms/internal/outbox"
)

// Kind is the kind of outbox message that Writer.Deliver handles.
const Kind = "login.mail"

// Notice is a letter to be written: the payload of an outbox message. It holds
// no token. The token is made when the letter is sent, so that the queue never
// carries one and its life begins with the mail.
type Notice struct {
	Kind mail.Kind `json:"kind"`
	// Account it is for, "" when Address alone says so.
	Account string `json:"account,omitempty"`
	// Address as it was given. It may be nobody's: then nothing is sent, and
	// whoever asked cannot tell from the time it took (decision B9).
	Address string `json:"address,omitempty"`
	// At is when it happened. Default, set by Tell: now.
	At time.Time `json:"at"`
	// About and Reason are those of mail.Data.
	About  string `json:"about,omitempty"`
	Reason string `json:"reason,omitempty"`
	// ID is the letter's: told twice, it is one letter while it waits. Default, of
	// Tell: a random one.
	ID string `json:"-"`
}

// Queue takes letters that must be sent after the answer.
type Queue interface {
	Put(ctx context.Context, m outbox.Message) error
}

// Config is what New needs. The defaults are those of login.Config.
type Config struct {
	Customers *customer.Collection
	Tokens    *onetime.Tokens
	Queue     Queue
	Mail      mail.Sender
	// PublicURL is the only base of links, which no request can change
	// (decision B8).
	PublicURL *url.URL
	LockFor   time.Duration // how long a lock lasts, for the letter about it
	// Now is the clock, in the precision of the store.
	Now func() time.Time
}

// Writer writes letters.
type Writer struct{ cfg Config }

// New returns a Writer. Whoever works on the queue hands its messages of Kind
// to Deliver.
func New(cfg Config) *Writer { return &Writer{cfg} }

// Tell queues n. It is durable when Tell returns nil.
func (w *Writer) Tell(ctx context.Context, n Notice) error {
	if n.At.IsZero() {
		n.At = w.cfg.Now()
	}
	if n.ID == "" {
		n.ID = rand.Text()
	}
	payload, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode notice: %w", err)
	}
	return w.cfg.Queue.Put(ctx, outbox.Message{ID: n.ID, Kind: Kind, Owner: n.Account, Payload: payload})
}

// Deliver writes and sends the letter of an outbox message of Kind. A letter
// that lost its reason meanwhile (the address was verified, the account erased)
// is not sent.
func (w *Writer) Deliver(ctx context.Context, m outbox.Message) error {
	var n Notice
	if err := json.Unmarshal(m.Payload, &n); err != nil {
		return outbox.Permanent(fmt.Errorf("decode notice: %w", err))
	}
	data, err := w.letter(ctx, n)
	if err != nil || data.To == "" {
		return err
	}
	data.ID, data.At = m.ID, n.At
	letter, err := mail.Compose(n.Kind, data)
	if err == nil {
		err = w.cfg.Mail.Send(ctx, letter)
	}
	if errors.Is(err, mail.ErrRefused) {
		return outbox.Permanent(err)
	}
	return err
}

// letter gathers what n's letter says; To is empty when there is nobody to
// write to.
func (w *Writer) letter(ctx context.Context, n Notice) (mail.Data, error) {
	switch n.Kind {
	case mail.AddressChange, mail.Deleted:
		return mail.Data{To: n.Address}, nil // the account knows the address no longer, or soon will not
	}
	rec, ok, err := w.addressee(ctx, n)
	if err != nil || !ok {
		return mail.Data{}, err
	}
	c := rec.Value
	switch n.Kind {
	case mail.Verify:
		if c.AccountValidated {
			return mail.Data{}, nil
		}
		return w.withLink(ctx, onetime.Verify, rec, c.Email)
	case mail.AddressConfirm:
		if c.Pending == nil || c.Pending.Email != n.Address {
			return mail.Data{}, nil
		}
		return w.withLink(ctx, onetime.Verify, rec, c.Pending.Email)
	case mail.Reset:
		return w.withLink(ctx, onetime.Reset, rec, c.Email)
	}
	return mail.Data{To: c.Email, Valid: w.cfg.LockFor, About: n.About, Reason: n.Reason}, nil
}

// addressee finds the account n is for.
func (w *Writer) addressee(ctx context.Context, n Notice) (customer.Record, bool, error) {
	if n.Account == "" {
		return w.cfg.Customers.ByEmail(ctx, customer.FoldKey(n.Address))
	}
	return w.cfg.Customers.ByID(ctx, n.Account)
}

// withLink makes a token bound to the address and the link that carries it.
func (w *Writer) withLink(ctx context.Context, p onetime.Purpose, rec customer.Record, to string) (mail.Data, error) {
	token, err := w.cfg.Tokens.Issue(ctx, onetime.Token{
		Purpose: p, Customer: rec.ID, Address: customer.FoldKey(to), Generation: rec.Value.Generation,
	})
	if err != nil {
		return mail.Data{}, err
	}
	return mail.Data{To: to, Link: w.Link(p, token), Valid: w.cfg.Tokens.Life(p)}, nil
}

// Link is the address of the portal's page for a one-time token.
func (w *Writer) Link(p onetime.Purpose, token string) string {
	page := map[onetime.Purpose]string{onetime.Verify: "verify", onetime.Reset: "reset-password"}[p]
	u := w.cfg.PublicURL.JoinPath(page)
	u.RawQuery = url.Values{"token": {token}}.Encode()
	return u.String()
}
