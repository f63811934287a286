package rotation

import (
	"context"
	"errors"
	"fmt"

	"ccms/internal/audit"
	"ccms/internal/vault/rewrap"
)

// The states of re-wrapping.
const (
	Idle     = "idle"
	Counting = "counting"
	Running  = "running"
	Done     = "done"
	Stopped  = "stopped" // by an error, or the end of the process: start it again
)

// Progress is how far re-wrapping is.
type Progress struct {
	Service string `json:"service"`
	State   string `json:"state"`
	Values  int64  `json:"values"` // sealed values when it began
	Passed  int64  `json:"passed"` // of those, looked at
	Moved   int64  `json:"moved"`  // re-wrapped
	Failed  int64  `json:"failed"` // that do not open: altered, or their key is destroyed
	Error   string `json:"error,omitzero"`
}

// Over reports whether nothing goes on.
func (p Progress) Over() bool { return p.State != Counting && p.State != Running }

// Progress tells how far re-wrapping is.
func (k *Keeper) Progress() Progress {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.progress
}

// Holds reports whether anything is sealed under the keys that wrap record keys.
func (k *Keeper) Holds() bool { return len(k.cfg.Books) > 0 }

// Rewrap begins, in the background, to move every sealed value to the active
// version of its key, unless that goes on already. After the process ended, by
// kill -9 too, it goes on where it was when it is begun again: what is left
// still names an old version.
func (k *Keeper) Rewrap(ctx context.Context, by audit.Entry) (Progress, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || !k.progress.Over() {
		return k.progress, nil
	}
	a, err := k.cfg.Audit.Begin(ctx, of(by, actRewrap, k.cfg.Service))
	if err != nil {
		return k.progress, err
	}
	k.progress = Progress{Service: k.cfg.Service, State: Counting}
	k.work.Go(func() {
		ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		k.work.Go(func() {
			select {
			case <-k.stop:
				cancel()
			case <-ctx.Done():
			}
		})
		err := k.rewrap(ctx)
		err = errors.Join(err, a.End(ctx, resultOf(err)))
		k.note(func(p *Progress) {
			p.State = Done
			if err != nil {
				p.State, p.Error = Stopped, err.Error()
			}
		})
	})
	return k.progress, nil
}

// rewrap does the work of Rewrap.
func (k *Keeper) rewrap(ctx context.Context) error {
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
		for _, n := range counts {
			p.Values += n
		}
	})
	j := rewrap.Job{Vault: k.cfg.Vault, Active: active, Done: func(values, moved, failed int64) {
		k.note(func(p *Progress) {
			p.Passed += values
			p.Moved += moved
			p.Failed += failed
		})
	}}
	for _, b := range k.cfg.Books {
		if err := b.Rewrap(ctx, j); err != nil {
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

func (k *Keeper) note(what func(*Progress)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	what(&k.progress)
}
