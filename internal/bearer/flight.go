package bearer

import (
	"context"
	"fmt"
	"sync"
)

// flights shares one call among all who ask for the same at the same time. The
// call has a life of its own: it goes on while anyone waits, whoever began it,
// and is cancelled when the last one has gone.
type flights[K comparable, V any] struct {
	mu      sync.Mutex
	current map[K]*flight[V]
	running sync.WaitGroup
}

type flight[V any] struct {
	waiting int
	cancel  context.CancelFunc
	done    chan struct{} // closed when value and err are set
	value   V
	err     error
}

// do returns what f returns for key, or ctx's error when ctx ends first. f must
// end soon after its context does.
func (g *flights[K, V]) do(ctx context.Context, key K, f func(context.Context) (V, error)) (V, error) {
	c := g.join(ctx, key, f)
	select {
	case <-c.done:
		return c.value, c.err
	case <-ctx.Done():
		g.leave(key, c)
		var none V
		return none, ctx.Err()
	}
}

func (g *flights[K, V]) join(ctx context.Context, key K, f func(context.Context) (V, error)) *flight[V] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c, ok := g.current[key]; ok {
		c.waiting++
		return c
	}
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &flight[V]{waiting: 1, cancel: cancel, done: make(chan struct{})}
	if g.current == nil {
		g.current = map[K]*flight[V]{}
	}
	g.current[key] = c
	g.running.Go(func() {
		defer cancel()
		c.value, c.err = guarded(inner, f)
		g.mu.Lock()
		g.forget(key, c)
		g.mu.Unlock()
		close(c.done)
	})
	return c
}

// guarded turns a panic of f, which would end the process here, into an error.
func guarded[V any](ctx context.Context, f func(context.Context) (V, error)) (v V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %T", p)
		}
	}()
	return f(ctx)
}

func (g *flights[K, V]) leave(key K, c *flight[V]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.waiting--
	if c.waiting == 0 {
		g.forget(key, c) // who comes now starts afresh
		c.cancel()
	}
}

// forget removes c unless another flight has taken its place. g.mu is held.
func (g *flights[K, V]) forget(key K, c *flight[V]) {
	if g.current[key] == c {
		delete(g.current, key)
	}
}
