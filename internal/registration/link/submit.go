package link

import (
	"context"
	"errors"
	"log/slog"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/store"
)

// Open returns what the link with a secret says, and uses nothing up. A link
// that is unknown is 404 NOT_FOUND, one whose client may not have it any more
// 409 LINK_WITHDRAWN; other errors are the store's, or those of Config.Client.
func (s *Service) Open(ctx context.Context, text string) (View, error) {
	rec, err := s.find(ctx, text)
	return rec.Value.view(rec.ID, s.c.Now()), err
}

// find returns the link, with a submission settled whose process died between
// the registration and the note of it.
func (s *Service) find(ctx context.Context, text string) (store.Record[document], error) {
	none := store.Record[document]{}
	hash, ok := hashOf([]byte(text))
	if !ok {
		return none, unknown()
	}
	rec, err := s.links.First(ctx, store.Query{Where: []store.Cond{{Field: "hash", Op: store.Eq, Value: hash}}})
	if errors.Is(err, store.ErrNotFound) {
		return none, unknown()
	}
	if err != nil {
		return none, err
	}
	c, err := s.c.Client(ctx, rec.Value.Client)
	if err != nil {
		return none, err
	}
	if !c.allowed(rec.Value) {
		return none, withdrawn()
	}
	return s.settled(ctx, rec)
}

// settled looks whether a submission that nobody works on any more made its
// registration.
func (s *Service) settled(ctx context.Context, rec store.Record[document]) (store.Record[document], error) {
	d, now := rec.Value, s.c.Now()
	if d.Registration == "" || !d.UsedAt.IsZero() || now.Before(d.ClaimedUntil) {
		return rec, nil
	}
	there, err := s.c.Registered(ctx, Submission{d.view(rec.ID, now), d.Registration})
	if err != nil || !there {
		return rec, err
	}
	return s.links.Update(ctx, rec.ID, func(v *document) error {
		v.settle(d.Registration, now)
		return nil
	})
}

// Submission is what a registration through a link is made of.
type Submission struct {
	View
	// RegistrationID is the id the registration must have. One that is there
	// under it already was made by this link.
	RegistrationID string
}

// Submit has register make the registration the link is for, and uses the link
// up if that succeeds. Of many at once one gets to register; a link that is
// used, expired, revoked, withdrawn or being used is 409 with a code of its own,
// an unknown one 404 NOT_FOUND. Where register is refused the link stays open; where it
// failed, and nobody knows how far it came, the next submission has the same
// registration id. Its errors are returned as they are.
func (s *Service) Submit(ctx context.Context, text string, register func(context.Context, Submission) error) error {
	rec, err := s.find(ctx, text)
	if err != nil {
		return err
	}
	if err := rec.Value.usable(s.c.Now()); err != nil {
		return err
	}
	e := audit.Entry{
		Act: actSubmit, Actor: rec.ID, Object: rec.ID, Owner: rec.Value.Firm, Request: httpserver.RequestID(ctx),
	}
	return s.audited(ctx, e, func(*audit.Act) error {
		claimed, err := s.links.Update(ctx, rec.ID, func(d *document) error {
			return d.claim(rec.Value.Registration, s.c.NewID(), s.c.Now())
		})
		if err != nil {
			return err
		}
		id := claimed.Value.Registration
		err = register(ctx, Submission{claimed.Value.view(rec.ID, s.c.Now()), id})
		s.finish(ctx, rec.ID, id, err)
		return err
	})
}

// finish notes how a submission ended. Without that note it is settled when the
// link is looked at again, so a failure is told to the log alone.
func (s *Service) finish(ctx context.Context, link, registration string, err error) {
	_, failed := s.links.Update(context.WithoutCancel(ctx), link, func(d *document) error {
		if err == nil {
			d.settle(registration, s.c.Now())
		} else {
			d.release(registration, audit.ResultOf(err) == audit.Refused)
		}
		return nil
	})
	if failed != nil {
		s.c.Log.LogAttrs(ctx, slog.LevelError, "the end of a link's submission was not noted; it is settled later",
			slog.String("error.message", failed.Error()))
	}
}
