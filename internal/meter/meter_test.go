package meter

import (
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// hard is what must be escaped.
const hard = "a \"word\"\nand a \\"

// ours has metrics of every kind; theirs has the same in Prometheus' library.
func ours() *Registry {
	all := NewCounters("b_total", "Counted. "+hard, "z", "a")
	all.With("one", hard).Add(3)
	all.With("one", "").Inc()
	all.With("", "").Add(1 << 40)
	one := NewCounter("a_total", "Alone.")
	h := NewHistogram("c_seconds", "By size.", .1, .3, 1)
	for _, v := range []float64{.05, .1, .2, .3, .3000001, 1, 7} {
		h.Observe(v)
	}
	r := new(Registry)
	r.Add(h, all, one, NewCounters("none_total", "Nothing yet.", "x"), Of(func() []Figure {
		return []Figure{
			{"d", "Up and down.", math.Inf(1), []string{"y", "2", "x", "1"}},
			{"d", "Up and down.", -1.5e-9, []string{"y", "1", "x", "1"}},
			{"e_total", "Read.", 12345678.25, nil},
		}
	}), Func("f", "Not known.", math.NaN), summary{})
	return r
}

type summary struct{}

func (summary) Collect() []Family {
	return []Family{{"g_seconds", "Sum and count.", SummaryKind, []Series{{Labels: []Label{{"uri", "/x/{id}"}}, Value: .25, Count: 4}}}}
}

func theirs() *prometheus.Registry {
	all := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "b_total", Help: "Counted. " + hard}, []string{"z", "a"})
	all.WithLabelValues("one", hard).Add(3)
	all.WithLabelValues("one", "").Inc()
	all.WithLabelValues("", "").Add(1 << 40)
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "c_seconds", Help: "By size.", Buckets: []float64{.1, .3, 1}})
	for _, v := range []float64{.05, .1, .2, .3, .3000001, 1, 7} {
		h.Observe(v)
	}
	s := prometheus.NewSummaryVec(prometheus.SummaryOpts{Name: "g_seconds", Help: "Sum and count."}, []string{"uri"})
	for _, v := range []float64{.0625, .0625, .0625, .0625} {
		s.WithLabelValues("/x/{id}").Observe(v)
	}
	r := prometheus.NewRegistry()
	d := func(y string, v float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "d", Help: "Up and down.", ConstLabels: prometheus.Labels{"x": "1", "y": y}}, func() float64 { return v })
	}
	r.MustRegister(all, h, s, d("1", -1.5e-9), d("2", math.Inf(1)), prometheus.NewCounter(prometheus.CounterOpts{Name: "a_total", Help: "Alone."}),
		prometheus.NewCounterVec(prometheus.CounterOpts{Name: "none_total", Help: "Nothing yet."}, []string{"x"}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "e_total", Help: "Read."}, func() float64 { return 12345678.25 }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "f", Help: "Not known."}, math.NaN))
	return r
}

// TestItShowsWhatPrometheusOwnLibraryShows compares the text, byte by byte.
func TestItShowsWhatPrometheusOwnLibraryShows(t *testing.T) {
	server := httptest.NewServer(promhttp.HandlerFor(theirs(), promhttp.HandlerOpts{}))
	defer server.Close()
	res, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	want, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	families, err := ours().Gather()
	if err != nil {
		t.Fatal(err)
	}
	if got := AppendText(nil, families); string(got) != string(want) {
		t.Errorf("ours\n%s\ntheirs\n%s", got, want)
	}
	if kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), "; escaping"); kind != ContentType {
		t.Errorf("the content type is %q there", kind)
	}
}

func TestTheKindsAreThoseOfPrometheus(t *testing.T) {
	families, err := theirs().Gather()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[dto.MetricType]Kind{
		dto.MetricType_GAUGE: GaugeKind, dto.MetricType_COUNTER: CounterKind, dto.MetricType_SUMMARY: SummaryKind, dto.MetricType_HISTOGRAM: HistogramKind,
	}
	own, err := ours().Gather()
	if err != nil || len(own) != len(families) {
		t.Fatalf("%d families, theirs are %d, %v", len(own), len(families), err)
	}
	for i, f := range families {
		if own[i].Name != f.GetName() || own[i].Kind != kinds[f.GetType()] {
			t.Errorf("%s is a %s, theirs %v", own[i].Name, own[i].Kind, f.GetType())
		}
	}
}

func TestWhatContradictsItselfIsNotShown(t *testing.T) {
	for name, c := range map[string][]Collector{
		"one name of two kinds":  {NewCounter("x", "X."), Func("x", "X.", math.NaN)},
		"one name, two meanings": {NewCounter("x_total", "X."), NewCounter("x_total", "Y.")},
		"a series twice":         {NewCounter("x_total", "X."), NewCounter("x_total", "X.")},
	} {
		t.Run(name, func(t *testing.T) {
			var r Registry
			r.Add(c...)
			if got, err := r.Gather(); err == nil {
				t.Errorf("it shows %v", got)
			}
		})
	}
}

func TestNothingIsLostWhenManyCount(t *testing.T) {
	const each, many = 500, 8
	c, h := NewCounters("x_total", "X.", "of"), NewHistogram("y", "Y.", 1)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			for range each {
				c.With([]string{"odd", "even"}[i%2]).Inc()
				h.Observe(.5)
				_ = c.Collect()
			}
		})
	}
	wg.Wait()
	if n := c.With("odd").Value() + c.With("even").Value(); n != each*many {
		t.Errorf("counted %d", n)
	}
	if s := h.Collect()[0].Series[0]; s.Count != each*many || s.Value != each*many/2 {
		t.Errorf("the histogram has %v", s)
	}
}

func TestAWrongNumberOfLabelsIsAMistake(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it was taken")
		}
	}()
	NewCounters("x_total", "X.", "a", "b").With("one")
}

func BenchmarkCounting(b *testing.B) {
	c := NewCounters("x_total", "X.", "route", "outcome")
	for b.Loop() {
		c.With("/login", "success").Inc()
	}
}
