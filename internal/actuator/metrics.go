package actuator

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"ccms/internal/problem"
)

// meter is a metric as /actuator/metrics has it, made of a Prometheus family
// and, for a timer, of its family of maxima.
type meter struct {
	description, unit string
	samples           []sample
}

// sample is one series of a meter.
type sample struct {
	tags   map[string]string
	values map[string]float64 // by statistic
}

// units are the ends of Prometheus names that say the unit; Micrometer's
// names do not have them.
var units = []string{"seconds", "bytes"}

// meters reads the registry. A name becomes Micrometer's: without _total and
// unit, with dots. A family NAME_max belongs to the timer NAME.
func (a *Actuator) meters() (map[string]*meter, error) {
	families, err := a.registry.Gather()
	if err != nil {
		return nil, fmt.Errorf("gather metrics: %w", err)
	}
	timers := map[string]bool{}
	for _, f := range families {
		timers[f.GetName()] = f.GetType() == dto.MetricType_SUMMARY || f.GetType() == dto.MetricType_HISTOGRAM
	}
	all := map[string]*meter{}
	for _, f := range families {
		base, isMax := strings.CutSuffix(f.GetName(), "_max")
		if isMax = isMax && timers[base]; !isMax {
			base = f.GetName()
		}
		name, unit := meterName(base)
		m := all[name]
		if m == nil {
			m = &meter{}
			all[name] = m
		}
		if !isMax {
			m.description, m.unit = f.GetHelp(), unit
		}
		for _, metric := range f.GetMetric() {
			m.samples = append(m.samples, sample{tagsOf(metric), valuesOf(f.GetType(), metric, unit, isMax)})
		}
	}
	return all, nil
}

func meterName(family string) (name, unit string) {
	family = strings.TrimSuffix(family, "_total")
	for _, u := range units {
		if rest, ok := strings.CutSuffix(family, "_"+u); ok {
			family, unit = rest, u
			break
		}
	}
	return strings.ReplaceAll(family, "_", "."), unit
}

func tagsOf(m *dto.Metric) map[string]string {
	tags := map[string]string{}
	for _, l := range m.GetLabel() {
		tags[l.GetName()] = l.GetValue()
	}
	return tags
}

// valuesOf gives a series in Micrometer's statistics.
func valuesOf(t dto.MetricType, m *dto.Metric, unit string, isMax bool) map[string]float64 {
	total := "TOTAL"
	if unit == "seconds" {
		total = "TOTAL_TIME"
	}
	switch {
	case isMax:
		return map[string]float64{"MAX": m.GetGauge().GetValue()}
	case t == dto.MetricType_COUNTER:
		return map[string]float64{"COUNT": m.GetCounter().GetValue()}
	case t == dto.MetricType_SUMMARY:
		return map[string]float64{"COUNT": float64(m.GetSummary().GetSampleCount()), total: m.GetSummary().GetSampleSum()}
	case t == dto.MetricType_HISTOGRAM:
		return map[string]float64{"COUNT": float64(m.GetHistogram().GetSampleCount()), total: m.GetHistogram().GetSampleSum()}
	case t == dto.MetricType_UNTYPED:
		return map[string]float64{"VALUE": m.GetUntyped().GetValue()}
	}
	return map[string]float64{"VALUE": m.GetGauge().GetValue()}
}

// metricNames is GET /actuator/metrics.
func (a *Actuator) metricNames(w http.ResponseWriter, r *http.Request) error {
	all, err := a.meters()
	if err != nil {
		return err
	}
	return write(w, r, http.StatusOK, map[string][]string{"names": slices.Sorted(maps.Keys(all))})
}

type metricBody struct {
	Name          string         `json:"name"`
	Description   string         `json:"description,omitzero"`
	BaseUnit      string         `json:"baseUnit,omitzero"`
	Measurements  []measurement  `json:"measurements"`
	AvailableTags []availableTag `json:"availableTags"`
}

type measurement struct {
	Statistic string  `json:"statistic"`
	Value     float64 `json:"value"`
}

type availableTag struct {
	Tag    string   `json:"tag"`
	Values []string `json:"values"`
}

// metric is GET /actuator/metrics/{name}?tag=KEY:VALUE. A metric without a
// series that has all the tags is unknown, as in Spring.
func (a *Actuator) metric(w http.ResponseWriter, r *http.Request) error {
	want, err := wantedTags(r.URL.Query()["tag"])
	if err != nil {
		return err
	}
	all, err := a.meters()
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	m := all[name]
	if m == nil {
		return problem.NoResource().With("/actuator/metrics lists the names of all metrics.")
	}
	chosen := slices.DeleteFunc(m.samples, func(s sample) bool { return !s.has(want) })
	if len(chosen) == 0 {
		return problem.NoResource().With("No series of this metric has these tags; availableTags lists them.")
	}
	return write(w, r, http.StatusOK, metricBody{
		Name: name, Description: m.description, BaseUnit: m.unit,
		Measurements: measure(chosen), AvailableTags: available(chosen, want),
	})
}

// maxTags is more than any metric has.
const maxTags = 16

func wantedTags(params []string) (map[string]string, error) {
	if len(params) > maxTags {
		return nil, problem.Validation("Give fewer tag parameters.")
	}
	want := map[string]string{}
	for _, p := range params {
		key, value, ok := strings.Cut(p, ":")
		if !ok || key == "" {
			return nil, problem.Validation("Write each tag parameter as KEY:VALUE.")
		}
		if other, twice := want[key]; twice && other != value {
			return nil, problem.Validation("Give each tag once.")
		}
		want[key] = value
	}
	return want, nil
}

func (s sample) has(want map[string]string) bool {
	for k, v := range want {
		if got, ok := s.tags[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// statistics is the order Micrometer gives them in.
var statistics = []string{"COUNT", "TOTAL_TIME", "TOTAL", "MAX", "VALUE"}

// measure adds the series up, and takes the greatest maximum.
func measure(samples []sample) []measurement {
	sums := map[string]float64{}
	for _, s := range samples {
		for statistic, v := range s.values {
			switch {
			case math.IsNaN(v) || math.IsInf(v, 0): // JSON has no word for it
			case statistic == "MAX":
				sums[statistic] = max(sums[statistic], v)
			default:
				sums[statistic] += v
			}
		}
	}
	all := []measurement{}
	for _, statistic := range statistics {
		if v, ok := sums[statistic]; ok {
			all = append(all, measurement{statistic, v})
		}
	}
	return all
}

// available lists the tags by which the series can be narrowed further.
func available(samples []sample, want map[string]string) []availableTag {
	values := map[string]map[string]bool{}
	for _, s := range samples {
		for k, v := range s.tags {
			if _, used := want[k]; used {
				continue
			}
			if values[k] == nil {
				values[k] = map[string]bool{}
			}
			values[k][v] = true
		}
	}
	all := []availableTag{}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		all = append(all, availableTag{k, slices.Sorted(maps.Keys(values[k]))})
	}
	return all
}
