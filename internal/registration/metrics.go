package registration

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"ccms/internal/registration/ledger"
	"ccms/internal/registration/verification"
)

// metrics counts what an operator would watch.
type metrics struct {
	acts      *prometheus.CounterVec
	outcomes  *prometheus.CounterVec
	guesses   prometheus.Counter
	unaudited prometheus.Counter
}

func newMetrics() metrics {
	m := metrics{
		acts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ccms_registration_acts_total", Help: "Acts on firms' registrations that succeeded.",
		}, []string{"act"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ccms_registrations_total", Help: "Registrations by what was decided; pending ones count again once decided.",
		}, []string{"status"}),
		guesses: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ccms_registration_code_guesses_refused_total", Help: "Registrations refused because too many different codes were tried for one card.",
		}),
		unaudited: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ccms_registration_audit_refusals_total", Help: "Acts on firms' registrations refused because their audit record could not be written.",
		}),
	}
	for _, act := range []string{actCreate, actDelete} {
		m.acts.WithLabelValues(label(act))
	}
	for _, status := range []string{verification.Pending, verification.Verified, verification.Rejected, ledger.Failed} {
		m.outcomes.WithLabelValues(status)
	}
	return m
}

// label is an act without its "registration.".
func label(act string) string { return strings.TrimPrefix(act, "registration.") }

func (m metrics) count(act string) { m.acts.WithLabelValues(label(act)).Inc() }

func (m metrics) decided(status string) { m.outcomes.WithLabelValues(status).Inc() }

// Collectors are the service's metrics, for a registry.
func (s *Service) Collectors() []prometheus.Collector {
	return []prometheus.Collector{s.metrics.acts, s.metrics.outcomes, s.metrics.guesses, s.metrics.unaudited}
}
