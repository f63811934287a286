package firmcard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/audit"
	"ccms/internal/card"
	"ccms/internal/limit"
	"ccms/internal/problem"
	"ccms/internal/secret"
)

// maxReason bounds the reason of a reveal, in characters.
const maxReason = 200

// revealBody is the body of POST /v1/cards/{token}/reveal.
type revealBody struct {
	Reason string `json:"reason"`
}

// handleReveal answers {"card_number","expiry_date","cardholder_name"} (decision
// D6) as finished JSON, which is wiped once it is written.
func (s *Service) handleReveal(r *http.Request, in revealBody) (secret.Bytes, error) {
	reason := strings.TrimSpace(in.Reason)
	if reason == "" || utf8.RuneCountInString(reason) > maxReason || strings.ContainsFunc(reason, unicode.IsControl) || card.Default().Within(reason) {
		return secret.Bytes{}, wrongReason()
	}
	return s.reveal(r.Context(), callerOf(r), r.PathValue("token"), reason)
}

// reveal opens a card for a reason. The record of it is durable before anything
// is opened (decision D9).
func (s *Service) reveal(ctx context.Context, who caller, token, reason string) (secret.Bytes, error) {
	e := who.entry(actReveal, token)
	e.Reason = reason
	d, err := s.revealable(ctx, who, token)
	if err != nil {
		return secret.Bytes{}, s.refused(ctx, e, err)
	}
	var out secret.Bytes
	event := s.event(actReveal, token, d)
	event.Data.Reason = reason
	err = s.audited(ctx, e, func(*audit.Act) error {
		return s.announce.Around(ctx, event, func() (err error) {
			out, err = s.open(ctx, token, d)
			return err
		})
	})
	if err == nil {
		s.metrics.count(actReveal)
	}
	return out, err
}

// revealable returns the card if the caller may see its number now, and counts
// that.
func (s *Service) revealable(ctx context.Context, who caller, token string) (document, error) {
	d, err := s.visible(ctx, who, token)
	if err != nil {
		return d, err
	}
	if d.Status == Disabled {
		return d, disabled()
	}
	err = s.reveals.Take(ctx, who.client)
	if locked, ok := errors.AsType[*limit.Locked](err); ok {
		s.metrics.refused.Inc()
		return d, problem.Throttled(locked.Until.Sub(s.now())).With("This client has seen as many numbers as it may within an hour; wait for the time given in Retry-After.")
	}
	return d, err
}

// refused puts on record that somebody asked for a number and was refused
// (PCI DSS 10.2.1.4), and returns err.
func (s *Service) refused(ctx context.Context, e audit.Entry, err error) error {
	if audit.ResultOf(err) != audit.Refused {
		return err
	}
	if failed := s.audit.Note(ctx, e, audit.Refused); failed != nil {
		s.metrics.unaudited.Inc()
		return failed
	}
	return err
}

// open returns the answer to a reveal. Number and name exist in buffers that
// are wiped, and nowhere as a string.
func (s *Service) open(ctx context.Context, token string, d document) (secret.Bytes, error) {
	number, err := s.vault.Open(ctx, place(d.Firm, d.Mode, token, fieldNumber), d.Content.Number)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("open a number: %w", err)
	}
	defer number.Wipe()
	name, err := s.vault.Open(ctx, place(d.Firm, d.Mode, token, fieldName), d.Content.Name)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("open a name: %w", err)
	}
	defer name.Wipe()
	return answer(number.Reveal(), name.Reveal(), card.Expiry{Month: d.Content.ExpiryMonth, Year: d.Content.ExpiryYear})
}

// answer writes the JSON into one buffer that is never copied: six bytes are
// the most that one of the name takes.
func answer(number, name []byte, expiry card.Expiry) (secret.Bytes, error) {
	b := make([]byte, 0, 128+len(number)+6*len(name))
	b = append(b, `{"card_number":"`...)
	b = append(b, number...)
	b = append(b, `","expiry_date":"`...)
	b = append(b, expiry.String()...)
	b = append(b, `","cardholder_name":`...)
	b, err := jsontext.AppendQuote(b, name)
	if err != nil {
		clear(b)
		return secret.Bytes{}, errors.New("firmcard: a stored name is not UTF-8")
	}
	return secret.New(append(b, '}')), nil
}
