// Package retention owns the words in which it is shown that nothing is kept
// longer than it may be (PCI DSS 3.2.1): classes of data, how long each is kept
// and why, and what is overdue. Erasing is the work of the domains that keep the
// data; each tells its own classes.
package retention

import "time"

// Class is one kind of data that is erased some time after it is no longer
// needed, and what the store has of it.
type Class struct {
	Name          string
	Justification string        // why it is kept that long
	Keep          time.Duration // how long
	// Grace is how long after that its erasure may take: the time between two
	// sweeps.
	Grace time.Duration

	Kept    int64     // what is there, overdue or not
	Overdue int64     // what should be gone
	Oldest  time.Time // since when the oldest is no longer needed; zero when there is none
}

// Note counts one thing that has not been needed since a time.
func (c *Class) Note(since, now time.Time) {
	c.Kept++
	if now.Sub(since) > c.Keep+c.Grace {
		c.Overdue++
	}
	if c.Oldest.IsZero() || since.Before(c.Oldest) {
		c.Oldest = since
	}
}
