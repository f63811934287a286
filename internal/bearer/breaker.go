package bearer

import (
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

// BreakerConfig holds the settings of contract section 8.
type BreakerConfig struct {
	FailureRate int           // percent of failures that open it; default 50
	Window      int           // calls looked at; default 5
	Wait        time.Duration // in the open state; default 10 s
	// Trials is how many calls the half-open state lets through and judges
	// together; default 10, as in resilience4j.
	Trials int
	// Changed is told of each change of state; it must not call the Breaker.
	// Default nil.
	Changed func(from, to string)
}

// The states of a Breaker, as resilience4j names them in its metrics.
const (
	Closed   = "closed"
	Open     = "open"
	HalfOpen = "half_open"
)

// Breaker is the circuit breaker of contract section 8 with resilience4j's
// behaviour: a failsafe-go breaker for the closed and the open state, and exact
// bookkeeping of the half-open one, which failsafe-go decides earlier
// (docs/decisions/circuit-breaker.md). Each TryAcquire that was allowed is
// followed by one Success, Failure or Release.
type Breaker struct {
	cfg BreakerConfig

	mu    sync.Mutex
	inner circuitbreaker.CircuitBreaker[any]
	trial trial
	stats Stats
}

// trial is the half-open state: permits left, results in, failures among them.
type trial struct{ permits, results, failures int }

// Stats is what a Breaker has seen since it was made.
type Stats struct {
	State        string
	FailureRate  float64 // percent of the current window; -1 until it is full
	Successes    uint64
	Failures     uint64
	NotPermitted uint64
}

// NewBreaker returns a closed Breaker.
func NewBreaker(cfg BreakerConfig) *Breaker {
	if cfg.FailureRate == 0 {
		cfg.FailureRate = 50
	}
	if cfg.Window == 0 {
		cfg.Window = 5
	}
	if cfg.Wait == 0 {
		cfg.Wait = 10 * time.Second
	}
	if cfg.Trials == 0 {
		cfg.Trials = 10
	}
	// The period 0 makes failsafe-go judge the last Window calls instead of a
	// span of time; a test replays resilience4j's own traces against it.
	inner := circuitbreaker.NewBuilder[any]().
		WithFailureRateThreshold(float64(cfg.FailureRate)/100, uint(cfg.Window), 0).
		WithDelay(cfg.Wait).
		Build()
	return &Breaker{cfg: cfg, inner: inner}
}

// TryAcquire asks for one call. When refused, wait is how long the open state
// still lasts, or a second while all trials of the half-open state are under
// way.
func (b *Breaker) TryAcquire() (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.watch(b.inner.State())
	if !b.inner.IsHalfOpen() {
		if !b.inner.TryAcquirePermit() {
			b.stats.NotPermitted++
			return b.inner.RemainingDelay(), false
		}
		if !b.inner.IsHalfOpen() {
			return 0, true
		}
		b.trial = trial{permits: b.cfg.Trials} // this call is the first trial
	}
	if b.trial.permits == 0 {
		b.stats.NotPermitted++
		return time.Second, false
	}
	b.trial.permits--
	return 0, true
}

// Success records an answer, Failure a connection error, a time-out or a 5xx.
// As in resilience4j a late result counts for the state that is current.
func (b *Breaker) Success() { b.record(false) }

// Failure is described at Success.
func (b *Breaker) Failure() { b.record(true) }

// Release gives the permit of a call back that says nothing about the service,
// because its caller went away.
func (b *Breaker) Release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inner.IsHalfOpen() && b.trial.permits+b.trial.results < b.cfg.Trials {
		b.trial.permits++
	}
}

func (b *Breaker) record(failed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.watch(b.inner.State())
	if failed {
		b.stats.Failures++
	} else {
		b.stats.Successes++
	}
	switch {
	case b.inner.IsHalfOpen():
		b.judge(failed)
	case failed:
		b.inner.RecordFailure()
	default:
		b.inner.RecordSuccess()
	}
}

// judge adds a result to the trial and decides after the last one.
func (b *Breaker) judge(failed bool) {
	b.trial.results++
	if failed {
		b.trial.failures++
	}
	switch {
	case b.trial.results < b.cfg.Trials:
	case b.trial.failures*100 >= b.cfg.FailureRate*b.trial.results:
		b.inner.Open()
	default:
		b.inner.Close()
	}
}

// watch tells Changed when the state is no longer what it was.
func (b *Breaker) watch(before circuitbreaker.State) {
	if after := b.inner.State(); after != before && b.cfg.Changed != nil {
		b.cfg.Changed(name(before), name(after))
	}
}

// State is Closed, Open or HalfOpen. The open state lasts until the first call
// after the wait.
func (b *Breaker) State() string { return name(b.inner.State()) }

// blocked reports that a call would be refused now.
func (b *Breaker) blocked() bool { return b.inner.RemainingDelay() > 0 }

// Stats returns the figures for metrics.
func (b *Breaker) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.stats
	s.State = name(b.inner.State())
	s.FailureRate = -1
	switch m := b.inner.Metrics(); {
	case b.inner.IsHalfOpen():
	case m.Executions() >= uint(b.cfg.Window):
		s.FailureRate = m.FailureRate() * 100
	}
	return s
}

func name(s circuitbreaker.State) string {
	switch s {
	case circuitbreaker.OpenState:
		return Open
	case circuitbreaker.HalfOpenState:
		return HalfOpen
	}
	return Closed
}
