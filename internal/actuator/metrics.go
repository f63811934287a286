package actuator

import (
	"compress/gzip"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"

	"ccms/internal/meter"
	"ccms/internal/problem"
)

// reading is a metric as /actuator/metrics has it, made of a family and, for a
// timer, of its family of maxima.
type reading struct {
	description, unit string
	samples           []sample
}

// sample is one series of a reading.
type sample struct {
	tags   map[string]string
	values map[string]float64 // by statistic
}

// units are the ends of Prometheus names that say the unit; Micrometer's
// names do not have them.
var units = []string{"seconds", "bytes"}

// readings reads the registry. A name becomes Micrometer's: without _total and
// unit, with dots. A family NAME_max belongs to the timer NAME.
func (a *Actuator) readings() (map[string]*reading, error) {
	families, err := a.registry.Gather()
	if err != nil {
		return nil, fmt.Errorf("gather metrics: %w", err)
	}
	timers := map[string]bool{}
	for _, f := range families {
		timers[f.Name] = f.Kind == meter.SummaryKind || f.Kind == meter.HistogramKind
	}
	all := map[string]*reading{}
	for _, f := range families {
		base, isMax := strings.CutSuffix(f.Name, "_max")
		if isMax = isMax && timers[base]; !isMax {
			base = f.Name
		}
		name, unit := meterName(base)
		m := all[name]
		if m == nil {
			m = &reading{}
			all[name] = m
		}
		if !isMax {
			m.description, m.unit = f.Help, unit
		}
		for _, s := range f.Series {
			m.samples = append(m.samples, sample{tagsOf(s), valuesOf(f.Kind, s, unit, isMax)})
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

func tagsOf(s meter.Series) map[string]string {
	tags := map[string]string{}
	for _, l := range s.Labels {
		tags[l.Name] = l.Value
	}
	return tags
}

// valuesOf gives a series in Micrometer's statistics.
func valuesOf(kind meter.Kind, s meter.Series, unit string, isMax bool) map[string]float64 {
	total := "TOTAL"
	if unit == "seconds" {
		total = "TOTAL_TIME"
	}
	switch {
	case isMax:
		return map[string]float64{"MAX": s.Value}
	case kind == meter.CounterKind:
		return map[string]float64{"COUNT": s.Value}
	case kind == meter.SummaryKind, kind == meter.HistogramKind:
		return map[string]float64{"COUNT": float64(s.Count), total: s.Value}
	}
	return map[string]float64{"VALUE": s.Value}
}

// packFrom is from how many bytes on an answer is packed: below, that saves
// nothing.
const packFrom = 1 << 10

// prometheus is GET /actuator/prometheus, in gzip for who takes it.
func (a *Actuator) prometheus(w http.ResponseWriter, r *http.Request) error {
	families, err := a.registry.Gather()
	if err != nil {
		return fmt.Errorf("gather metrics: %w", err)
	}
	text := meter.AppendText(nil, families)
	h := w.Header()
	h.Set("Content-Type", meter.ContentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	// Who is gone takes no more, and that is no failure of ours.
	if len(text) < packFrom || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		_, _ = w.Write(text)
		return nil
	}
	h.Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	_, _ = z.Write(text)
	_ = z.Close()
	return nil
}

// metricNames is GET /actuator/metrics.
func (a *Actuator) metricNames(w http.ResponseWriter, r *http.Request) error {
	all, err := a.readings()
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
	all, err := a.readings()
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
