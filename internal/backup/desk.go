package backup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"ccms/internal/audit"
	"ccms/internal/datadir"
	"ccms/internal/store"
)

// The commands by name. The process that has the store open makes a copy of it
// and keeps the record; the process that was asked for the backup reads the copy,
// so that no passphrase travels, nothing is encrypted at the expense of the
// server, and the file belongs to who asked.
const (
	Begin = "backup begin"
	End   = "backup end"
)

// The act on record. Its object is the time of the copy.
const act = "backup.make"

// Desk does what the process must do that has the store open.
type Desk struct {
	Dir *datadir.Dir
	DB  store.DB
	// Take copies the store to a new file.
	Take func(ctx context.Context, to string) error
	// Heads tells where the audit logs end.
	Heads func(context.Context) ([]Heads, error)
	// Record opens the audit log.
	Record func(context.Context) (*audit.Log, error)
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Request asks for a copy.
type Request struct {
	By string `json:"by"` // the user who asks
}

// Copy is a copy of the store: a file for the process that asked, which it
// removes as soon as it has it open.
type Copy struct {
	Path  string    `json:"path"`
	At    time.Time `json:"at"` // what was acknowledged before is in it
	Heads []Heads   `json:"heads"`
}

// Outcome is what came of a backup.
type Outcome struct {
	Last
	Failed bool `json:"failed,omitzero"`
}

var errNoStore = errors.New("only the embedded store is backed up by ccms: docs/backup.md says how a MongoDB is")

// Begin makes a copy, on record.
func (d Desk) Begin(ctx context.Context, r Request) (Copy, error) {
	if d.Take == nil {
		return Copy{}, errNoStore
	}
	c := Copy{At: d.now()}
	log, err := d.Record(ctx)
	if err != nil {
		return c, err
	}
	if _, err := log.Begin(ctx, entry(r.By, c.At)); err != nil {
		return c, err
	}
	if c.Heads, err = d.Heads(ctx); err != nil {
		return c, err
	}
	if c.Path, err = d.Dir.NewSnapshot(rand.Text()); err != nil {
		return c, err
	}
	return c, d.Take(ctx, c.Path)
}

// End puts on record what came of it, and notes a backup that was finished.
func (d Desk) End(ctx context.Context, o Outcome) (struct{}, error) {
	log, err := d.Record(ctx)
	if err != nil {
		return struct{}{}, err
	}
	if o.Failed {
		return struct{}{}, log.Note(ctx, entry(o.By, o.At), audit.Failed)
	}
	if err := log.Note(ctx, entry(o.By, o.At), audit.Success); err != nil {
		return struct{}{}, err
	}
	return struct{}{}, Note(ctx, d.DB, o.Last)
}

func entry(by string, at time.Time) audit.Entry {
	return audit.Entry{Act: act, Actor: fmt.Sprintf("administrator %s", by), Object: at.Format(time.RFC3339Nano)}
}

func (d Desk) now() time.Time {
	if d.Now == nil {
		return time.Now().UTC()
	}
	return d.Now().UTC()
}
