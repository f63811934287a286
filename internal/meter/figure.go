package meter

import (
	"slices"
	"strings"
)

// Figure is one figure of a part that counts itself. A name that ends in _total
// counts up, any other goes up and down.
type Figure struct {
	Name, Help string
	Value      float64
	Labels     []string // name, value, …
}

// NewFigure returns a Figure; labels are name, value and so on.
func NewFigure(name, help string, value float64, labels ...string) Figure {
	return Figure{name, help, value, labels}
}

// Of collects a part's figures, all of one moment.
func Of(part func() []Figure) Collector { return figures(part) }

// Func collects one figure.
func Func(name, help string, value func() float64) Collector {
	return Of(func() []Figure { return []Figure{{Name: name, Help: help, Value: value()}} })
}

type figures func() []Figure

// Collect implements Collector.
func (f figures) Collect() []Family {
	var all []Family
	for _, x := range f() {
		kind := GaugeKind
		if strings.HasSuffix(x.Name, "_total") {
			kind = CounterKind
		}
		var names, values []string
		for pair := range slices.Chunk(x.Labels, 2) {
			names, values = append(names, pair[0]), append(values, pair[1])
		}
		all = append(all, Family{x.Name, x.Help, kind, []Series{{Labels: labels(names, values), Value: x.Value}}})
	}
	return all
}

// Flag is 1 for yes.
func Flag(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
