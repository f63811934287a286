package keyring

import (
	"context"
	"errors"
	"fmt"

	"ccms/internal/store"
)

// Move wraps every version of every key under another root key, and returns how
// many it wrapped anew. No other process may work with these keys meanwhile, and
// this ring is of no use afterwards: open the collection with the other root.
//
// The key that shows to which root the collection belongs goes last. So a move
// that was cut short is begun again under the old root, and passes over what it
// moved. A row that opens under neither ends it: ErrAltered.
func (r *Ring) Move(ctx context.Context, to Root) (n int64, err error) {
	last := record{Line: lineName(forCheck, "root"), Version: 1}.id()
	for rec, err := range r.records.Find(ctx, store.Query{}) {
		if err != nil {
			return n, err
		}
		if rec.ID == last {
			continue
		}
		moved, err := r.move(ctx, to, rec.ID)
		if err != nil {
			return n, err
		}
		if moved {
			n++
		}
	}
	if _, err := r.move(ctx, to, last); err != nil {
		return n, err
	}
	return n + 1, nil
}

// move wraps one version under another root, unless it lies there already.
func (r *Ring) move(ctx context.Context, to Root, id string) (moved bool, err error) {
	_, err = r.records.Update(ctx, id, func(rec *record) error {
		moved = false // it may be called again
		if rec.id() != id {
			return fmt.Errorf("%w: %s", ErrAltered, id)
		}
		k, err := r.unwrap(ctx, *rec)
		if errors.Is(err, ErrAltered) {
			content, failed := to.Unwrap(ctx, rec.Wrapped, r.bindRecord(*rec))
			content.Wipe()
			switch {
			case failed == nil:
				return errUnchanged
			case !errors.Is(failed, ErrUnwrap):
				return fmt.Errorf("keyring: unwrap under the new root: %w", failed)
			}
		}
		if err != nil {
			return err
		}
		defer k.secret.Wipe()
		if rec.Wrapped, err = to.Wrap(ctx, k.secret.Reveal(), r.bindRecord(*rec)); err != nil {
			return fmt.Errorf("keyring: wrap under the new root: %w", err)
		}
		moved = true
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return false, nil
	}
	return moved, err
}
