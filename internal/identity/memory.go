package identity

import (
	"crypto/sha256"
	"sync"
	"time"
)

// Digest stands for a token where the token itself should not be kept.
type Digest [sha256.Size]byte

// DigestOf returns the SHA-256 of a token. One of ours leaves no copy on the
// heap.
func DigestOf(token string) Digest {
	var b [1 << 10]byte
	if len(token) > len(b) {
		return sha256.Sum256([]byte(token))
	}
	return sha256.Sum256(b[:copy(b[:], token)])
}

// Memory remembers a value for each of the tokens seen last, at most 2×size of
// them. It keeps two generations: when the young one is full it becomes the
// old one and the old one is forgotten, so nothing needs sweeping. Make one
// with NewMemory; it is safe for concurrent use.
type Memory[V any] struct {
	size       int
	mu         sync.Mutex
	young, old map[Digest]remembered[V]
}

type remembered[V any] struct {
	value V
	until time.Time
}

// NewMemory returns an empty Memory with generations of size tokens.
func NewMemory[V any](size int) *Memory[V] {
	return &Memory[V]{size: size, young: map[Digest]remembered[V]{}}
}

// Get returns what was put for d, unless its time has come or it was forgotten.
func (m *Memory[V]) Get(d Digest, now time.Time) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.young[d]
	if !ok {
		r, ok = m.old[d]
	}
	if !ok || !now.Before(r.until) {
		var none V
		return none, false
	}
	return r.value, true
}

// Put remembers v for d until a time.
func (m *Memory[V]) Put(d Digest, v V, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.young) >= m.size {
		m.old, m.young = m.young, make(map[Digest]remembered[V], m.size)
	}
	m.young[d] = remembered[V]{v, until}
}
