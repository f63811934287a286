package keyring

import (
	"context"
	"fmt"
	"time"
)

// Rotate makes a new version of an owner's key-encryption key, active at once,
// and makes the versions before it decrypt-only. It returns the version that
// is active now. What was wrapped under older versions still opens; vault's
// Rewrap moves it. Other processes follow within Config.Refresh, and at once
// when they meet a value under the new version.
func (r *Ring) Rotate(ctx context.Context, owner string) (uint32, error) {
	name := lineName(forOwner, owner)
	if _, err := r.active(ctx, name); err != nil {
		return 0, err
	}
	l := r.line(name)
	s, err := r.reread(ctx, l)
	if err != nil {
		return 0, err
	}
	if err := r.insert(ctx, name, s.id, int64(s.newest)+1); err != nil {
		return 0, err
	}
	for _, version := range s.marked {
		if err := r.retire(ctx, name, version); err != nil {
			return 0, err
		}
	}
	if s, err = r.reread(ctx, l); err != nil {
		return 0, err
	}
	return s.newest, nil
}

func (r *Ring) retire(ctx context.Context, name string, version uint32) error {
	now := r.now().UTC().Truncate(time.Millisecond)
	_, err := r.records.Update(ctx, record{Line: name, Version: int64(version)}.id(), func(rec *record) error {
		if rec.State == Active {
			rec.State, rec.Retired = DecryptOnly, &now
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keyring: retire version %d of %s: %w", version, name, err)
	}
	return nil
}
