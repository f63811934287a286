// Package figures owns how parts that keep count themselves are shown as
// metrics: their names and what they mean. It counts nothing and serves nothing:
// the parts count, the registry of package actuator gathers.
package figures

import (
	"ccms/internal/audit"
	"ccms/internal/meter"
	"ccms/internal/vault/keyring"
)

// Books shows the record of a service and the keys it seals under.
func Books(log *audit.Log, ring *keyring.Ring) meter.Collector {
	return meter.Of(func() []meter.Figure {
		s := log.Stats()
		return []meter.Figure{
			meter.NewFigure("ccms_audit_records_total", "Records of acts that are durable.", float64(s.Written)),
			meter.NewFigure("ccms_audit_failures_total", "Records of acts that could not be written.", float64(s.Failed)),
			meter.NewFigure("ccms_audit_lag_seconds", "How long the oldest record that is not written yet has waited.", s.Lag.Seconds()),
			meter.NewFigure("ccms_key_age_seconds", "Age of the oldest key-encryption key that wraps, of those used in the last hour.", ring.Oldest().Seconds()),
		}
	})
}
