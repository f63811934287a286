package operator

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"ccms/internal/rotation"
	"ccms/internal/store"
)

// The states of what goes on in the background.
const (
	Never   = "never"
	Running = "running" // now, in any process
	Done    = "done"
	Stopped = "stopped" // by an error, or the end of its process: start it again
)

const (
	// collection has a document for each task of each service: how it goes, so that
	// every process can tell, also when the one that did it is no more.
	collection = "OperatorTask"
	// beat is how often a process says that its task goes on, and silence for how
	// long it may say nothing before it is taken for dead.
	beat    = 2 * time.Second
	silence = 15 * time.Second
	// lastWrite bounds what is written when a process ends.
	lastWrite = 2 * time.Second
)

// Task is something that takes long.
type Task struct {
	State   string    `json:"state"`
	Started time.Time `json:"started_at,omitzero"`
	Ended   time.Time `json:"ended_at,omitzero"`
}

// note is how a task goes, as it is kept.
type note struct {
	State   string    `bson:"state"`
	Process string    `bson:"process"` // a name for this run of it alone
	Started time.Time `bson:"started"`
	Ended   time.Time `bson:"ended,omitempty"`
	Heard   time.Time `bson:"heard"` // from its process
	// What a check of the record found, and how far a move to other keys is.
	Found    *found             `bson:"found,omitempty"`
	Progress *rotation.Progress `bson:"progress,omitempty"`
}

// goesOn reports whether somebody is at it.
func (n *note) goesOn(now time.Time) bool { return n.State == Running && now.Sub(n.Heard) <= silence }

// task is n for operators.
func (n *note) task() Task { return Task{n.State, n.Started.UTC(), n.Ended.UTC()} }

// errLeave ends a change of a note that is another's, or is right already.
var errLeave = errors.New("operator: the note stays as it is")

// background runs tasks, each at most once at a time wherever it runs, and ends
// with close.
type background struct {
	now   func() time.Time
	log   *slog.Logger
	notes func(context.Context) (*store.Of[note], error)
	// process is what this one calls itself in notes.
	process string
	stop    chan struct{}

	mu     sync.Mutex
	closed bool
	work   sync.WaitGroup
}

func newBackground(c Config) background {
	open := func(ctx context.Context) (*store.Of[note], error) {
		record, err := c.Record(ctx)
		if err != nil {
			return nil, err
		}
		record.Key.Wipe()
		return store.Open[note](ctx, record.DB, store.Spec{Name: collection})
	}
	return background{now: c.Now, log: c.Log, notes: once(open), process: rand.Text(), stop: make(chan struct{})}
}

// once remembers what open gave, but no error.
func once[T any](open func(context.Context) (*T, error)) func(context.Context) (*T, error) {
	var mu sync.Mutex
	var opened *T
	return func(ctx context.Context) (_ *T, err error) {
		mu.Lock()
		defer mu.Unlock()
		if opened == nil {
			opened, err = open(ctx)
		}
		return opened, err
	}
}

// write changes a note, or makes it. errLeave is none of its errors.
func (b *background) write(ctx context.Context, id string, change func(*note) error) error {
	docs, err := b.notes(ctx)
	for err == nil {
		_, err = docs.Update(ctx, id, change)
		if !errors.Is(err, store.ErrNotFound) {
			break
		}
		var n note
		if err = change(&n); err != nil {
			break
		}
		if err = docs.Insert(ctx, id, n); !errors.Is(err, store.ErrExists) {
			break
		}
		err = nil
	}
	if errors.Is(err, errLeave) {
		return nil
	}
	return err
}

// look returns the note of a task. One whose process is silent has stopped.
func (b *background) look(ctx context.Context, id string) (note, error) {
	docs, err := b.notes(ctx)
	if err != nil {
		return note{}, err
	}
	r, err := docs.Get(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return note{State: Never}, nil
	case err != nil:
		return note{}, err
	case r.Value.State == Running && !r.Value.goesOn(b.now()):
		r.Value.State, r.Value.Ended = Stopped, r.Value.Heard
	}
	return r.Value, nil
}

// start runs do, unless the task goes on already, here or elsewhere, or the
// process ends. A request that is over does not end it. do may add to the note
// what it found.
func (b *background) start(ctx context.Context, id string, do func(context.Context, *note) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	now := b.now().UTC().Truncate(time.Millisecond)
	n, begun := note{State: Running, Process: b.process, Started: now, Heard: now}, false
	err := b.write(ctx, id, func(there *note) error {
		if begun = !there.goesOn(now); !begun {
			return errLeave
		}
		*there = n
		return nil
	})
	if err != nil || !begun {
		return err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	b.work.Go(func() {
		defer cancel()
		b.say(ctx, id, ended)
	})
	b.work.Go(func() {
		defer close(ended)
		err := do(ctx, &n)
		n.State, n.Ended = Done, b.now().UTC()
		if err != nil {
			n.State = Stopped
		}
		b.last(ctx, id, n)
	})
	return nil
}

// say says that a task goes on, until it has ended or the process does.
func (b *background) say(ctx context.Context, id string, ended <-chan struct{}) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		select {
		case <-b.stop:
			return
		case <-ended:
			return
		case <-tick.C:
		}
		// What fails is said again; if nothing comes through, the task counts as
		// stopped until it has ended.
		_ = b.write(ctx, id, func(n *note) error {
			if n.State != Running || n.Process != b.process {
				return errLeave
			}
			n.Heard = b.now().UTC()
			return nil
		})
	}
}

// last writes how a task of this process ended.
func (b *background) last(ctx context.Context, id string, n note) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
	defer cancel()
	n.Heard = n.Ended
	err := b.write(ctx, id, func(there *note) error {
		if there.Process != b.process {
			return errLeave
		}
		*there = n
		return nil
	})
	if err != nil {
		b.log.WarnContext(ctx, "how a task of an operator ended could not be noted", "error.message", err)
	}
}

// close ends all tasks and waits for them.
func (b *background) close() {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.stop)
	}
	b.mu.Unlock()
	b.work.Wait()
}
