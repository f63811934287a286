package outbox

import (
	"context"

	"ccms/internal/store"
)

// Check opens every message there is, dead ones too; note is told of each by its
// id. The error is that of the store.
func (q *Queue) Check(ctx context.Context, note func(id string, err error)) error {
	for r, err := range q.docs.Find(ctx, store.Query{}) {
		if err != nil {
			return err
		}
		payload, err := q.cfg.Sealer.Open(ctx, q.purpose(), binding(r.ID, r.Value.Kind, r.Value.Owner), r.Value.Sealed)
		payload.Wipe()
		note(r.ID, err)
	}
	return nil
}
