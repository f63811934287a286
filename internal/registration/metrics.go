package registration

import (
	"strings"

	"ccms/internal/meter"
	"ccms/internal/registration/ledger"
	"ccms/internal/registration/verification"
)

// metrics counts what an operator would watch.
type metrics struct {
	acts      *meter.Counters
	outcomes  *meter.Counters
	guesses   *meter.Counter
	unaudited *meter.Counter
}

func newMetrics() metrics {
	m := metrics{
		acts:      meter.NewCounters("ccms_registration_acts_total", "Acts on firms' registrations that succeeded.", "act"),
		outcomes:  meter.NewCounters("ccms_registrations_total", "Registrations by what was decided; pending ones count again once decided.", "status"),
		guesses:   meter.NewCounter("ccms_registration_code_guesses_refused_total", "Registrations refused because too many different codes were tried for one card."),
		unaudited: meter.NewCounter("ccms_registration_audit_refusals_total", "Acts on firms' registrations refused because their audit record could not be written."),
	}
	for _, act := range []string{actCreate, actDelete} {
		m.acts.With(label(act))
	}
	for _, status := range []string{verification.Pending, verification.Verified, verification.Rejected, ledger.Failed} {
		m.outcomes.With(status)
	}
	return m
}

// label is an act without its "registration.".
func label(act string) string { return strings.TrimPrefix(act, "registration.") }

func (m metrics) count(act string) { m.acts.With(label(act)).Inc() }

func (m metrics) decided(status string) { m.outcomes.With(status).Inc() }

// Collectors are the service's metrics, for a registry.
func (s *Service) Collectors() []meter.Collector {
	return []meter.Collector{s.metrics.acts, s.metrics.outcomes, s.metrics.guesses, s.metrics.unaudited}
}
