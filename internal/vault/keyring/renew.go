package keyring

import (
	"context"
	"errors"
	"fmt"

	"ccms/internal/store"
)

// Renewer is a Root whose key has versions, as that of a key service has.
type Renewer interface {
	Root
	// Renew returns wrapped under the newest version of the root key, nil when it
	// lies under that one already. Errors are those of Unwrap.
	Renew(ctx context.Context, wrapped, aad []byte) ([]byte, error)
}

// Renews reports whether the root key has versions.
func (r *Ring) Renews() bool {
	_, ok := r.root.(Renewer)
	return ok
}

// Renew wraps every version of every key under the newest version of the root key
// and returns how many it wrapped anew; none where the root has no versions. A row
// that was altered is left as it is, and is the error when all others are done.
func (r *Ring) Renew(ctx context.Context) (n int64, err error) {
	root, ok := r.root.(Renewer)
	if !ok {
		return 0, nil
	}
	var altered error
	for rec, err := range r.records.Find(ctx, store.Query{}) {
		if err != nil {
			return n, err
		}
		renewed, err := r.renew(ctx, root, rec.ID)
		if errors.Is(err, ErrAltered) {
			altered = err
			continue
		}
		if err != nil {
			return n, err
		}
		if renewed {
			n++
		}
	}
	return n, altered
}

// Reach reports whether the root key can be reached: it unwraps the first key made.
func (r *Ring) Reach(ctx context.Context) error {
	rec, err := r.records.Get(ctx, record{Line: lineName(forCheck, "root"), Version: 1}.id())
	if err != nil {
		return err
	}
	k, err := r.unwrap(ctx, rec.Value)
	if err == nil {
		k.secret.Wipe()
	}
	return err
}

// renew wraps one version anew, if it is due.
func (r *Ring) renew(ctx context.Context, root Renewer, id string) (renewed bool, err error) {
	_, err = r.records.Update(ctx, id, func(rec *record) error {
		renewed = false // it may be called again
		if rec.id() != id {
			return fmt.Errorf("%w: %s", ErrAltered, id)
		}
		aad := r.bindRecord(*rec)
		wrapped, err := root.Renew(ctx, rec.Wrapped, aad)
		switch {
		case errors.Is(err, ErrUnwrap):
			return fmt.Errorf("%w: %s", ErrAltered, id)
		case err != nil:
			return fmt.Errorf("keyring: renew the wrap of %s: %w", id, err)
		case wrapped == nil:
			return errUnchanged
		}
		rec.Wrapped, renewed = wrapped, true
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return false, nil
	}
	return renewed, err
}
