package rotation

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ccms/internal/audit"
	"ccms/internal/vault"
	"ccms/internal/vault/keyring"
)

// ErrNoFirm says that somebody has no keys here, or is no firm.
var ErrNoFirm = errors.New("rotation: there are no keys of such a firm here")

// Shred destroys all keys of a firm, in both modes, for good: no number of it can
// be read or found any more, here within a moment and elsewhere within a minute,
// and none can be added. It is for a firm that has gone (PCI DSS 3.2.1, 3.7.5).
// What an older backup holds opens with the keys in that backup alone.
func (k *Keeper) Shred(ctx context.Context, by audit.Entry, firm string) ([]Destroyed, error) {
	if !strings.HasPrefix(firm, "firm_") || strings.Contains(firm, "/") {
		return nil, ErrNoFirm
	}
	var doomed []keyring.Info
	for i, err := range k.cfg.Ring.List(ctx) {
		if err != nil {
			return nil, err
		}
		wraps := i.Use == owner && strings.HasPrefix(i.Name, firm+"/")
		finds := i.Use == hashed && i.Name == vault.LookupKeys+firm
		if (wraps || finds) && i.State != keyring.Destroyed {
			doomed = append(doomed, i)
		}
	}
	all := []Destroyed{}
	done := map[string]bool{}
	for _, i := range doomed {
		line := i.Use + "/" + i.Name
		if !done[line] {
			done[line] = true
			err := k.audited(ctx, of(by, actDestroy, line), func() error { return k.cfg.Ring.Shred(ctx, i.Use, i.Name) })
			if err != nil {
				return all, fmt.Errorf("destroy %s: %w", line, err)
			}
		}
		all = append(all, Destroyed{k.cfg.Service, i.Name, i.Version})
	}
	return all, nil
}

// Move wraps all keys under another root key, and returns how many it moved. It is
// for a process that is alone with them (keyring.Ring.Move).
func (k *Keeper) Move(ctx context.Context, by audit.Entry, to keyring.Root) (n int64, err error) {
	err = k.audited(ctx, of(by, actMove, "root"), func() error {
		n, err = k.cfg.Ring.Move(ctx, to)
		return err
	})
	return n, err
}
