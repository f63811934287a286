package figures

import (
	"ccms/internal/meter"
	"ccms/internal/upload"
)

// Copies shows how far the full log files are on their way to object storage.
func Copies(l *upload.Logs) meter.Collector {
	return meter.Of(func() []meter.Figure {
		s := l.Stats()
		return []meter.Figure{
			meter.NewFigure("ccms_upload_files_total", "Full log files that were copied.", float64(s.Sent)),
			meter.NewFigure("ccms_upload_failures_total", "Times that a full log file could not be copied.", float64(s.Failed)),
			meter.NewFigure("ccms_upload_waiting", "Full log files that are not copied yet.", float64(s.Waiting)),
			meter.NewFigure("ccms_upload_oldest_seconds", "Time since the oldest of these was full.", s.Oldest.Seconds()),
		}
	})
}
