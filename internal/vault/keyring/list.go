package keyring

import (
	"context"
	"iter"
	"strings"
	"time"

	"ccms/internal/store"
)

// Info is what may be known of a version of a key by whoever keeps an inventory:
// never the key.
type Info struct {
	Use     string // "owner", "secret", "values" or "check"
	Name    string // the owner or purpose
	ID      string
	Version int64
	State   State
	Created time.Time
	Retired time.Time // when it became decrypt-only; zero while active
}

// List yields every version of every key there is, by name. It unwraps none, so
// that it shows also those that were altered.
func (r *Ring) List(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for rec, err := range r.records.Find(ctx, store.Query{}) {
			if err != nil {
				yield(Info{}, err)
				return
			}
			v := rec.Value
			i := Info{ID: v.Key, Version: v.Version, State: v.State, Created: v.Created}
			i.Use, i.Name, _ = strings.Cut(v.Line, "/")
			if v.Retired != nil {
				i.Retired = *v.Retired
			}
			if !yield(i, nil) {
				return
			}
		}
	}
}
