package boot

import (
	"context"

	"ccms/internal/backup"
	"ccms/internal/boot/chassis"
	"ccms/internal/meter"
	"ccms/internal/store"
)

// watchBackups shows when the embedded store was last backed up. A MongoDB has
// tools of its own, of which nothing is known here.
func (p *process) watchBackups(s *chassis.Service) {
	if p.Settings.Store.URL.Scheme() != "sqlite" {
		return
	}
	s.Actuator.Registry().Add(meter.Of(func() []meter.Figure {
		ctx, cancel := context.WithTimeout(context.Background(), store.Budget)
		defer cancel()
		last, made, err := backup.LastBackup(ctx, p.DB)
		if err != nil || !made {
			return nil // an alarm asks for a figure that is absent too
		}
		return []meter.Figure{
			{Name: "ccms_backup_last_timestamp_seconds", Help: "When the last backup was made, in seconds since 1970.", Value: float64(last.At.UnixMilli()) / 1000},
			{Name: "ccms_backup_last_size_bytes", Help: "Its size.", Value: float64(last.Bytes)},
			{Name: "ccms_backup_last_duration_seconds", Help: "How long it took.", Value: float64(last.TookMS) / 1000},
		}
	}))
}
