// Package figures owns how parts that keep count themselves are shown as
// Prometheus metrics: their names and what they mean. It counts nothing and
// serves nothing: the parts count, the registry of package actuator gathers.
package figures

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Figure is one figure of a part. A name that ends in _total counts up.
type Figure struct {
	Name, Help string
	Value      float64
	Labels     []string // name, value, …
}

// Of collects a part's figures, all of one moment.
func Of(part func() []Figure) prometheus.Collector { return all(part) }

type all func() []Figure

// Describe implements prometheus.Collector; nothing is known beforehand.
func (all) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (f all) Collect(out chan<- prometheus.Metric) {
	for _, x := range f() {
		kind := prometheus.GaugeValue
		if strings.HasSuffix(x.Name, "_total") {
			kind = prometheus.CounterValue
		}
		labels := prometheus.Labels{}
		for pair := range slices.Chunk(x.Labels, 2) {
			labels[pair[0]] = pair[1]
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(x.Name, x.Help, nil, labels), kind, x.Value)
	}
}

// Flag is 1 for yes.
func Flag(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
