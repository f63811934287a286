package gate

import (
	"time"

	"ccms/internal/login/hashpool"
	"ccms/internal/meter"
)

// metrics are what an operator watches: guesses, locks, and how close the hash
// pool is to its bound.
type metrics struct {
	attempts *meter.Counters // by route and outcome
	lockouts *meter.Counter
	hashing  *meter.Histogram
}

func newMetrics(reg *meter.Registry, pool *hashpool.Pool) metrics {
	m := metrics{
		attempts: meter.NewCounters("ccms_login_attempts_total", "Checks of a password by route and outcome (success, wrong, locked).", "route", "outcome"),
		lockouts: meter.NewCounter("ccms_login_lockouts_total", "Locks begun, for unknown addresses too."),
		hashing: meter.NewHistogram("ccms_login_hash_seconds", "Duration of one bcrypt run.",
			.005, .025, .05, .1, .2, .4, .8, 1.6, 3.2),
	}
	if reg == nil {
		return m
	}
	depth := meter.Func("ccms_login_hash_queue_depth", "Calls waiting for a slot of the hash pool.", func() float64 { return float64(pool.Depth()) })
	shed := meter.Func("ccms_login_hash_shed_total", "Calls the hash pool refused.", func() float64 { return float64(pool.Shed()) })
	reg.Add(m.attempts, m.lockouts, m.hashing, depth, shed)
	return m
}

// timeHash counts and measures one bcrypt run.
func (m metrics) timeHash() (done func()) {
	start := time.Now()
	return func() { m.hashing.Observe(time.Since(start).Seconds()) }
}
