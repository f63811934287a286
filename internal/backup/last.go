package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ccms/internal/store"
)

// Last is the note of the last backup that was finished.
type Last struct {
	At        time.Time `json:"at" bson:"at"` // of the copy of the store
	By        string    `json:"by" bson:"by"` // the user who asked for it
	Bytes     int64     `json:"bytes" bson:"bytes"`
	Documents int64     `json:"documents" bson:"documents"`
	TookMS    int64     `json:"took_ms" bson:"tookMs"`
	// Heads is where the audit logs ended.
	Heads []Heads `json:"heads" bson:"heads"`
}

// The collection has one document.
const (
	collection = "Backup"
	lastID     = "last"
)

func notes(ctx context.Context, db store.DB) (*store.Of[Last], error) {
	return store.Open[Last](ctx, db, store.Spec{Name: collection})
}

// Note keeps l as the last backup.
func Note(ctx context.Context, db store.DB, l Last) error {
	all, err := notes(ctx, db)
	if err != nil {
		return fmt.Errorf("note backup: %w", err)
	}
	if err = all.Insert(ctx, lastID, l); errors.Is(err, store.ErrExists) {
		_, err = all.Update(ctx, lastID, func(v *Last) error { *v = l; return nil })
	}
	if err != nil {
		return fmt.Errorf("note backup: %w", err)
	}
	return nil
}

// LastBackup returns the note of the last backup; made is false when there never
// was one. A store that was restored has the note from before its backup.
func LastBackup(ctx context.Context, db store.DB) (l Last, made bool, err error) {
	all, err := notes(ctx, db)
	if err != nil {
		return l, false, fmt.Errorf("last backup: %w", err)
	}
	r, err := all.Get(ctx, lastID)
	if errors.Is(err, store.ErrNotFound) {
		return l, false, nil
	}
	if err != nil {
		return l, false, fmt.Errorf("last backup: %w", err)
	}
	return r.Value, true, nil
}
