package keyring

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	if err := r.insert(ctx, record{Line: name, Key: s.id, Version: int64(s.newest) + 1, State: Active}); err != nil {
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
	err := r.change(ctx, name, version, func(rec *record, now time.Time) bool {
		due := rec.State == Active
		if due {
			rec.State, rec.Retired = DecryptOnly, &now
		}
		return due
	})
	if err != nil {
		return fmt.Errorf("keyring: retire version %d of %s: %w", version, name, err)
	}
	return nil
}

// Active reads an owner's key-encryption key once more and returns its id and the
// version that seals. From then on this ring seals under it, whatever it had in
// memory.
func (r *Ring) Active(ctx context.Context, owner string) (id string, version uint32, err error) {
	name := lineName(forOwner, owner)
	if _, err := r.reread(ctx, r.line(name)); err != nil {
		return "", 0, err
	}
	k, err := r.active(ctx, name)
	if err != nil {
		return "", 0, err
	}
	return k.id, k.version, nil
}

// ErrInUse says that a version is active, or is not there.
var ErrInUse = errors.New("keyring: only a retired version can be destroyed")

// Destroy removes a retired version of an owner's key-encryption key for good:
// what still lies under it never opens again (PCI DSS 3.7.5). Its row stays, to
// tell that it was there. Destroying it again does nothing. Other processes have
// it in memory until Config.Refresh is over.
func (r *Ring) Destroy(ctx context.Context, owner string, version uint32) error {
	return r.destroy(ctx, lineName(forOwner, owner), version)
}

func (r *Ring) destroy(ctx context.Context, name string, version uint32) error {
	s, err := r.reread(ctx, r.line(name))
	if err != nil {
		return err
	}
	if s.gone[version] != nil {
		return nil
	}
	if k := s.keys[version]; k == nil || k.row.State != DecryptOnly {
		return ErrInUse
	}
	return r.end(ctx, name, version)
}

// end destroys a version, whatever its state.
func (r *Ring) end(ctx context.Context, name string, version uint32) error {
	err := r.change(ctx, name, version, func(rec *record, now time.Time) bool {
		due := rec.State != Destroyed
		if due {
			rec.State, rec.Destroyed = Destroyed, &now
		}
		return due
	})
	if err != nil {
		return fmt.Errorf("keyring: destroy version %d of %s: %w", version, name, err)
	}
	_, err = r.reread(ctx, r.line(name))
	return err
}

// Shred destroys every version of the key of an owner or a purpose, the active
// one too; use and name are those of Info. Nothing that was sealed under it opens
// any more, and no new version is ever made: it is for a firm that has gone.
// Other processes have the key in memory until Config.Refresh is over.
func (r *Ring) Shred(ctx context.Context, use, name string) error {
	line := use + "/" + name
	s, err := r.reread(ctx, r.line(line))
	if err != nil {
		return err
	}
	for _, version := range slices.Sorted(maps.Keys(s.keys)) {
		if err := r.end(ctx, line, version); err != nil {
			return err
		}
	}
	return nil
}

// errUnchanged ends a change of a row that is as it should be.
var errUnchanged = errors.New("keyring: unchanged")

// change alters state and dates of a row, if do finds it due, and binds them.
// A row that was altered by others is left as it is: ErrAltered.
func (r *Ring) change(ctx context.Context, name string, version uint32, do func(*record, time.Time) bool) error {
	now := r.now().UTC().Truncate(time.Millisecond)
	id := record{Line: name, Version: int64(version)}.id()
	_, err := r.records.Update(ctx, id, func(rec *record) error {
		if rec.id() != id {
			return fmt.Errorf("%w: %s", ErrAltered, id)
		}
		k, err := r.unwrap(ctx, *rec)
		if err != nil {
			return err
		}
		defer k.secret.Wipe()
		if !do(rec, now) {
			return errUnchanged
		}
		content := k.secret.Reveal()
		if rec.State == Destroyed {
			content = []byte(nothing)
		}
		if rec.Wrapped, err = r.root.Wrap(ctx, content, r.bindRecord(*rec)); err != nil {
			return fmt.Errorf("wrap under the root: %w", err)
		}
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}
