package rewrap

import (
	"context"
	"slices"
	"time"

	"ccms/internal/problem"
)

// Pace is how fast a walk that changes documents goes, and what it tells.
type Pace struct {
	// PerSecond is how many documents are changed in a second at most. Each is
	// followed by a pause of at least the time it took, so that whoever uses the
	// store meanwhile notices little, least of all when it is slow. Default 200.
	PerSecond int
	// Patience is for how long a store or a key service that does not answer is
	// asked again for the same thing. Default 5 minutes.
	Patience time.Duration
	// Hitch is told why something is tried again; nil tells nobody.
	Hitch func(error)
	// Done is told of every document that was passed: how many values it has,
	// how many of them were changed, and how many could not be. Required.
	Done func(values, changed, failed int64)
}

// The pauses between tries.
const (
	shortestPause = 100 * time.Millisecond
	longestPause  = 10 * time.Second
)

// stride is what a walk does to a document.
type stride struct {
	due func(Value) bool
	// change alters one value of a document; failed says that it cannot be, and
	// that the walk goes on.
	change func(context.Context, Value) (changed, failed bool, err error)
	// broken is told of values that cannot be changed; nil tells nobody.
	broken func(Value)
	// clash reports whether an error of the write concerns this document alone.
	clash func(error) bool
}

// walk changes all documents that are due, one write each.
func (b Book) walk(ctx context.Context, p Pace, s stride) error {
	if p.PerSecond <= 0 {
		p.PerSecond = 200
	}
	if p.Patience == 0 {
		p.Patience = 5 * time.Minute
	}
	pause := time.NewTimer(0)
	defer pause.Stop()
	again := func(do func() error) error { return p.persist(ctx, do) }
	return b.each(ctx, again, func(e entry) error {
		values := int64(len(e.values))
		if !s.dueIn(e) {
			p.Done(values, 0, 0)
			return nil
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		began := time.Now()
		var changed, failed int64
		err := again(func() (err error) {
			changed, failed, err = b.step(ctx, s, e.id)
			return err
		})
		pause.Reset(max(time.Second/time.Duration(p.PerSecond), time.Since(began)))
		if err == nil {
			p.Done(values, changed, failed)
		}
		return err
	})
}

func (s stride) dueIn(e entry) bool {
	return slices.ContainsFunc(e.values, s.due)
}

// step changes the values of one document.
func (b Book) step(ctx context.Context, s stride, id string) (changed, failed int64, err error) {
	var due, broken []Value
	err = b.update(ctx, id, func(values []Value) (bool, error) {
		due, broken = nil, nil // it may be called again
		for _, v := range values {
			if !s.due(v) {
				continue
			}
			done, fails, err := s.change(ctx, v)
			if err != nil {
				return false, err
			}
			if done {
				due = append(due, v)
			}
			if fails {
				broken = append(broken, v)
			}
		}
		return len(due) > 0, nil
	})
	if err != nil && s.clash != nil && s.clash(err) {
		due, broken, err = nil, append(broken, due...), nil
	}
	if err == nil && s.broken != nil {
		for _, v := range broken {
			s.broken(v)
		}
	}
	return int64(len(due)), int64(len(broken)), err
}

// persist does what the store or a key service may be too slow for, until it
// succeeds, patience is over, or the error is none that passes.
func (p Pace) persist(ctx context.Context, do func() error) error {
	began, wait := time.Now(), shortestPause
	for {
		err := do()
		if err == nil || ctx.Err() != nil || !passing(err) || time.Since(began)+wait > p.Patience {
			return err
		}
		if p.Hitch != nil {
			p.Hitch(err)
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return err
		}
		wait = min(2*wait, longestPause)
	}
}

// passing reports whether an error is of a store or a service that is away or
// slow.
func passing(err error) bool {
	kind := problem.From(err).Kind
	return kind == problem.Unavailable || kind == problem.Timeout
}
