package sqlitestore

import (
	"context"
	"fmt"
)

// sweepRows bounds a transaction that removes expired documents, so that
// writes wait only briefly behind it.
const sweepRows = 500

// sweep is the statement that removes some expired documents.
func (c *collection) sweep() string {
	return fmt.Sprintf("DELETE FROM %s WHERE rowid IN (SELECT rowid FROM %[1]s WHERE %s <= ? LIMIT %d)",
		c.table, column(c.spec.Expires), sweepRows)
}

// clean removes what has expired and empties the write-ahead log, in which
// older versions of changed and erased documents stay until it is overwritten.
func (w *writer) clean() {
	for text := range w.sweeps.Range {
		for w.sweep(text.(string)) == sweepRows && !w.stopping() {
			w.serve()
		}
	}
	if w.logged && w.failure() == nil {
		w.truncate()
	}
}

// sweep returns how many documents it removed. An error that is not final
// (a full disk) leaves the work to the next tick; readers and writers do not
// depend on it.
func (w *writer) sweep(text string) (removed int64) {
	err := w.transaction(func() (err error) {
		removed, err = w.change(text, w.now().UnixMilli())
		return err
	})
	if err != nil {
		return 0
	}
	w.stats.expired.Add(removed)
	return removed
}

// serve lets the writes that gathered behind a sweep go first.
func (w *writer) serve() {
	select {
	case j := <-w.queue:
		w.commit(w.gather(j))
	default:
	}
}

func (w *writer) stopping() bool {
	select {
	case <-w.stop:
		return true
	default:
		return false
	}
}

// truncate copies the log into the database and cuts it to nothing. A reader
// in an old snapshot makes SQLite stop half-way; then the next tick goes on.
func (w *writer) truncate() {
	var busy, frames, copied int64
	row := w.conn.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
	if err := row.Scan(&busy, &frames, &copied); err != nil {
		_ = w.judge(failed(err)) // whoever writes next is told
		return
	}
	w.logged = busy != 0
}
