package endpoint

import (
	"context"

	"ccms/internal/store"
)

// Check opens every signing key, also those that sign no more; note is told of
// each by the id of its endpoint. The error is that of the store.
func (s *Service) Check(ctx context.Context, note func(id string, err error)) error {
	for r, err := range s.docs.Find(ctx, store.Query{}) {
		if err != nil {
			return err
		}
		for _, e := range r.Value.Endpoints {
			for _, sealed := range [][]byte{e.Key, e.OldKey} {
				if len(sealed) == 0 {
					continue
				}
				key, err := s.c.Sealer.Open(ctx, purpose, e.ID, sealed)
				key.Wipe()
				note(e.ID, err)
			}
		}
	}
	return nil
}
