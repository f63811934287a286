package gate

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ccms/internal/login/hashpool"
)

// metrics are what an operator watches: guesses, locks, and how close the hash
// pool is to its bound.
type metrics struct {
	attempts *prometheus.CounterVec // by route and outcome
	lockouts prometheus.Counter
	hashing  prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, pool *hashpool.Pool) (metrics, error) {
	m := metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ccms_login_attempts_total", Help: "Checks of a password by route and outcome (success, wrong, locked).",
		}, []string{"route", "outcome"}),
		lockouts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ccms_login_lockouts_total", Help: "Locks begun, for unknown addresses too.",
		}),
		hashing: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ccms_login_hash_seconds", Help: "Duration of one bcrypt run.",
			Buckets: []float64{.005, .025, .05, .1, .2, .4, .8, 1.6, 3.2},
		}),
	}
	if reg == nil {
		return m, nil
	}
	depth := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ccms_login_hash_queue_depth", Help: "Calls waiting for a slot of the hash pool.",
	}, func() float64 { return float64(pool.Depth()) })
	shed := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "ccms_login_hash_shed_total", Help: "Calls the hash pool refused.",
	}, func() float64 { return float64(pool.Shed()) })
	var errs []error
	for _, c := range []prometheus.Collector{m.attempts, m.lockouts, m.hashing, depth, shed} {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}

// timeHash counts and measures one bcrypt run.
func (m metrics) timeHash() (done func()) {
	start := time.Now()
	return func() { m.hashing.Observe(time.Since(start).Seconds()) }
}
