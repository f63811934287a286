package sqlitestore

import (
	"os"
	"sync/atomic"
	"time"
)

// Stats is what an operator watches: writes per batch say how well the fsync
// is shared, a queue that stays long that the disk does not keep up.
type Stats struct {
	Writes  int64         // acknowledged since Open
	Batches int64         // transactions they took
	Busy    time.Duration // time spent in transactions
	Expired int64         // documents removed after their expiry
	Queue   int           // writes waiting now
	Reads   int           // reads that SQLite is doing now
	Size    int64         // bytes of the database file
	Log     int64         // bytes of the write-ahead log
	Failure error         // what ended writing, nil in health
}

type counters struct {
	writes, batches, busy, expired atomic.Int64
}

// Stats returns the figures of this moment. It may be called after Close.
func (db *DB) Stats() Stats {
	w := db.writer
	return Stats{
		Writes:  w.stats.writes.Load(),
		Batches: w.stats.batches.Load(),
		Busy:    time.Duration(w.stats.busy.Load()),
		Expired: w.stats.expired.Load(),
		Queue:   len(w.queue),
		Reads:   len(db.slots),
		Size:    size(db.path),
		Log:     size(db.path + "-wal"),
		Failure: w.failure(),
	}
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
