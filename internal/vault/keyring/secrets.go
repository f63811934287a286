package keyring

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/vault"
)

// A secret by which stored values were made cannot be exchanged as a key that
// wraps can: whoever looks for a value has to know under which version it was
// made. So its next version is introduced in two steps, each of which every
// process must have heard of before the next one is taken (Settle). Prepare makes
// the version known, beside the active one; Activate puts it in that one's place,
// and EndSecret destroys the one before.

// Secrets returns every version of the random key of a purpose that is not
// destroyed; the first is made when there is none. It fulfils vault.Keys. The
// caller owns the copies.
func (r *Ring) Secrets(ctx context.Context, purpose string) (vault.Secrets, error) {
	name := lineName(forSecret, purpose)
	s, err := r.ready(ctx, name)
	if err != nil {
		return vault.Secrets{}, err
	}
	all := vault.Secrets{Active: s.active.copied()}
	if s.next != nil {
		all.Next = s.next.copied()
	}
	if len(s.keys) == 1 {
		return all, nil // as nearly always
	}
	for _, version := range slices.Sorted(maps.Keys(s.keys)) {
		if k := s.keys[version]; k != s.active && k != s.next {
			all.Retired = append(all.Retired, k.copied())
		}
	}
	return all, nil
}

func (k *key) copied() vault.Secret {
	return vault.Secret{Version: k.version, Key: secret.New(append(make([]byte, 0, KeySize), k.secret.Reveal()...))}
}

// Prepare makes the next version of the random key of a purpose, pre-active, and
// returns it. When there is one already, that one is the next.
func (r *Ring) Prepare(ctx context.Context, purpose string) (uint32, error) {
	name := lineName(forSecret, purpose)
	if _, err := r.active(ctx, name); err != nil {
		return 0, err
	}
	s, err := r.reread(ctx, r.line(name))
	if err != nil {
		return 0, err
	}
	if s.next == nil {
		err = r.insert(ctx, record{Line: name, Key: s.id, Version: int64(s.newest) + 1, State: PreActive})
		if err != nil {
			return 0, err
		}
		if s, err = r.reread(ctx, r.line(name)); err != nil {
			return 0, err
		}
	}
	return s.newest, nil
}

// Activate makes the pre-active version of a secret the active one, and retires
// the one before; done once it does nothing.
func (r *Ring) Activate(ctx context.Context, purpose string) error {
	name := lineName(forSecret, purpose)
	s, err := r.reread(ctx, r.line(name))
	if err != nil {
		return err
	}
	if s.next != nil {
		err := r.change(ctx, name, s.next.version, func(rec *record, _ time.Time) bool {
			due := rec.State == PreActive
			if due {
				rec.State = Active
			}
			return due
		})
		if err != nil {
			return fmt.Errorf("keyring: activate version %d of %s: %w", s.next.version, name, err)
		}
	}
	for _, version := range s.marked {
		if version == s.newest {
			continue
		}
		if err := r.retire(ctx, name, version); err != nil {
			return err
		}
	}
	_, err = r.reread(ctx, r.line(name))
	return err
}

// EndSecret destroys a retired version of a secret, as Destroy does a key.
func (r *Ring) EndSecret(ctx context.Context, purpose string, version uint32) error {
	return r.destroy(ctx, lineName(forSecret, purpose), version)
}

// Settle is how long it takes until no process relies any more on what was so
// before a change: those with old keys in memory, and those that have just
// computed look-up values and are about to store them.
func (r *Ring) Settle() time.Duration {
	const slack = 500 * time.Millisecond // of a write that outlasts its caller
	if r.alone {
		return store.Budget + slack
	}
	return 2*r.refresh + store.Budget + slack
}
