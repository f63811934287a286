package verification

import (
	"ccms/internal/meter"
	"ccms/internal/webhook"
)

// aborting is the outcome of a question that we broke off ourselves.
const aborting = "aborted"

// metrics counts what an operator would watch. Firms' own reasons are no
// labels: only what this package says itself.
type metrics struct {
	flags, refusals, asks *meter.Counters
	held                  meter.Collector
}

func newMetrics(held func() int) metrics {
	counter := func(name, help, label string, words ...string) *meter.Counters {
		v := meter.NewCounters(name, help, label)
		for _, w := range words {
			v.With(w)
		}
		return v
	}
	return metrics{
		flags: counter("ccms_verification_flags_total", "Registrations that a rule found suspicious.", "rule",
			VelocityCard, VelocityClient, BINWalk),
		refusals: counter("ccms_verification_refusals_total", "Registrations that a built-in rule rejected.", "reason",
			BrandNotAccepted, BINDenied, BINNotAllowed, VelocityCard, VelocityClient, BINWalk),
		asks: counter("ccms_verification_asks_total", "Questions to firms' endpoints, by what became of them.", "outcome",
			Verified, Rejected, Waiting, Status, Malformed, aborting, webhook.Unacceptable, webhook.Guarded,
			webhook.Unknown, webhook.Unreachable, webhook.Untrusted, webhook.TooSlow, webhook.TooLarge),
		held: meter.Func("ccms_verification_codes_held", "Security codes that wait in memory for a firm's endpoint.", func() float64 { return float64(held()) }),
	}
}

func (m metrics) judged(v Verdict) {
	for _, word := range v.Flags {
		m.flags.With(word).Inc()
	}
	if v.Status == Rejected {
		m.refusals.With(v.Reason).Inc()
	}
}

func (m metrics) asked(outcome string) { m.asks.With(outcome).Inc() }

// Collectors are the pipeline's metrics, for a registry.
func (p *Pipeline) Collectors() []meter.Collector {
	return []meter.Collector{p.metrics.flags, p.metrics.refusals, p.metrics.asks, p.metrics.held}
}
