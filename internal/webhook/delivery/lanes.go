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
	// maxHold bounds for how long an endpoint that asks to be left alone has its
	// other events wait too, and remembered how many lanes are kept for what they
	// say of their endpoint alone.
	maxHold    = 5 * time.Minute
	remembered = 4096
)

// turn is a delivery that is to be made.
type turn struct {
	id string
	// happened says that the act is done, and that the first lease is ours.
	happened bool
}

// target is an endpoint, and the firm whose it is.
type target struct{ firm, endpoint string }

// lane is what there is to do for one endpoint, and what is known of it.
type lane struct {
	firm    string
	ready   []turn
	known   map[string]bool // the ids in ready and in hand
	running int
	late    int       // of those running, for longer than Config.Slow
	limit   int       // how many calls it may make at once now
	more    bool      // the store has more that is due
	slow    bool      // its last call was
	until   time.Time // it asked to be left alone until then
}

// hand gives deliveries to their lane.
func (s *Service) hand(to target, turns ...turn) {
	s.mu.Lock()
	l := s.lanes[to.endpoint]
	if l == nil {
		l = &lane{firm: to.firm, known: map[string]bool{}, limit: 1}
		s.lanes[to.endpoint] = l
	}
	for _, t := range turns {
		if len(l.ready) < inMemory && !l.known[t.id] {
			l.ready, l.known[t.id] = append(l.ready, t), true
		}
	}
	s.mu.Unlock()
	rouse(s.wake)
}

// rouse wakes who waits for c, now or when he next does.
func rouse(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run delivers until ctx ends, then waits for the calls under way, which are cut
// short, and gives back what was not delivered. It returns nil.
func (s *Service) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { s.look(ctx) })
	for ctx.Err() == nil {
		for c := range s.calls() {
			group.Go(func() {
				c.late = time.AfterFunc(s.c.Slow, func() { s.late(c) })
				s.done(c, s.deliver(ctx, c.turn))
			})
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		}
	}
	return nil
}

// look reads what is due from the store, beside the calls: what is known in
// memory never waits for the store, nor for the login service, which is asked
// about other firms.
func (s *Service) look(ctx context.Context) {
	tick := time.NewTicker(s.c.Poll)
	defer tick.Stop()
	s.lookIntoStore(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.low:
			s.refill(ctx)
		case <-tick.C:
			s.lookIntoStore(ctx)
			rouse(s.wake) // an endpoint may be left alone no more
		}
	}
}

// call is a turn under way, and the place it keeps.
type call struct {
	turn
	endpoint string
	place    *place
	late     *time.Timer
	over     bool
}

// calls yields what may be done now, until all places are taken.
func (s *Service) calls() iter.Seq[*call] {
	return func(yield func(*call) bool) {
		for c := s.next(); c != nil && yield(c); c = s.next() {
		}
	}
}

// next takes a turn of any lane that may make a call now, or returns nil. Lanes
// come up in no order, so none is always first.
func (s *Service) next() *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for endpointID, l := range s.lanes {
		if len(l.ready) == 0 || l.running >= l.limit || now.Before(l.until) || !s.places.free(l) {
			continue
		}
		c := &call{turn: l.ready[0], endpoint: endpointID, place: s.places.take(l)}
		l.ready = l.ready[1:]
		l.running++
		return c
	}
	return nil
}

// late notes that a call lasts.
func (s *Service) late(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.over {
		s.places.late(c.place)
	}
}

// hold leaves an endpoint alone that asked for it.
func (s *Service) hold(endpointID string, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[endpointID]; l != nil && wait > 0 {
		l.until = s.now().Add(min(wait, maxHold))
	}
}

// outcome is what a turn tells its lane.
type outcome int

const (
	fine    outcome = iota
	careful         // the endpoint failed or was slow
	stuck           // the store did not do what was needed
)

// done gives a lane its place back.
func (s *Service) done(c *call, how outcome) {
	c.late.Stop()
	s.mu.Lock()
	l := c.place.lane
	c.over = true
	s.places.give(c.place)
	delete(l.known, c.id)
	l.running--
	switch how {
	case fine:
		l.limit = min(l.limit+1, s.c.PerEndpoint)
	case careful:
		l.limit = 1
	case stuck:
		l.more = false // the store is left alone until the next look
	}
	dry := l.more && len(l.ready) == 0
	s.forget(c.endpoint, l)
	s.mu.Unlock()
	rouse(s.wake)
	if dry {
		rouse(s.low)
	}
}

// forget drops a lane with nothing to do, unless it says of its endpoint what is
// worth to be known the next time.
func (s *Service) forget(endpointID string, l *lane) {
	idle := len(l.known) == 0 && !l.more
	plain := !l.slow && !s.now().Before(l.until) || len(s.lanes) > remembered
	if idle && plain {
		delete(s.lanes, endpointID)
	}
}

// refill reads on in lanes that ran dry and have more in the store.
func (s *Service) refill(ctx context.Context) {
	var dry []target
	s.mu.Lock()
	for endpointID, l := range s.lanes {
		if l.more && len(l.ready) == 0 {
			dry = append(dry, target{l.firm, endpointID})
		}
	}
	s.mu.Unlock()
	for _, to := range dry {
		s.takeUp(ctx, to, s.now())
	}
}

// lookIntoStore hands what is due to its lanes. It looks at the first of each
// lane and skips to the next one, so that it costs the number of lanes, not what
// waits in them. What it sees of their ages is kept for who watches; a lane that
// stands still with its firm does not count.
func (s *Service) lookIntoStore(ctx context.Context) {
	now := s.now()
	behind := ""
	var oldest time.Time
	for {
		first, err := s.docs.First(ctx, store.Query{
			Where: []store.Cond{{Field: "lane", Op: store.Gt, Value: behind}}, Order: "lane",
		})
		if err != nil {
			if errors.Is(err, store.ErrNotFound) {
				s.metrics.oldest.Store(&oldest)
			} else {
				s.unreadable(ctx, err)
			}
			return
		}
		endpointID, _, _ := strings.Cut(first.Value.Lane, "/")
		var standstill error
		if !first.Value.due().After(now) && s.dry(endpointID) {
			if standstill = s.active(ctx, first.Value.Firm); standstill == nil {
				s.takeUp(ctx, target{first.Value.Firm, endpointID}, now)
			} else if !errors.Is(standstill, errSuspended) {
				s.unreadable(ctx, standstill)
			}
		}
		if at := first.Value.CreatedAt; standstill == nil && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
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
func (s *Service) takeUp(ctx context.Context, to target, now time.Time) {
	var due []turn
	for r, err := range s.docs.Find(ctx, store.Query{
		Where: []store.Cond{
			{Field: "lane", Op: store.Gt, Value: to.endpoint + "/"},
			{Field: "lane", Op: store.Le, Value: laneAt(to.endpoint, now)},
		},
		Order: "lane", Limit: page,
	}) {
		if err != nil {
			s.unreadable(ctx, err)
			break
		}
		due = append(due, turn{id: r.ID})
	}
	s.hand(to, due...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[to.endpoint]; l != nil {
		l.more = len(due) == page
		s.forget(to.endpoint, l)
	}
}

// unreadable tells that the store could not be read; the next look may do.
func (s *Service) unreadable(ctx context.Context, err error) {
	if ctx.Err() == nil {
		s.c.Log.WarnContext(ctx, "webhook deliveries cannot be read", "error.message", err)
	}
}
