package registration

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/card"
	"ccms/internal/httpserver"
	"ccms/internal/registration/ledger"
	"ccms/internal/secret"
)

// Submission is a card that a person entered on a page of ours for a firm, as
// it was typed. Submit wipes nothing of it.
type Submission struct {
	ID     string // from NewID: the registration's
	FirmID string
	Mode   string // test or live
	Actor  string // who stands in the record: the link
	From   string // the person's address

	Number    secret.Bytes
	Expiry    string
	Code      card.Code
	Name      secret.Bytes
	Reference string // the firm's, "" for none
}

// NewID makes the id of a registration to come.
func (s *Service) NewID() string { return ledger.NewID(s.now()).String() }

// Submit registers a card that a person entered, by the same rules as POST
// /register and with the same errors. When the registration is there already,
// an earlier try made it and nothing more happens.
func (s *Service) Submit(ctx context.Context, in Submission) error {
	b := body{
		Number: quoted(in.Number), Expiry: quoted(secret.NewString(in.Expiry)),
		CVV: in.Code, Name: quoted(in.Name),
	}
	defer b.wipe()
	if in.Reference != "" {
		b.Reference = quoted(secret.NewString(in.Reference))
	}
	d, err := s.read(&b, in.Mode)
	defer d.wipe()
	if err != nil {
		return err
	}
	who := caller{firm: in.FirmID, mode: in.Mode, actor: in.Actor, from: in.From, request: httpserver.RequestID(ctx)}
	_, err = s.register(ctx, request{who: who, d: d, id: in.ID})
	return err
}

// quoted is text as a JSON string; bytes that are no UTF-8 become U+FFFD, which
// no number, code or date has.
func quoted(text secret.Bytes) jsontext.Value {
	v, _ := jsontext.AppendQuote(make([]byte, 0, 2*text.Len()+2), text.Reveal()) // it names invalid UTF-8, and replaces it
	return v
}

// Status is what a firm is told of a registration it has in a mode; 404
// NOT_FOUND when it has none with the id.
func (s *Service) Status(ctx context.Context, firm, mode, id string) (ledger.Status, error) {
	k, found, err := s.ledger.Find(ctx, ledger.Shelf{Firm: firm, Modes: []string{mode}}, id)
	if err != nil {
		return ledger.Status{}, err
	}
	return found.StatusOf(k, s.now()), nil
}

// During yields the registrations of a period; see ledger.During.
func (s *Service) During(ctx context.Context, p ledger.Period, now time.Time) iter.Seq2[ledger.Row, error] {
	return s.ledger.During(ctx, p, now)
}

// Exists reports whether a firm has the registration with an id in a mode.
func (s *Service) Exists(ctx context.Context, firm, mode, id string) (bool, error) {
	_, _, err := s.ledger.Find(ctx, ledger.Shelf{Firm: firm, Modes: []string{mode}}, id)
	if errors.Is(err, ledger.NotFound()) {
		return false, nil
	}
	return err == nil, err
}
