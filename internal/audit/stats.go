package audit

import "time"

// Stats are figures of a Log since it was opened, for metrics.
type Stats struct {
	Written uint64 // records on record
	Failed  uint64 // records that could not be written; their acts did not happen, or have no outcome
	// Lag is how long the oldest record that is not written yet has waited. Acts
	// wait as long.
	Lag time.Duration
}

// Stats returns the present figures.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, since := l.stats, l.writing
	if since.IsZero() && len(l.queue) > 0 {
		since = l.queue[0].since
	}
	if !since.IsZero() {
		s.Lag = l.now().Sub(since)
	}
	return s
}

// count ends the writing of n records.
func (l *Log) count(n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writing = time.Time{}
	if err != nil {
		l.stats.Failed += uint64(n)
		return
	}
	l.stats.Written += uint64(n)
}
