package chassis

import (
	"ccms/internal/meter"
	"ccms/internal/store/sqlitestore"
)

// WatchStore shows the store's health and, of the embedded one, its figures. All
// services of a process show the same.
func (p *Process) WatchStore(s *Service) {
	s.Actuator.AddHealth("db", true, p.DB.Ping)
	if db, ok := p.DB.(*sqlitestore.DB); ok {
		s.Actuator.Registry().Add(storeFigures(db))
	}
}

func storeFigures(db *sqlitestore.DB) meter.Collector {
	return meter.Of(func() []meter.Figure {
		s := db.Stats()
		return []meter.Figure{
			{Name: "ccms_store_writes_total", Help: "Writes acknowledged.", Value: float64(s.Writes)},
			{Name: "ccms_store_batches_total", Help: "Transactions they took.", Value: float64(s.Batches)},
			{Name: "ccms_store_busy_seconds_total", Help: "Time spent in transactions.", Value: s.Busy.Seconds()},
			{Name: "ccms_store_expired_total", Help: "Documents removed after their expiry.", Value: float64(s.Expired)},
			{Name: "ccms_store_queue", Help: "Writes that wait.", Value: float64(s.Queue)},
			{Name: "ccms_store_reads", Help: "Reads under way.", Value: float64(s.Reads)},
			{Name: "ccms_store_size_bytes", Help: "Size of the database file.", Value: float64(s.Size)},
			{Name: "ccms_store_log_size_bytes", Help: "Size of the write-ahead log.", Value: float64(s.Log)},
			{Name: "ccms_store_failed", Help: "1 once the store takes no more writes.", Value: meter.Flag(s.Failure != nil)},
		}
	})
}
