package figures

import (
	"github.com/prometheus/client_golang/prometheus"

	"ccms/internal/audit"
	"ccms/internal/vault/keyring"
)

// Books shows the record of a service and the keys it seals under.
func Books(log *audit.Log, ring *keyring.Ring) prometheus.Collector {
	return Of(func() []Figure {
		s := log.Stats()
		return []Figure{
			{"ccms_audit_records_total", "Records of acts that are durable.", float64(s.Written), nil},
			{"ccms_audit_failures_total", "Records of acts that could not be written.", float64(s.Failed), nil},
			{"ccms_audit_lag_seconds", "How long the oldest record that is not written yet has waited.", s.Lag.Seconds(), nil},
			{"ccms_key_age_seconds", "Age of the oldest key that seals, of those used in the last hour.", ring.Oldest().Seconds(), nil},
		}
	})
}
