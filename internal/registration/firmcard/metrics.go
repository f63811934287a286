package firmcard

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// The names of the acts in the audit record. Looking at what is masked is no
// access to card data (PCI DSS 10.2.1.1) and has none; making a card stands
// there as the registration that brought it.
const (
	actCreate  = "card.create"
	actEnable  = "card.enable"
	actDisable = "card.disable"
	actDelete  = "card.delete"
	actReveal  = "card.reveal"
	actErase   = "card.erase"
)

// metrics counts what an operator would watch.
type metrics struct {
	acts      *prometheus.CounterVec
	refused   prometheus.Counter
	unaudited prometheus.Counter
}

func newMetrics() metrics {
	m := metrics{
		acts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ccms_firm_cards_total", Help: "Acts on firms' cards that succeeded.",
		}, []string{"act"}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ccms_firm_card_reveals_refused_total", Help: "Reveals refused because the client had used up its hour's number of them.",
		}),
		unaudited: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ccms_firm_card_audit_refusals_total", Help: "Acts on firms' cards refused because their audit record could not be written.",
		}),
	}
	for _, act := range []string{actCreate, actEnable, actDisable, actDelete, actReveal, actErase} {
		m.acts.WithLabelValues(strings.TrimPrefix(act, "card."))
	}
	return m
}

// count adds one to an act's counter, which is labelled without its "card.".
func (m metrics) count(act string) { m.acts.WithLabelValues(strings.TrimPrefix(act, "card.")).Inc() }

// Collectors are the service's metrics, for a registry.
func (s *Service) Collectors() []prometheus.Collector {
	return []prometheus.Collector{s.metrics.acts, s.metrics.refused, s.metrics.unaudited}
}
