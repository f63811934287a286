package creditcard

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what an operator would watch.
type metrics struct {
	acts      *prometheus.CounterVec
	guesses   prometheus.Counter
	unaudited prometheus.Counter
}

func newMetrics() metrics {
	m := metrics{
		acts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ccms_cards_total", Help: "Acts on cardholders' cards that succeeded.",
		}, []string{"act"}),
		guesses: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ccms_card_code_guesses_refused_total", Help: "Card adds refused because too many different codes were tried for one card.",
		}),
		unaudited: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ccms_card_audit_refusals_total", Help: "Acts on cardholders' cards refused because their audit record could not be written.",
		}),
	}
	for _, act := range []string{actAdd, actDelete, actToggle, actRestore, actErase, actExport} {
		m.count(act, 0)
	}
	return m
}

// count adds n to an act's counter, which is labelled without its "card.".
func (m metrics) count(act string, n int) {
	m.acts.WithLabelValues(strings.TrimPrefix(act, "card.")).Add(float64(n))
}

// Collectors are the service's metrics, for a registry.
func (s *Service) Collectors() []prometheus.Collector {
	return []prometheus.Collector{s.metrics.acts, s.metrics.guesses, s.metrics.unaudited}
}
