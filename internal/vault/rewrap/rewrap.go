package rewrap

import (
	"context"
	"errors"

	"ccms/internal/vault"
)

// Vault re-wraps; vault.Vault does.
type Vault interface {
	// Rewrap returns sealed under the owner's active key-encryption key, or
	// vault.ErrOpen.
	Rewrap(ctx context.Context, at vault.Place, sealed string) (string, error)
}

// Job is a walk that re-wraps.
type Job struct {
	Vault Vault
	// Active is the version each key seals under now, by key id.
	Active map[string]uint32
	Pace
}

// Rewrap moves every value that lies under another version than the active one,
// one write per document. A value that does not open stays as it is, and so do
// those of unknown keys; the walk goes on. It ends with an error of the store or
// the root key that does not pass, or with ctx.
func (b Book) Rewrap(ctx context.Context, j Job) error {
	return b.walk(ctx, j.Pace, stride{
		due: func(v Value) bool {
			is := v.version()
			active, known := j.Active[is.KeyID]
			return !known || is.Number != active
		},
		change: func(ctx context.Context, v Value) (changed, failed bool, err error) {
			sealed, err := j.Vault.Rewrap(ctx, v.At, *v.Sealed)
			if errors.Is(err, vault.ErrOpen) {
				return false, true, nil
			}
			if err != nil || sealed == *v.Sealed {
				return false, false, err
			}
			*v.Sealed = sealed
			return true, false, nil
		},
	})
}
