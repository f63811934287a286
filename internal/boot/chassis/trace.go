package chassis

import (
	"log/slog"

	"ccms/internal/httpserver"
	"ccms/internal/tracing"
)

// observe is told of every finished request of a service: its metrics and, where
// a collector is set, the spans.
func (p *Process) observe(s *Service, log *slog.Logger) func(httpserver.Observation) {
	cfg := p.Settings.Trace
	if cfg.URL.IsZero() {
		return s.Actuator.Observe
	}
	spans := tracing.New(tracing.Config{
		URL: cfg.URL.Reveal(), Percent: cfg.Percent, Service: s.Name, Version: Version(), Log: log,
	})
	s.Actuator.Registry().Add(spans.Collectors()...)
	s.Work = append(s.Work, spans.Run)
	return func(o httpserver.Observation) {
		s.Actuator.Observe(o)
		spans.Observe(o)
	}
}
