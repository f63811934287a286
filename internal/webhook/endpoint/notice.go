package endpoint

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"ccms/internal/store"
)

// Notice is that we disabled an endpoint, for the firm's people.
type Notice struct {
	Owner
	ID     string // of the endpoint
	Host   string // that is called no more; the rest of the URL may hold a secret
	Reason string // Failing or Gone
	At     time.Time
}

const (
	fieldUntold = "untold"
	untold      = "yes"
	// tellEvery is how often what could not be told is tried again, and what an
	// instance left behind that died.
	tellEvery = 30 * time.Second
	// tellAtOnce bounds a round.
	tellAtOnce = 100
)

// mark keeps the field by which a book with something untold is found.
func (b *book) mark() {
	b.Untold = ""
	if slices.ContainsFunc(b.Endpoints, func(e Endpoint) bool { return e.Untold != nil }) {
		b.Untold = untold
	}
}

// rouse has Run look now.
func (s *Service) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run has firms' people told of endpoints that were disabled, until ctx ends. It
// returns nil. What is told is noted behind it, so that a crash in between tells
// it twice and never not at all.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		if err := s.tell(ctx); err != nil && ctx.Err() == nil {
			s.c.Log.WarnContext(ctx, "people of a firm could not be told that an endpoint is disabled", "error.message", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.wake:
		}
	}
}

// tell tells what is untold. What fails does not hold up the rest.
func (s *Service) tell(ctx context.Context) (failed error) {
	if s.c.Tell == nil {
		return nil
	}
	var books []store.Record[book]
	q := store.Query{Where: []store.Cond{{Field: fieldUntold, Op: store.Eq, Value: untold}}, Limit: tellAtOnce}
	for r, err := range s.docs.Find(ctx, q) {
		if err != nil {
			return err
		}
		books = append(books, r)
	}
	for _, r := range books {
		firm, mode, _ := strings.Cut(r.ID, "/")
		o := Owner{FirmID: firm, Mode: mode}
		for _, e := range r.Value.Endpoints {
			if e.Untold == nil {
				continue
			}
			if err := s.tellOf(ctx, o, e); err != nil {
				failed = err
			}
		}
	}
	return failed
}

func (s *Service) tellOf(ctx context.Context, o Owner, e Endpoint) error {
	n := Notice{Owner: o, ID: e.ID, Reason: e.Reason, At: *e.Untold}
	if u, err := url.Parse(e.URL); err == nil {
		n.Host = u.Hostname()
	}
	if err := s.c.Tell(ctx, n); err != nil {
		return err
	}
	return s.note(ctx, o, e.ID, func(now *Endpoint) error {
		if now.Untold == nil || !now.Untold.Equal(*e.Untold) {
			return errSame // it was enabled, or disabled once more
		}
		now.Untold = nil
		return nil
	})
}
