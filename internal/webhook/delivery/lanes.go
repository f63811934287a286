package delivery

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"time"

	"ccms/internal/store"
)

const (
	// inMemory bounds how many deliveries of a lane are known in memory; what
	// does not fit is found in the store when its lease has run out.
	inMemory = 1000
	// page is how many due deliveries of a lane are read at once.
	page = 256
)

// turn is a delivery that is to be made.
type turn struct {
	id string
	// happened says that the act is done, and that the first lease is ours.
	happened bool
}

// lane is what there is to do for one endpoint.
type lane struct {
	ready   []turn
	known   map[string]bool // the ids in ready and in hand
	running int
	limit   int  // how many calls it may make at once now
	more    bool // the store has more that is due
}

// hand gives a delivery to its lane.
func (s *Service) hand(endpointID string, turns ...turn) {
	s.mu.Lock()
	l := s.lanes[endpointID]
	if l == nil {
		l = &lane{known: map[string]bool{}, limit: 1}
		s.lanes[endpointID] = l
	}
	for _, t := range turns {
		if len(l.ready) < inMemory && !l.known[t.id] {
			l.ready, l.known[t.id] = append(l.ready, t), true
		}
	}
	s.mu.Unlock()
	s.rouse()
}

// rouse tells Run to look now.
func (s *Service) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run delivers until ctx ends, then waits for the calls under way, which are cut
// short, and gives back what was not delivered. It returns nil.
func (s *Service) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	tick := time.NewTicker(s.c.Poll)
	defer tick.Stop()
	s.lookIntoStore(ctx)
	for ctx.Err() == nil {
		for endpointID, t := range s.turns() {
			group.Go(func() { s.done(endpointID, t.id, s.deliver(ctx, t)) })
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
			s.refill(ctx)
		case <-tick.C:
			s.lookIntoStore(ctx)
		}
	}
	return nil
}

// turns yields what may be done now, until all places are taken.
func (s *Service) turns() iter.Seq2[string, turn] {
	return func(yield func(string, turn) bool) {
		for {
			endpointID, t, ok := s.next()
			if !ok || !yield(endpointID, t) {
				return
			}
		}
	}
}

// next takes a turn of any lane that may make a call now. Lanes come up in no
// order, so none is always first.
func (s *Service) next() (endpointID string, t turn, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running >= s.c.Parallel {
		return "", turn{}, false
	}
	for endpointID, l := range s.lanes {
		if len(l.ready) == 0 || l.running >= l.limit {
			continue
		}
		t, l.ready = l.ready[0], l.ready[1:]
		l.running++
		s.running++
		return endpointID, t, true
	}
	return "", turn{}, false
}

// outcome is what a turn tells its lane.
type outcome int

const (
	fine    outcome = iota
	careful         // the endpoint failed or was slow
	stuck           // the store did not do what was needed
)

// done gives a lane its place back; one with nothing to do is forgotten.
func (s *Service) done(endpointID, deliveryID string, how outcome) {
	s.mu.Lock()
	l := s.lanes[endpointID]
	delete(l.known, deliveryID)
	l.running--
	s.running--
	switch how {
	case fine:
		l.limit = min(l.limit+1, s.c.PerEndpoint)
	case careful:
		l.limit = 1
	case stuck:
		l.more = false // the store is left alone until the next look
	}
	if len(l.known) == 0 && !l.more {
		delete(s.lanes, endpointID)
	}
	s.mu.Unlock()
	s.rouse()
}

// refill reads on in lanes that ran dry and have more in the store.
func (s *Service) refill(ctx context.Context) {
	var dry []string
	s.mu.Lock()
	for endpointID, l := range s.lanes {
		if l.more && len(l.ready) == 0 {
			dry = append(dry, endpointID)
		}
	}
	s.mu.Unlock()
	for _, endpointID := range dry {
		s.takeUp(ctx, endpointID, s.now())
	}
}

// lookIntoStore hands what is due to its lanes. It looks at the first of each
// lane and skips to the next one, so that it costs the number of lanes, not what
// waits in them.
func (s *Service) lookIntoStore(ctx context.Context) {
	now := s.now()
	behind := ""
	for {
		first, err := s.docs.First(ctx, store.Query{
			Where: []store.Cond{{Field: "lane", Op: store.Gt, Value: behind}}, Order: "lane",
		})
		if err != nil {
			if !errors.Is(err, store.ErrNotFound) {
				s.unreadable(ctx, err)
			}
			return
		}
		endpointID, _, _ := strings.Cut(first.Value.Lane, "/")
		if !first.Value.due().After(now) && s.dry(endpointID) {
			if err := s.active(ctx, first.Value.Firm); err == nil {
				s.takeUp(ctx, endpointID, now)
			} else if !errors.Is(err, errSuspended) {
				s.unreadable(ctx, err)
			}
		}
		behind = endpointID + "0" // follows the slash
	}
}

// dry reports whether nothing of a lane waits in memory: while something does,
// what waits behind it in the store is not read again at every look.
func (s *Service) dry(endpointID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lanes[endpointID]
	return l == nil || len(l.ready) == 0
}

// takeUp hands over what is due in one lane, the oldest first.
func (s *Service) takeUp(ctx context.Context, endpointID string, now time.Time) {
	var due []turn
	for r, err := range s.docs.Find(ctx, store.Query{
		Where: []store.Cond{
			{Field: "lane", Op: store.Gt, Value: endpointID + "/"},
			{Field: "lane", Op: store.Le, Value: laneAt(endpointID, now)},
		},
		Order: "lane", Limit: page,
	}) {
		if err != nil {
			s.unreadable(ctx, err)
			break
		}
		due = append(due, turn{id: r.ID})
	}
	s.hand(endpointID, due...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[endpointID]; l != nil {
		l.more = len(due) == page
		if len(l.known) == 0 {
			delete(s.lanes, endpointID)
		}
	}
}

// unreadable tells that the store could not be read; the next look may do.
func (s *Service) unreadable(ctx context.Context, err error) {
	if ctx.Err() == nil {
		s.c.Log.WarnContext(ctx, "webhook deliveries cannot be read", "error.message", err)
	}
}
