package directory

import (
	"context"
	"sync"
	"time"
)

// memory remembers answers for a short time, at most 2×size of them, and asks
// once for all who want the same at the same time. Like identity.Memory it keeps
// two generations, so nothing needs sweeping.
type memory[V any] struct {
	size int
	now  func() time.Time

	mu         sync.Mutex
	young, old map[string]*answer[V]
}

// answer is one question and, once done is closed, what came of it.
type answer[V any] struct {
	done  chan struct{}
	value V
	err   error
	until time.Time // set when it is asked: the truth may change from then on
}

func newMemory[V any](cfg Config) *memory[V] {
	return &memory[V]{size: cfg.Size, now: cfg.Now, young: map[string]*answer[V]{}}
}

// get returns what ask says for key, now or a short time ago. An error is told to
// who waits for it, and forgotten. The call goes on when the one who began it has
// gone: others wait for it.
func (m *memory[V]) get(ctx context.Context, key string, ask func(context.Context) (V, error)) (V, error) {
	a, first := m.find(key)
	if first {
		m.fill(context.WithoutCancel(ctx), key, a, ask)
		return a.value, a.err
	}
	select {
	case <-a.done:
		return a.value, a.err
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
}

// find returns the answer for key, and whether the caller is the one to get it.
func (m *memory[V]) find(key string) (a *answer[V], first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	a, ok := m.young[key]
	if !ok {
		a, ok = m.old[key]
	}
	if ok && now.Before(a.until) {
		return a, false
	}
	if len(m.young) >= m.size {
		m.young, m.old = map[string]*answer[V]{}, m.young
	}
	a = &answer[V]{done: make(chan struct{}), until: now.Add(remembered)}
	m.young[key] = a
	return a, true
}

// fill gets the answer. Whatever happens, nobody waits for ever.
func (m *memory[V]) fill(ctx context.Context, key string, a *answer[V], ask func(context.Context) (V, error)) {
	a.err = context.Canceled // for those who wait, should ask panic
	defer func() {
		if a.err != nil {
			m.forget(key, a)
		}
		close(a.done)
	}()
	a.value, a.err = ask(ctx)
}

// forget removes an answer that is an error, unless another took its place.
func (m *memory[V]) forget(key string, a *answer[V]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, generation := range []map[string]*answer[V]{m.young, m.old} {
		if generation[key] == a {
			delete(generation, key)
		}
	}
}
