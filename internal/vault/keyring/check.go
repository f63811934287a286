package keyring

import (
	"context"
	"errors"

	"ccms/internal/store"
)

// Check unwraps every version of every key under the root; note is told of each
// by its id, with ErrAltered when it does not open. The error is of the store or
// the root itself.
func (r *Ring) Check(ctx context.Context, note func(id string, err error)) error {
	for rec, err := range r.records.Find(ctx, store.Query{}) {
		if err != nil {
			return err
		}
		err = ErrAltered
		if rec.ID == rec.Value.id() {
			var k *key
			if k, err = r.unwrap(ctx, rec.Value); err == nil {
				k.secret.Wipe()
			}
		}
		if err != nil && !errors.Is(err, ErrAltered) {
			return err
		}
		note(rec.ID, err)
	}
	return nil
}
