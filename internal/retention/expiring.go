package retention

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
)

// Source tells one class as it is at a time.
type Source func(ctx context.Context, now time.Time) (Class, error)

// Expiring is a class whose documents name the time at which the store removes
// them.
type Expiring struct {
	Name          string
	Justification string
	Keep          time.Duration // from when it is not needed until it is removed
	Grace         time.Duration // as in Class; default that of the store's own sweep
	Collection    string
	Field         string // that holds the time; documents without it stay
}

// storeGrace is how long after its time a document may still be there: both
// drivers look once a minute, MongoDB not in every round.
const storeGrace = 10 * time.Minute

// In counts the class in db, past what its collection shows: documents whose
// time is over are hidden there, and the proof is that they are gone.
func (e Expiring) In(db store.Dumper) Source {
	return func(ctx context.Context, now time.Time) (Class, error) {
		c := Class{Name: e.Name, Justification: e.Justification, Keep: e.Keep, Grace: cmp.Or(e.Grace, storeGrace)}
		for d, err := range db.Dump(ctx, e.Collection) {
			if err != nil {
				return c, fmt.Errorf("retention: %s: %w", e.Name, err)
			}
			v, err := d.Body.LookupErr(e.Field)
			if err != nil || v.Type != bson.TypeDateTime {
				continue
			}
			c.Note(v.Time().Add(-e.Keep), now)
		}
		return c, nil
	}
}
