// Package clocktest is a time that a test moves.
package clocktest

import (
	"sync"
	"time"
)

// Clock is safe for concurrent use. It stands still until it is moved.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// At returns a clock that shows t.
func At(t time.Time) *Clock { return &Clock{at: t} }

// Now is what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
