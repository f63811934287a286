package idempotency

import (
	"context"

	"ccms/internal/store"
)

// Check opens every answer that is kept; note is told of each by the id of its
// claim. The error is that of the store.
func (k *Keys) Check(ctx context.Context, note func(id string, err error)) error {
	for r, err := range k.claims.Find(ctx, store.Query{}) {
		if err != nil {
			return err
		}
		if r.Value.Answer == nil {
			continue // the act goes on, or was cut short
		}
		o, err := k.open(ctx, r.ID, r.Value.Answer)
		clear(o.Body)
		note(r.ID, err)
	}
	return nil
}
