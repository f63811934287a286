package outbox

import (
	"context"
	"errors"
	"time"

	"ccms/internal/store"
)

// Item is what an operator may know of a message: never what it says, nor
// whose it is.
type Item struct {
	ID      string
	Kind    string
	State   string // "queued" or "dead"
	Created time.Time
	Due     time.Time // when it is tried next; zero when it is dead
	Tries   int       // since Put or Retry
	Failure string    // class of the last failure, "" without one
	Leased  bool      // a worker has it in hand
}

// ErrBusy says that a worker has the message in hand.
var ErrBusy = errors.New("outbox: the message is being handled")

// classified is an error that tells its class in a few words that name nobody.
type classified interface {
	error
	Class() string
}

// class is what Item.Failure keeps of err.
func class(err error) string {
	if c, ok := errors.AsType[classified](err); ok {
		return c.Class()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	return "failed"
}

// since is what MaxAge counts from.
func (l letter) since() time.Time {
	if l.Since != nil {
		return *l.Since
	}
	return l.Created
}

// List returns the messages of a kind, the oldest first, at most 10,000 of
// each state: those that wait, then the dead.
func (q *Queue) List(ctx context.Context, kind string) ([]Item, error) {
	items := []Item{}
	for _, state := range []string{queued, dead} {
		for r, err := range q.docs.Find(ctx, inState(state)) {
			if err != nil {
				return nil, err
			}
			if r.Value.Kind == kind {
				items = append(items, item(r))
			}
		}
	}
	return items, nil
}

func item(r store.Record[letter]) Item {
	i := Item{
		ID: r.ID, Kind: r.Value.Kind, State: r.Value.State, Created: r.Value.Created,
		Tries: r.Value.Tries, Failure: r.Value.Failure, Leased: r.Value.Leased,
	}
	if i.State == queued {
		i.Due = r.Value.Due
	}
	return i
}

// Retry makes a message of a kind due now, a dead one too, and gives it a whole
// MaxAge again. Its errors are store.ErrNotFound, ErrBusy and the store's.
func (q *Queue) Retry(ctx context.Context, kind, id string) error {
	for {
		r, err := q.docs.Get(ctx, id)
		if err != nil {
			return err
		}
		now := q.now()
		switch {
		case r.Value.Kind != kind:
			return store.ErrNotFound
		case r.Value.Leased && r.Value.State == queued && r.Value.Due.After(now):
			return ErrBusy // a second worker would send it twice
		}
		r.Value.State, r.Value.Due, r.Value.Since, r.Value.Expires = queued, now, &now, nil
		r.Value.Tries, r.Value.Leased = 0, false
		if err = q.docs.Replace(ctx, r); !errors.Is(err, store.ErrStale) {
			q.rouse()
			return err
		}
	}
}
