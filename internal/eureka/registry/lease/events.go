package lease

// lastEvents is how many who came, and how many who went, are remembered.
const lastEvents = 1000

// The rings of Table.last.
const (
	came = iota
	gone
)

// Event is a lease that was registered or cancelled.
type Event struct {
	At      int64 // Unix milliseconds
	App, ID string
}

// ring is the latest events.
type ring struct {
	events []Event
	next   int
}

func (r *ring) add(e Event) {
	if len(r.events) < lastEvents {
		r.events = append(r.events, e)
		return
	}
	r.events[r.next] = e
	r.next = (r.next + 1) % lastEvents
}

// newest returns the events, the newest first.
func (r *ring) newest() []Event {
	out := make([]Event, 0, len(r.events))
	for i := range r.events {
		out = append(out, r.events[(r.next+len(r.events)-1-i)%len(r.events)])
	}
	return out
}

// LastRegistered returns the last thousand registrations, the newest first.
func (t *Table) LastRegistered() []Event { return t.events(came) }

// LastCancelled returns the last thousand leases that were cancelled or
// evicted, the newest first.
func (t *Table) LastCancelled() []Event { return t.events(gone) }

func (t *Table) events(which int) []Event {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.last[which].newest()
}
