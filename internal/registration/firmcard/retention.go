package firmcard

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"ccms/internal/audit"
	"ccms/internal/retention"
	"ccms/internal/store"
	"ccms/internal/vault/rewrap"
)

const (
	// slowestSweep and fastestSweep bound how often Run looks for tombstones to
	// remove; between them it is a tenth of the retention.
	slowestSweep = time.Hour
	fastestSweep = time.Second
	// sweepPage is how many tombstones a sweep reads at a time.
	sweepPage = 100
)

// Run removes tombstones whose retention is over, and gives back what clients
// did not use of their reveals, until ctx ends; then it returns nil.
func (s *Service) Run(ctx context.Context) error {
	var quota sync.WaitGroup
	defer quota.Wait()
	quota.Go(func() { _ = s.reveals.Run(ctx) })
	sweep := time.NewTicker(s.sweepEvery())
	defer sweep.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.LogAttrs(ctx, slog.LevelError, "removing what is left of deleted cards failed; it is tried again", slog.String("error.message", err.Error()))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-sweep.C:
		}
	}
}

// Sweep removes, once, the tombstone of every card that was deleted longer ago
// than the retention. The card itself went when it was deleted.
func (s *Service) Sweep(ctx context.Context) error {
	cutoff := s.now().Add(-s.retention)
	for {
		var page []store.Record[document]
		for r, err := range s.cards.Find(ctx, deleted(cutoff, sweepPage)) {
			if err != nil {
				return err
			}
			page = append(page, r)
		}
		for _, r := range page {
			e := audit.Entry{Act: actErase, Actor: "creditcard", Object: r.ID, Owner: r.Value.Firm}
			err := s.audited(ctx, e, func(*audit.Act) error {
				err := s.cards.Delete(ctx, r.ID, r.Rev)
				if errors.Is(err, store.ErrStale) {
					return nil // another instance was first
				}
				return err
			})
			if err != nil {
				return err
			}
			s.metrics.count(actErase)
		}
		if len(page) < sweepPage {
			return nil
		}
	}
}

// deleted finds the cards deleted at or before a time, oldest first.
func deleted(cutoff time.Time, limit int) store.Query {
	return store.Query{
		Where: []store.Cond{{Field: "deletedAt", Op: store.Le, Value: cutoff}},
		Order: "deletedAt", Limit: limit,
	}
}

// Overdue counts the tombstones there are, and those that should be gone at now.
func (s *Service) Overdue(ctx context.Context, now time.Time) (retention.Class, error) {
	c := retention.Class{
		Name:          "deleted cards of firms",
		Justification: "Token, firm and dates alone, so that a token deleted by mistake can be explained. Number, keys and look-up value go when the card is deleted.",
		Keep:          s.retention, Grace: s.sweepEvery(),
	}
	for r, err := range s.cards.Find(ctx, deleted(now, 0)) {
		if err != nil {
			return c, err
		}
		c.Note(r.Value.DeletedAt, now)
	}
	return c, nil
}

func (s *Service) sweepEvery() time.Duration {
	return min(max(s.retention/10, fastestSweep), slowestSweep)
}

// Sealed is where firms' cards are, for whoever looks after their keys.
func (s *Service) Sealed() rewrap.Book {
	return rewrap.Of(s.cards, func(token string, d *document) []rewrap.Value {
		c := d.Content
		if c == nil {
			return nil
		}
		of := owner(d.Firm, d.Mode)
		filed := rewrap.Filed{Owner: of, Under: c.kept(of), Keep: func(f string) { c.keep(of, f) }}
		return []rewrap.Value{
			{At: place(d.Firm, d.Mode, token, fieldNumber), Sealed: &c.Number, Filed: filed},
			{At: place(d.Firm, d.Mode, token, fieldName), Sealed: &c.Name},
		}
	})
}
