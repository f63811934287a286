package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// journal writes down what happens in which order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

// until runs until its context ends.
func (j *journal) until(what string) func(context.Context) error {
	return func(ctx context.Context) error {
		<-ctx.Done()
		j.add(what + " ends")
		return ctx.Err()
	}
}

func (j *journal) at(what string, err error) func(context.Context) error {
	return func(context.Context) error { j.add(what); return err }
}

// process has one service that is in a registry and one that is not.
func process(j *journal) Process {
	return Process{
		Services: []Service{
			{Serve: j.until("a serving"), Retire: func() { j.add("a retires") }, Close: []func(context.Context) error{j.at("a closes", nil)}},
			{
				Serve: j.until("b serving"), Join: j.until("b membership"), Await: j.at("b found all", nil), Work: []func(context.Context) error{j.until("b work")},
				Retire: func() { j.add("b retires") }, Close: []func(context.Context) error{j.at("b closes", nil), j.at("b closes more", nil)},
			},
		},
		Work:      []func(context.Context) error{},
		Stopping:  func() { j.add("it stops") },
		CloseIdle: func() { j.add("idle connections close") },
		Ready:     func() error { j.add("ready"); return nil },
	}
}

func TestAProcessStopsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- Run(ctx, process(&j)) }()
		synctest.Wait()
		if want := []string{"b found all", "ready"}; !slices.Equal(j.lines, want) {
			t.Errorf("at the start: %q", j.lines)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		end := j.lines[2:]
		slices.Sort(end[5:7]) // two servers end at once
		want := []string{"it stops", "a retires", "b retires", "b membership ends", "idle connections close", "a serving ends", "b serving ends", "b work ends", "a closes", "b closes", "b closes more"}
		if !slices.Equal(end, want) {
			t.Errorf("at the end: %q", end)
		}
	})
}

func TestWhatEndsAProcess(t *testing.T) {
	broken := errors.New("broken")
	for name, change := range map[string]func(*Process){
		"a service that fails":        func(p *Process) { p.Services[0].Serve = func(context.Context) error { return broken } },
		"work that fails":             func(p *Process) { p.Work = append(p.Work, func(context.Context) error { return broken }) },
		"a registry that fails":       func(p *Process) { p.Services[1].Join = func(context.Context) error { return broken } },
		"a service that finds nobody": func(p *Process) { p.Services[1].Await = func(context.Context) error { return broken } },
		"nobody to tell":              func(p *Process) { p.Ready = func() error { return broken } },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var j journal
				p := process(&j)
				change(&p)
				if err := Run(t.Context(), p); !errors.Is(err, broken) {
					t.Errorf("got %v", err)
				}
				if !slices.Contains(j.lines, "b closes more") {
					t.Errorf("it was not closed: %q", j.lines)
				}
			})
		})
	}
}

func TestWhatFailsAtClosingIsToldAndStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		p, broken := process(&j), errors.New("broken")
		p.Services[0].Close = []func(context.Context) error{j.at("a fails", broken)}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := Run(ctx, p); !errors.Is(err, broken) || !strings.HasSuffix(strings.Join(j.lines, ","), "a fails,b closes,b closes more") {
			t.Errorf("%v: %q", err, j.lines)
		}
	})
}

func TestAProcessWaitsForTheOthersWithinBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		p := process(&j)
		p.Services[1].Await = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		began := time.Now()
		if err := Run(t.Context(), p); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != startWithin {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
