package operator

import (
	"context"
	"sync"
	"time"
)

// The states of what goes on in the background.
const (
	Never   = "never"   // not since this process started
	Running = "running" // now
	Done    = "done"
	Stopped = "stopped" // by an error, or the end of the process: start it again
)

// Task is something that takes long.
type Task struct {
	State   string    `json:"state"`
	Started time.Time `json:"started_at,omitzero"`
	Ended   time.Time `json:"ended_at,omitzero"`
}

// background runs tasks, each at most once at a time, and ends with close.
type background struct {
	now  func() time.Time
	stop chan struct{}

	mu     sync.Mutex // of the tasks too
	closed bool
	work   sync.WaitGroup
}

// task is a Task as it is kept.
type task struct{ Task }

// start runs do, unless t goes on already or the process ends. A request that is
// over does not end it.
func (b *background) start(ctx context.Context, t *task, do func(context.Context) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || t.State == Running {
		return
	}
	t.Task = Task{State: Running, Started: b.now().UTC()}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	b.work.Go(func() {
		defer cancel()
		select {
		case <-b.stop:
		case <-ended:
		}
	})
	b.work.Go(func() {
		defer close(ended)
		err := do(ctx)
		b.mu.Lock()
		defer b.mu.Unlock()
		if t.State, t.Ended = Done, b.now().UTC(); err != nil {
			t.State = Stopped
		}
	})
}

// look returns t as it is now.
func (b *background) look(t *task) Task {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := t.Task
	if v.State == "" {
		v.State = Never
	}
	return v
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
