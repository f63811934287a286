package registration

import (
	"context"
	"errors"

	"ccms/internal/registration/ledger"
	"ccms/internal/registration/verification"
	"ccms/internal/store"
	"ccms/internal/webhook"
)

// event is what a firm is told when a registration gets the status that r has.
// As in the answer to /status, the token is not told before it is verified.
func (s *Service) event(k ledger.Key, r *ledger.Registration) webhook.Event {
	e := webhook.Event{FirmID: k.Firm, Mode: k.Mode, Type: eventOf(r.Status), Time: s.now()}
	e.ID = webhook.EventID(e.Type, k.String())
	e.Data = webhook.Data{
		Mode: k.Mode, RegistrationID: k.ID.String(), Status: r.Status, Reason: r.Reason,
		Brand: r.Brand, Last4: r.Last4, Reference: r.Reference,
	}
	if r.Status == verification.Verified {
		e.Data.Token = r.Token
	}
	return e
}

func eventOf(status string) string { return "registration." + status }

// Happened reports whether a registration has, or had, the status that an event
// tells of. One that was deleted has nothing to tell any more.
func (s *Service) Happened(ctx context.Context, e webhook.Event) (bool, error) {
	id, ok := ledger.ParseID(e.Data.RegistrationID)
	if !ok {
		return false, nil
	}
	r, err := s.ledger.Get(ctx, ledger.Key{Firm: e.FirmID, Mode: e.Mode, ID: id})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && (e.Type == webhook.RegistrationPending || e.Type == eventOf(r.Status)), err
}
