package firmcard

import (
	"strings"

	"ccms/internal/meter"
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
	acts      *meter.Counters
	refused   *meter.Counter
	unaudited *meter.Counter
}

func newMetrics() metrics {
	m := metrics{
		acts:      meter.NewCounters("ccms_firm_cards_total", "Acts on firms' cards that succeeded.", "act"),
		refused:   meter.NewCounter("ccms_firm_card_reveals_refused_total", "Reveals refused because the client had used up its hour's number of them."),
		unaudited: meter.NewCounter("ccms_firm_card_audit_refusals_total", "Acts on firms' cards refused because their audit record could not be written."),
	}
	for _, act := range []string{actCreate, actEnable, actDisable, actDelete, actReveal, actErase} {
		m.acts.With(strings.TrimPrefix(act, "card."))
	}
	return m
}

// count adds one to an act's counter, which is labelled without its "card.".
func (m metrics) count(act string) { m.acts.With(strings.TrimPrefix(act, "card.")).Inc() }

// Collectors are the service's metrics, for a registry.
func (s *Service) Collectors() []meter.Collector {
	return []meter.Collector{s.metrics.acts, s.metrics.refused, s.metrics.unaudited}
}
