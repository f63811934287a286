//go:build chaos

package e2e

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// chaosSecondsEnv is how long a fault lasts, in seconds; but pauses last ten at
// least, and full disks eight.
const chaosSecondsEnv = "CCMS_CHAOS_SECONDS"

// A fault is over when nothing has failed, and nothing has been waiting, for
// calm; it must be over within patience: twice the wait of the breaker, and the
// longest a portal waits for an answer.
const (
	calm     = 3 * time.Second
	patience = 45 * time.Second
)

// budget is the longest a portal waits for the services behind it, and some more.
const budget = 21 * time.Second

// fault is something that goes wrong for a while.
type fault struct {
	name, between string
	lasts         time.Duration
	begin         func()
	end           func() time.Time // returns when it ended
	// noAnswer allows requests without any answer: the portal itself, or who
	// stands before it, is hit.
	noAnswer bool
	// unharmed are requests that must not fail; none by default.
	unharmed []string
	// expect takes an answer that is none of the usual to a fault; nil for none.
	expect func(result) bool
}

func lasting(t testing.TB) time.Duration {
	n, err := strconv.Atoi(cmp.Or(os.Getenv(chaosSecondsEnv), "3"))
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(n) * time.Second
}

// row is what became of the requests during a fault and until it was over.
type row struct {
	fault
	requests, acknowledged, lost int
	refused                      map[string]int // by status and code
	first, steady, longest       time.Duration
	bad                          []string
}

// suffer lets a fault happen under load, and checks what must hold of it.
func (tr *traffic) suffer(t *testing.T, f fault) row {
	t.Helper()
	tr.prepare()
	before := len(tr.orders)
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() { tr.run(stop); close(ended) }()
	<-time.After(time.Second)
	f.begin()
	<-time.After(f.lasts)
	over := f.end()
	tr.awaitCalm(over)
	close(stop)
	<-ended
	r := row{fault: f, refused: map[string]int{}}
	r.count(tr.take(), over)
	r.acknowledged, r.lost = tr.lost(before)
	if r.longest > budget {
		t.Errorf("an answer took %v", r.longest)
	}
	if r.steady > patience-calm {
		t.Errorf("requests still fail %v after the end", r.steady)
	}
	for _, bad := range r.bad[:min(len(r.bad), 5)] {
		t.Error(bad)
	}
	if len(r.bad) > 5 {
		t.Errorf("and %d more", len(r.bad)-5)
	}
	t.Log(r)
	return r
}

// awaitCalm waits until nothing has failed or waited for a while.
func (tr *traffic) awaitCalm(over time.Time) {
	for tick := time.NewTicker(50 * time.Millisecond); ; <-tick.C {
		failed, oldest := tr.troubled()
		last := over
		if failed.After(last) {
			last = failed
		}
		waits := !oldest.IsZero() && time.Since(oldest) > calm
		if time.Since(last) > calm && !waits || time.Since(over) > patience {
			tick.Stop()
			return
		}
	}
}

// count takes in all results of a fault that was over at a time.
func (r *row) count(all []result, over time.Time) {
	slices.SortFunc(all, func(a, b result) int { return a.ended.Compare(b.ended) })
	r.requests = len(all)
	for _, one := range all {
		r.longest = max(r.longest, one.ended.Sub(one.begun))
		if one.good() {
			if r.first == 0 && one.begun.After(over) {
				r.first = one.ended.Sub(over)
			}
			continue
		}
		r.steady = max(r.steady, one.ended.Sub(over))
		if slices.Contains(r.unharmed, one.what) {
			r.bad = append(r.bad, fmt.Sprintf("%s: %d %s, though it needs nothing that is broken", one.what, one.status, one.code))
		}
		switch {
		case one.err != nil:
			r.refused["no answer"]++
			if !r.noAnswer {
				r.bad = append(r.bad, fmt.Sprintf("%s: %v", one.what, one.err))
			}
		case one.wrong != "" && (r.expect == nil || !r.expect(one)):
			r.refused["wrong"]++
			r.bad = append(r.bad, fmt.Sprintf("%s: %d %s", one.what, one.status, one.wrong))
		default:
			r.refused[fmt.Sprint(one.status, " ", one.code)]++
		}
	}
}

// String is the row in Markdown; the columns are those of docs/faults.md.
func (r row) String() string {
	var refused []string
	for _, what := range slices.Sorted(maps.Keys(r.refused)) {
		refused = append(refused, fmt.Sprintf("%d × %s", r.refused[what], what))
	}
	since := func(d time.Duration) string {
		if len(refused) == 0 {
			return "–"
		}
		return strconv.FormatInt(max(0, d.Milliseconds()), 10)
	}
	return fmt.Sprintf("| %s | %s | %d | %s | %d | %d | %s | %s | %d |", r.name, r.between, r.requests,
		cmp.Or(strings.Join(refused, ", "), "0"), r.acknowledged, r.lost, since(r.first), since(r.steady), r.longest.Milliseconds())
}
