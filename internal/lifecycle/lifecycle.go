// Package lifecycle owns the order in which the services of a process start and
// stop, so that nobody is asked who is gone. It knows no service: package boot
// says what each of them runs, awaits and closes.
package lifecycle

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Service is one that Run runs. What runs ends without an error when its
// context does.
type Service struct {
	Serve func(context.Context) error // answers requests
	// Join keeps the service in the registry; nil for who is in none.
	Join func(context.Context) error
	// Await returns once those the service needs are found; nil for who needs
	// nobody.
	Await  func(context.Context) error
	Work   []func(context.Context) error // in the background
	Retire func()                        // says that the service will stop
	Close  []func(context.Context) error // in this order, after all work ended
}

// Process is what services share.
type Process struct {
	Services  []Service
	Work      []func(context.Context) error // in the background
	Stopping  func()                        // says that the process begins to stop
	CloseIdle func()                        // closes connections that rest
	// Ready is called once every service found those it needs. Its error ends
	// the process.
	Ready func() error
}

// startWithin bounds the wait for the others at the start.
const startWithin = 30 * time.Second

// Run runs every service until ctx ends or one of them fails: first the
// services leave the registry, then they answer what they accepted, then
// background work ends. It returns why a service failed, and what failed at
// closing.
func Run(ctx context.Context, p Process) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	workers, servers, members := NewStage(ctx, fail), NewStage(ctx, fail), NewStage(ctx, fail)
	workers.Start(p.Work...)
	for _, s := range p.Services {
		servers.Start(s.Serve)
		workers.Start(s.Work...)
		if s.Join != nil {
			members.Start(s.Join)
		}
	}
	err := p.await(ctx)
	if err == nil {
		err = p.Ready()
	}
	if err == nil {
		<-ctx.Done()
	}
	fail(err)
	p.Stopping()
	for _, s := range p.Services {
		s.Retire() // for who asks us instead of the registry
	}
	members.Stop()
	p.CloseIdle() // a server waits for connections on which nothing was asked yet
	servers.Stop()
	workers.Stop()
	for _, s := range p.Services {
		for _, c := range s.Close {
			err = errors.Join(err, c(context.WithoutCancel(ctx)))
		}
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return err
}

func (p Process) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for _, s := range p.Services {
		if s.Await == nil {
			continue
		}
		if err := s.Await(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Stage is a set of functions that run, and are stopped, together.
type Stage struct {
	ctx  context.Context
	end  context.CancelFunc
	fail context.CancelCauseFunc
	wg   sync.WaitGroup
}

// NewStage makes an empty stage. It outlives ctx, of which it takes the values
// alone; the first functions that end with an error before Stop tell it to fail.
func NewStage(ctx context.Context, fail context.CancelCauseFunc) *Stage {
	own, end := context.WithCancel(context.WithoutCancel(ctx))
	return &Stage{ctx: own, end: end, fail: fail}
}

// Start runs functions until Stop.
func (g *Stage) Start(all ...func(context.Context) error) {
	for _, f := range all {
		g.wg.Go(func() {
			if err := f(g.ctx); err != nil && g.ctx.Err() == nil {
				g.fail(err)
			}
		})
	}
}

// Stop ends all functions and waits for them.
func (g *Stage) Stop() {
	g.end()
	g.wg.Wait()
}
