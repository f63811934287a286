package creditcard

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"ccms/internal/audit"
	"ccms/internal/retention"
	"ccms/internal/store"
	"ccms/internal/vault/rewrap"
)

const (
	// slowestSweep and fastestSweep bound how often Run looks for cards to
	// erase; between them it is a tenth of the retention.
	slowestSweep = time.Hour
	fastestSweep = time.Second
	// sweepPage is how many cardholders a sweep reads at a time.
	sweepPage = 100
	// erasedFor is how long an erased account stays marked: longer than any
	// token or request of it lives.
	erasedFor = 24 * time.Hour
)

// Run erases cards whose deletion is older than the retention, and forgets
// codes, until ctx ends; then it returns nil.
func (s *Service) Run(ctx context.Context) error {
	defer s.guesses.Close()
	sweep := time.NewTicker(s.sweepEvery())
	defer sweep.Stop()
	forget := time.NewTicker(time.Minute)
	defer forget.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.LogAttrs(ctx, slog.LevelError, "erasing deleted cards failed; it is tried again", slog.String("error.message", err.Error()))
		}
		for due := false; !due; {
			select {
			case <-ctx.Done():
				return nil
			case <-forget.C:
				s.guesses.Forget()
			case <-sweep.C:
				due = true
			}
		}
	}
}

// Sweep erases, once, every card whose deletion is older than the retention:
// ciphertext with its key, look-up value and token (decision C10).
func (s *Service) Sweep(ctx context.Context) error {
	cutoff := s.now().Add(-s.retention)
	due := store.Query{
		Where: []store.Cond{{Field: "deletedSince", Op: store.Le, Value: cutoff}},
		Order: "deletedSince", Limit: sweepPage,
	}
	for {
		var page []store.Record[cardholder]
		for r, err := range s.holders.Find(ctx, due) {
			if err != nil {
				return err
			}
			page = append(page, r)
		}
		for _, r := range page {
			if err := s.eraseOverdue(ctx, r, cutoff); err != nil {
				return err
			}
		}
		if len(page) < sweepPage {
			return nil
		}
	}
}

func (s *Service) sweepEvery() time.Duration {
	return min(max(s.retention/10, fastestSweep), slowestSweep)
}

// Overdue counts the deleted cards that wait for their erasure, and those that
// should be erased at now.
func (s *Service) Overdue(ctx context.Context, now time.Time) (retention.Class, error) {
	c := retention.Class{
		Name:          "deleted cards of cardholders",
		Justification: "A deletion can be undone for ten minutes; after that the card is kept, sealed, for questions about it.",
		Keep:          s.retention, Grace: s.sweepEvery(),
	}
	all := store.Query{
		Where: []store.Cond{{Field: "deletedSince", Op: store.Le, Value: now}},
		Order: "deletedSince",
	}
	for r, err := range s.holders.Find(ctx, all) {
		if err != nil {
			return c, err
		}
		for _, card := range r.Value.Cards {
			if card.Deleted {
				c.Note(card.DeletedAt, now)
			}
		}
	}
	return c, nil
}

// Sealed is where cardholders' numbers are, for whoever looks after their keys.
func (s *Service) Sealed() rewrap.Book {
	return rewrap.Of(s.holders, func(id string, h *cardholder) []rewrap.Value {
		values := make([]rewrap.Value, len(h.Cards))
		for i := range h.Cards {
			c := &h.Cards[i]
			values[i] = rewrap.Value{
				At: place(id, c.ID), Sealed: &c.Number,
				Filed: rewrap.Filed{Owner: lookupOwner(id), Under: []string{c.Fingerprint}, Keep: func(f string) { c.Fingerprint = f }},
			}
		}
		return values
	})
}

// eraseOverdue erases one cardholder's overdue cards, each on record.
func (s *Service) eraseOverdue(ctx context.Context, r store.Record[cardholder], cutoff time.Time) error {
	who := caller{id: r.ID, actor: "creditcard"}
	for _, c := range r.Value.Cards {
		if !c.overdue(cutoff) {
			continue
		}
		err := s.audited(ctx, who.entry(actErase, c.Token), func(*audit.Act) error {
			_, err := s.holders.Update(ctx, r.ID, func(h *cardholder) error {
				h.erase(c.Token, cutoff)
				return nil
			})
			if errors.Is(err, store.ErrNotFound) {
				return nil // the whole account went meanwhile
			}
			return err
		})
		if err != nil {
			return err
		}
		s.metrics.count(actErase, 1)
	}
	return nil
}

// eraseHolder erases all cards of an account that goes. It leaves a mark
// without any data of the person, so that a request still under way makes
// nothing new; asked again it does the same again.
func (s *Service) eraseHolder(ctx context.Context, who caller) error {
	mark := cardholder{Cards: []creditCard{}, Erased: true, ExpiresAt: s.now().Add(erasedFor)}
	return s.audited(ctx, who.entry(actErase, who.id), func(*audit.Act) error {
		erased := 0
		for {
			_, err := s.holders.Update(ctx, who.id, func(h *cardholder) error {
				erased = len(h.Cards)
				*h = mark
				return nil
			})
			if errors.Is(err, store.ErrNotFound) {
				err = s.holders.Insert(ctx, who.id, mark)
			}
			if errors.Is(err, store.ErrExists) {
				continue // the first card came between the two
			}
			if err == nil {
				s.metrics.count(actErase, erased)
			}
			return err
		}
	})
}

// export returns every card kept for a cardholder, deleted ones too, masked.
func (s *Service) export(ctx context.Context, who caller) (cards []Card, err error) {
	err = s.audited(ctx, who.entry(actExport, who.id), func(*audit.Act) error {
		h, err := s.holder(ctx, who.id)
		cards = h.all()
		return err
	})
	if err == nil {
		s.metrics.count(actExport, 1)
	}
	return cards, err
}
