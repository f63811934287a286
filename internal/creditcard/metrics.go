package creditcard

import (
	"strings"

	"ccms/internal/meter"
)

// metrics counts what an operator would watch.
type metrics struct {
	acts      *meter.Counters
	guesses   *meter.Counter
	unaudited *meter.Counter
}

func newMetrics() metrics {
	m := metrics{
		acts:      meter.NewCounters("ccms_cards_total", "Acts on cardholders' cards that succeeded.", "act"),
		guesses:   meter.NewCounter("ccms_card_code_guesses_refused_total", "Card adds refused because too many different codes were tried for one card."),
		unaudited: meter.NewCounter("ccms_card_audit_refusals_total", "Acts on cardholders' cards refused because their audit record could not be written."),
	}
	for _, act := range []string{actAdd, actDelete, actToggle, actRestore, actErase, actExport} {
		m.count(act, 0)
	}
	return m
}

// count adds n to an act's counter, which is labelled without its "card.".
func (m metrics) count(act string, n int) {
	m.acts.With(strings.TrimPrefix(act, "card.")).Add(uint64(n))
}

// Collectors are the service's metrics, for a registry.
func (s *Service) Collectors() []meter.Collector {
	return []meter.Collector{s.metrics.acts, s.metrics.guesses, s.metrics.unaudited}
}
