// Package meter owns how things are counted, and how counts are shown to
// Prometheus: counters, histograms, figures read when somebody asks, and the
// text form of them all. It serves nothing: package actuator does, and has
// Spring's shape of the same.
//
// Prometheus' own library does more, and brings Protocol Buffers into the
// binary, an eighth of it (docs/decisions/metrics.md). A test holds what is
// shown here against what that library shows, byte by byte.
package meter

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Kind is what a family is, in the words of Prometheus.
type Kind string

// The kinds. A Summary has a count and a sum, no quantiles.
const (
	GaugeKind     Kind = "gauge"
	CounterKind   Kind = "counter"
	SummaryKind   Kind = "summary"
	HistogramKind Kind = "histogram"
)

// Family is all series of one name, at one moment.
type Family struct {
	Name, Help string
	Kind       Kind
	Series     []Series
}

// Series is one of them. Value is the sum of a summary or histogram; Count is of
// those two alone, Buckets of a histogram.
type Series struct {
	Labels  []Label // by name
	Value   float64
	Count   uint64
	Buckets []Bucket
}

// Label tells the series of a family apart.
type Label struct{ Name, Value string }

// Bucket counts what was at most Bound.
type Bucket struct {
	Bound float64
	Count uint64
}

// Collector is asked for what it counts. It may be asked by several at once.
type Collector interface{ Collect() []Family }

// labels pairs names and values, which are as many, in the order of the names.
func labels(names, values []string) []Label {
	all := make([]Label, 0, len(names))
	for i, n := range names {
		at, _ := slices.BinarySearchFunc(all, n, func(l Label, n string) int { return strings.Compare(l.Name, n) })
		all = slices.Insert(all, at, Label{n, values[i]})
	}
	return all
}

// Counter counts up. Make it with NewCounter, or get it of a Counters.
type Counter struct {
	name, help string
	n          atomic.Uint64
}

// NewCounter returns a counter; its name should end in _total.
func NewCounter(name, help string) *Counter { return &Counter{name: name, help: help} }

// Inc adds one.
func (c *Counter) Inc() { c.n.Add(1) }

// Add adds n.
func (c *Counter) Add(n uint64) { c.n.Add(n) }

// Value is what was counted so far.
func (c *Counter) Value() uint64 { return c.n.Load() }

// Collect implements Collector.
func (c *Counter) Collect() []Family {
	return []Family{{c.name, c.help, CounterKind, []Series{{Value: float64(c.Value())}}}}
}

// Counters are counters of one name, told apart by labels. Make them with
// NewCounters.
type Counters struct {
	name, help string
	labels     []string

	mu  sync.RWMutex
	all map[string]*counted
}

type counted struct {
	Counter
	values []string
}

// NewCounters returns counters with a label each of the names.
func NewCounters(name, help string, labels ...string) *Counters {
	return &Counters{name: name, help: help, labels: labels, all: map[string]*counted{}}
}

// With returns the counter whose labels have these values, in the order of
// NewCounters' names; from then on it is shown. It panics on another number of
// values. Who calls it sees to it that there are few different ones.
func (c *Counters) With(values ...string) *Counter {
	if len(values) != len(c.labels) {
		panic(fmt.Sprintf("meter: %s has %d labels, not %d", c.name, len(c.labels), len(values)))
	}
	key := strings.Join(values, "\x00")
	c.mu.RLock()
	n := c.all[key]
	c.mu.RUnlock()
	if n != nil {
		return &n.Counter
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n = c.all[key]; n == nil {
		n = &counted{values: slices.Clone(values)}
		c.all[key] = n
	}
	return &n.Counter
}

// Collect implements Collector.
func (c *Counters) Collect() []Family {
	c.mu.RLock()
	defer c.mu.RUnlock()
	f := Family{Name: c.name, Help: c.help, Kind: CounterKind}
	for _, n := range c.all {
		f.Series = append(f.Series, Series{Labels: labels(c.labels, n.values), Value: float64(n.Value())})
	}
	return []Family{f}
}

// Histogram counts values by size. Make it with NewHistogram.
type Histogram struct {
	name, help string
	bounds     []float64
	counts     []atomic.Uint64 // by the first bound that is not less, then those above all
	sum        atomic.Uint64   // bits of a float64
}

// NewHistogram returns a histogram with a bucket up to each of the bounds, which
// ascend.
func NewHistogram(name, help string, bounds ...float64) *Histogram {
	return &Histogram{name: name, help: help, bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Observe counts v.
func (h *Histogram) Observe(v float64) {
	at, _ := slices.BinarySearch(h.bounds, v)
	h.counts[at].Add(1)
	for {
		old := h.sum.Load()
		if h.sum.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

// Collect implements Collector. What is observed meanwhile may be in the sum and
// not yet in a bucket.
func (h *Histogram) Collect() []Family {
	s := Series{Value: math.Float64frombits(h.sum.Load())}
	for i, bound := range h.bounds {
		s.Count += h.counts[i].Load()
		s.Buckets = append(s.Buckets, Bucket{bound, s.Count})
	}
	s.Count += h.counts[len(h.bounds)].Load()
	return []Family{{h.name, h.help, HistogramKind, []Series{s}}}
}

// Registry gathers what collectors count. The zero Registry is empty and ready.
type Registry struct {
	mu         sync.RWMutex
	collectors []Collector
}

// Add adds collectors; those of one family must agree on what it is.
func (r *Registry) Add(c ...Collector) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.collectors = append(r.collectors, c...)
}

// Gather asks all collectors and returns their families by name, the series of
// each by their labels. It fails where two contradict each other.
func (r *Registry) Gather() ([]Family, error) {
	r.mu.RLock()
	collectors := slices.Clone(r.collectors)
	r.mu.RUnlock()
	byName := map[string]*Family{}
	var all []*Family
	for _, c := range collectors {
		for _, f := range c.Collect() {
			known := byName[f.Name]
			if known == nil {
				known = &Family{Name: f.Name, Help: f.Help, Kind: f.Kind}
				byName[f.Name] = known
				all = append(all, known)
			}
			if known.Kind != f.Kind || known.Help != f.Help {
				return nil, fmt.Errorf("%s is shown as a %s and as a %s, or for two purposes", f.Name, known.Kind, f.Kind)
			}
			known.Series = append(known.Series, f.Series...)
		}
	}
	slices.SortFunc(all, func(a, b *Family) int { return strings.Compare(a.Name, b.Name) })
	families := make([]Family, 0, len(all))
	for _, f := range all {
		if err := f.sort(); err != nil {
			return nil, err
		}
		if len(f.Series) > 0 {
			families = append(families, *f)
		}
	}
	return families, nil
}

func (f *Family) sort() error {
	order := make([]*Series, len(f.Series))
	for i := range f.Series {
		order[i] = &f.Series[i]
	}
	slices.SortFunc(order, func(a, b *Series) int { return slices.CompareFunc(a.Labels, b.Labels, compare) })
	sorted := make([]Series, len(order))
	for i, s := range order {
		if i > 0 && slices.Equal(s.Labels, sorted[i-1].Labels) {
			return fmt.Errorf("%s%v is shown twice", f.Name, s.Labels)
		}
		sorted[i] = *s
	}
	f.Series = sorted
	return nil
}

// compare orders as Prometheus' library does, whose labels are sorted by name:
// by value, then by name.
func compare(a, b Label) int {
	return cmp.Or(strings.Compare(a.Value, b.Value), strings.Compare(a.Name, b.Name))
}
