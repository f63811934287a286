package bearer

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

// must asks for a permit that has to be granted.
func (b *Breaker) must(t *testing.T) {
	t.Helper()
	if wait, ok := b.TryAcquire(); !ok {
		t.Fatalf("refused for %v in state %s", wait, b.State())
	}
}

// play runs calls one after the other, F failed and s successful, and returns
// the index of the one that opened the breaker, -1 for none.
func (b *Breaker) play(t *testing.T, calls string) int {
	t.Helper()
	for n, c := range calls {
		b.must(t)
		b.record(c == 'F')
		if b.State() == Open {
			return n
		}
	}
	return -1
}

// permits counts the calls let through now.
func (b *Breaker) permits() int {
	n := 0
	for range 100 {
		if _, ok := b.TryAcquire(); ok {
			n++
		}
	}
	return n
}

// states records results and writes the state after each, as the trace does.
func (b *Breaker) states(results string) string {
	var out strings.Builder
	for n, c := range results {
		b.record(c == 'F')
		fmt.Fprintf(&out, "%d:%s ", n+1, strings.ToUpper(b.State()))
	}
	return out.String()
}

// half returns a breaker that is half-open with all trials under way.
func half(t *testing.T, cfg BreakerConfig) *Breaker {
	t.Helper()
	b := NewBreaker(cfg)
	b.play(t, "FFFFF")
	time.Sleep(10 * time.Second)
	b.permits()
	return b
}

// The trace was recorded from resilience4j 2.3.0 with the contract's settings;
// every line of it is played again.
func TestTheBreakerBehavesAsResilience4jRecordedIt(t *testing.T) {
	trace, err := os.ReadFile("testdata/resilience4j-2.3.0-trace.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(trace), "\n"), "\n")
	if len(lines) != 18 {
		t.Fatalf("%d lines in the trace", len(lines))
	}
	synctest.Test(t, func(t *testing.T) {
		for _, line := range lines[1:9] {
			replayClosed(t, line)
		}
		b := NewBreaker(BreakerConfig{})
		b.play(t, "sFsFF")
		want := func(line int, got string) {
			t.Helper()
			if got != lines[line] {
				t.Errorf("line %d:\n%s\nwant\n%s", line+1, got, lines[line])
			}
		}
		want(9, "state "+strings.ToUpper(b.State()))
		time.Sleep(10 * time.Second)
		want(10, "after wait, before any call: "+strings.ToUpper(b.State()))
		want(11, fmt.Sprintf("half-open permits granted: %d state %s", b.permits(), strings.ToUpper(b.State())))
		want(12, b.states("FFFFFsssss"))
		time.Sleep(10 * time.Second)
		want(13, fmt.Sprintf("second half-open permits: %d", b.permits()))
		want(14, b.states("FFFFssssss"))
		want(15, half(t, BreakerConfig{}).states("FFFFssssss"+"sssss"))
		replayStale(t, lines[16])
		// resilience4j with minimumNumberOfCalls set decides after that many.
		want(17, half(t, BreakerConfig{Trials: 5}).states("ssssssssss")+" (explicit minimumNumberOfCalls=5)")
	})
}

// replayClosed plays a line such as "FFFss -> opens at index 4 rate=60.0".
func replayClosed(t *testing.T, line string) {
	t.Helper()
	b := NewBreaker(BreakerConfig{})
	calls, _, _ := strings.Cut(line, " -> ")
	at := b.play(t, calls)
	rate := strconv.FormatFloat(b.Stats().FailureRate, 'f', 1, 64)
	if got := fmt.Sprintf("%s -> opens at index %d rate=%s", calls, at, rate); got != line {
		t.Errorf("%s\nwant\n%s", got, line)
	}
}

// replayStale delivers the result of a call begun while closed after the
// breaker has become half-open: it counts there.
func replayStale(t *testing.T, line string) {
	t.Helper()
	b := half(t, BreakerConfig{})
	b.Failure()
	if got := fmt.Sprintf("stale result from CLOSED delivered in HALF_OPEN counts: buffered=%d", b.trial.results); got != line {
		t.Errorf("%s\nwant\n%s", got, line)
	}
}

// rules is resilience4j's behaviour written down a second time, as plainly as
// possible.
type rules struct {
	state                      string
	window                     []bool // true: failed
	until                      time.Time
	permits, results, failures int
}

func (r *rules) acquire(now time.Time) bool {
	if r.state == Open && !now.Before(r.until) {
		*r = rules{state: HalfOpen, permits: 10}
	}
	if r.state == HalfOpen && r.permits > 0 {
		r.permits--
		return true
	}
	return r.state == Closed
}

func (r *rules) record(failed bool, now time.Time) {
	switch r.state {
	case Closed:
		r.window = append(r.window, failed)
		r.window = r.window[max(0, len(r.window)-5):]
		bad := 0
		for _, f := range r.window {
			if f {
				bad++
			}
		}
		if len(r.window) == 5 && bad*2 >= 5 {
			*r = rules{state: Open, until: now.Add(10 * time.Second)}
		}
	case HalfOpen:
		r.results++
		if failed {
			r.failures++
		}
		if r.results < 10 {
			return
		}
		if r.failures*2 >= 10 {
			*r = rules{state: Open, until: now.Add(10 * time.Second)}
		} else {
			*r = rules{state: Closed}
		}
	}
}

func TestTheBreakerFollowsTheRulesOnRandomHistories(t *testing.T) {
	for seed := range uint64(500) {
		synctest.Test(t, func(t *testing.T) { randomHistory(t, seed) })
	}
}

// randomHistory lets calls overlap, so that results also arrive late.
func randomHistory(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 7))
	b, r := NewBreaker(BreakerConfig{}), rules{state: Closed}
	running := 0
	for step := range 300 {
		switch n := random.IntN(20); {
		case n == 0:
			time.Sleep(time.Duration(1+random.IntN(11)) * time.Second)
		case n < 10:
			_, got := b.TryAcquire()
			if want := r.acquire(time.Now()); got != want {
				t.Fatalf("seed %d, step %d: permitted %v, want %v", seed, step, got, want)
			}
			if got {
				running++
			}
		case running > 0:
			running--
			failed := random.IntN(2) == 0
			b.record(failed)
			r.record(failed, time.Now())
		}
		if b.State() != r.state {
			t.Fatalf("seed %d, step %d: %s, want %s", seed, step, b.State(), r.state)
		}
	}
}

func TestTenOfAHundredCallersPassAtTheHalfOpenInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker(BreakerConfig{})
		b.play(t, "FFFFF")
		time.Sleep(10*time.Second - 1)
		if wait, ok := b.TryAcquire(); ok || wait != 1 {
			t.Errorf("a nanosecond early: %v, wait %v", ok, wait)
		}
		time.Sleep(time.Nanosecond)
		var passed atomic.Int32
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if wait, ok := b.TryAcquire(); ok {
					passed.Add(1)
				} else if wait <= 0 {
					t.Errorf("refused with the advice to wait %v", wait)
				}
			})
		}
		wg.Wait()
		if n := passed.Load(); n != 10 {
			t.Errorf("%d passed", n)
		}
	})
}

func TestPermitsAreNotGivenBackByResultsButByCallersWhoLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := half(t, BreakerConfig{})
		b.Success()
		if n := b.permits(); n != 0 {
			t.Errorf("%d permits after a result", n)
		}
		b.Release()
		if n := b.permits(); n != 1 {
			t.Errorf("%d permits after a caller left", n)
		}
		for range 20 { // of calls begun before
			b.Release()
		}
		if n := b.permits(); n != 9 {
			t.Errorf("%d permits, want no more than results are missing", n)
		}
		if s := b.states("sssssssss"); !strings.HasSuffix(s, "9:CLOSED ") {
			t.Error(s)
		}
	})
}

func TestReleaseOutsideHalfOpenChangesNothing(t *testing.T) {
	b := NewBreaker(BreakerConfig{})
	b.must(t)
	b.Release()
	if at := b.play(t, "FFFFF"); at != 4 {
		t.Errorf("opened at %d", at)
	}
	b.Release()
	if b.State() != Open {
		t.Error(b.State())
	}
}

func TestTheSettingsOfTheBreakerCount(t *testing.T) {
	for _, c := range []struct {
		rate, window int
		calls        string
		at           int
	}{
		{50, 5, "FFFFF", 4},
		{60, 5, "FFssFs", 4},   // 3 of 5 is the threshold itself
		{61, 5, "FFsFsss", -1}, // 3 of 5 is below
		{100, 5, "FFFFsFFFFF", 9},
		{1, 5, "sssssF", 5},
		{50, 1, "sF", 1},
		{50, 10, "FFFFFFFFFs", 9},
		{40, 3, "sFs", -1},
		{33, 3, "sFs", 2},
	} {
		b := NewBreaker(BreakerConfig{FailureRate: c.rate, Window: c.window})
		if at := b.play(t, c.calls); at != c.at {
			t.Errorf("%d %% of %d, %s: opened at %d, want %d", c.rate, c.window, c.calls, at, c.at)
		}
	}
}

func TestTheBreakerCountsAndTellsOfChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []string
		b := NewBreaker(BreakerConfig{Wait: time.Minute, Changed: func(from, to string) { changes = append(changes, from+">"+to) }})
		b.play(t, "sFFFF")
		if wait, ok := b.TryAcquire(); ok || wait != time.Minute {
			t.Errorf("%v, %v", wait, ok)
		}
		if s := b.Stats(); s != (Stats{Open, 80, 1, 4, 1}) {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Minute)
		b.permits()
		b.states("ssssssssss")
		if got := strings.Join(changes, " "); got != "closed>open open>half_open half_open>closed" {
			t.Error(got)
		}
		if s := b.Stats(); s != (Stats{Closed, -1, 11, 4, 91}) {
			t.Errorf("%+v", s)
		}
	})
}

// docs/decisions/circuit-breaker.md rests on this: when it fails, failsafe-go's
// half-open state has changed and ours may no longer be needed.
func TestFailsafeAloneDecidesEarlyAndLetsMoreThanTenPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		half := func() circuitbreaker.CircuitBreaker[any] {
			b := circuitbreaker.NewBuilder[any]().
				WithFailureRateThreshold(0.5, 5, 0).
				WithSuccessThresholdRatio(6, 10).
				WithDelay(10 * time.Second).
				Build()
			b.HalfOpen()
			return b
		}
		b, results := half(), 0
		for b.IsHalfOpen() {
			b.RecordFailure()
			results++
		}
		if results != 5 || !b.IsOpen() {
			t.Errorf("decided after %d failures", results)
		}
		b, passed := half(), 0
		for b.IsHalfOpen() {
			for b.TryAcquirePermit() {
				passed++
			}
			if passed%2 == 0 {
				b.RecordSuccess()
			} else {
				b.RecordFailure()
			}
		}
		if passed != 19 {
			t.Errorf("%d calls passed", passed)
		}
	})
}
