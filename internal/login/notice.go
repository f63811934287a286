package login

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"ccms/internal/mail"
	"ccms/internal/outbox"
	"ccms/internal/store"
)

// KindMail is the kind of outbox message that Service.Deliver handles.
const KindMail = "login.mail"

// notice is a letter to be written: the payload of an outbox message. It holds
// no token. The token is made when the letter is sent, so that the queue never
// carries one and its life begins with the mail.
type notice struct {
	Kind mail.Kind `json:"kind"`
	// Account it is for, "" when Address alone says so.
	Account string `json:"account,omitempty"`
	// Address as it was given. It may be nobody's: then nothing is sent, and
	// whoever asked cannot tell from the time it took (decision B9).
	Address string    `json:"address,omitempty"`
	At      time.Time `json:"at"`
}

// tell queues n. It is durable when tell returns nil.
func (s *Service) tell(ctx context.Context, n notice) error {
	n.At = s.now()
	payload, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode notice: %w", err)
	}
	return s.cfg.Outbox.Put(ctx, outbox.Message{ID: rand.Text(), Kind: KindMail, Owner: n.Account, Payload: payload})
}

// Deliver writes and sends the letter of an outbox message of KindMail. A
// letter that lost its reason meanwhile (the address was verified, the account
// erased) is not sent.
func (s *Service) Deliver(ctx context.Context, m outbox.Message) error {
	var n notice
	if err := json.Unmarshal(m.Payload, &n); err != nil {
		return outbox.Permanent(fmt.Errorf("decode notice: %w", err))
	}
	data, err := s.letter(ctx, n)
	if err != nil || data.To == "" {
		return err
	}
	data.ID, data.At = m.ID, n.At
	letter, err := mail.Compose(n.Kind, data)
	if err == nil {
		err = s.cfg.Mail.Send(ctx, letter)
	}
	if errors.Is(err, mail.ErrRefused) {
		return outbox.Permanent(err)
	}
	return err
}

// letter gathers what n's letter says; To is empty when there is nobody to
// write to.
func (s *Service) letter(ctx context.Context, n notice) (mail.Data, error) {
	switch n.Kind {
	case mail.AddressChange, mail.Deleted:
		return mail.Data{To: n.Address}, nil // the account knows the address no longer, or soon will not
	}
	rec, ok, err := s.addressee(ctx, n)
	if err != nil || !ok {
		return mail.Data{}, err
	}
	c := rec.Value
	switch n.Kind {
	case mail.Verify:
		if c.AccountValidated {
			return mail.Data{}, nil
		}
		return s.withLink(ctx, purposeVerify, rec, c.Email)
	case mail.AddressConfirm:
		if c.Pending == nil || c.Pending.Email != n.Address {
			return mail.Data{}, nil
		}
		return s.withLink(ctx, purposeVerify, rec, c.Pending.Email)
	case mail.Reset:
		return s.withLink(ctx, purposeReset, rec, c.Email)
	}
	return mail.Data{To: c.Email, Valid: s.cfg.LockFor}, nil
}

// addressee finds the account n is for.
func (s *Service) addressee(ctx context.Context, n notice) (store.Record[customer], bool, error) {
	if n.Account == "" {
		return s.byEmail(ctx, foldKey(n.Address))
	}
	rec, err := s.customers.Get(ctx, n.Account)
	if errors.Is(err, store.ErrNotFound) {
		return rec, false, nil
	}
	return rec, err == nil && rec.Value.Erasing == nil, err
}

// withLink makes a token bound to the address and the link that carries it.
// Links have one base, which no request can change (decision B8).
func (s *Service) withLink(ctx context.Context, purpose string, rec store.Record[customer], to string) (mail.Data, error) {
	token, err := s.issueToken(ctx, purpose, rec, foldKey(to))
	if err != nil {
		return mail.Data{}, err
	}
	page := map[string]string{purposeVerify: "verify", purposeReset: "reset-password"}[purpose]
	return mail.Data{To: to, Link: s.link(page, token), Valid: s.tokenLife(purpose)}, nil
}

// link is the address of one of the portal's pages for one-time links.
func (s *Service) link(page, token string) string {
	u := s.cfg.PublicURL.JoinPath(page)
	u.RawQuery = url.Values{"token": {token}}.Encode()
	return u.String()
}
