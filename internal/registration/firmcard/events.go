package firmcard

import (
	"context"
	"errors"

	"ccms/internal/store"
	"ccms/internal/webhook"
)

// event is what a firm is told of an act on a card, as it was before.
func (s *Service) event(act, token string, d document) webhook.Event {
	v := d.view(token)
	e := webhook.Event{
		ID: webhook.NewEventID(), FirmID: d.Firm, Mode: d.Mode, Time: s.now(),
		Data: webhook.Data{Mode: d.Mode, Token: token, Brand: v.Brand, Last4: v.Last4, Status: d.Status},
	}
	switch act {
	case actEnable:
		e.Type, e.Data.Status = webhook.CardEnabled, Enabled
	case actDisable:
		e.Type, e.Data.Status = webhook.CardDisabled, Disabled
	case actDelete:
		e.Type, e.Data.Status = webhook.CardDeleted, Deleted
	case actReveal:
		e.Type = webhook.CardRevealed
	}
	return e
}

// announceTo is who announces an act that changes something, else nobody.
func (s *Service) announceTo(changes bool) webhook.Announce {
	if changes {
		return s.announce
	}
	return nil
}

// Happened reports whether an act that was announced happened. Of a reveal that
// was cut off nobody knows; it counts as one.
func (s *Service) Happened(ctx context.Context, e webhook.Event) (bool, error) {
	if e.Type == webhook.CardRevealed {
		return true, nil
	}
	r, err := s.cards.Get(ctx, e.Data.Token)
	if errors.Is(err, store.ErrNotFound) {
		return e.Type == webhook.CardDeleted, nil // its tombstone is gone too
	}
	return err == nil && r.Value.Firm == e.FirmID && r.Value.Status == e.Data.Status, err
}
