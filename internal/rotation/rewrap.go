package rotation

import (
	"context"
	"fmt"

	"ccms/internal/audit"
	"ccms/internal/vault/rewrap"
)

// Rewrap begins, in the background, to move every sealed value to the active
// version of its key, and every key to the newest version of a root key that has
// versions (keyring.Renewer), unless that goes on already. After the process
// ended, by kill -9 too, it goes on where it was when it is begun again: what is
// left still names an old version.
func (k *Keeper) Rewrap(ctx context.Context, by audit.Entry) (Progress, error) {
	return k.begin(ctx, task{JobRewrap, of(by, actRewrap, k.cfg.Service), k.rewrap})
}

// rewrap does the work of Rewrap.
func (k *Keeper) rewrap(ctx context.Context) error {
	renewed, err := k.cfg.Ring.Renew(ctx)
	k.note(func(p *Progress) { p.Renewed = renewed })
	if err != nil {
		return err
	}
	counts, _, err := k.count(ctx, 0)
	if err != nil {
		return err
	}
	active, err := k.active(ctx)
	if err != nil {
		return err
	}
	k.note(func(p *Progress) {
		p.State = Running
		p.Values = total(counts.Sealed)
	})
	for _, b := range k.cfg.Books {
		if err := b.Rewrap(ctx, rewrap.Job{Vault: k.cfg.Vault, Active: active, Pace: k.pace()}); err != nil {
			return err
		}
	}
	return nil
}

// active is the version that seals, by key.
func (k *Keeper) active(ctx context.Context) (map[string]uint32, error) {
	owners, err := k.owners(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]uint32{}
	for _, o := range owners {
		id, version, err := k.cfg.Ring.Active(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("key of %s: %w", o, err)
		}
		all[id] = version
	}
	return all, nil
}
