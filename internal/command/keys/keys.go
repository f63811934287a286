// Package keys owns what an administrator may ask of the keys of a running
// process: their state, new versions, the move of sealed values to them, and the
// end of versions that hold nothing. A Desk does it, a Client asks for it and
// shows the answer, as in package command, whose road between the two it takes.
// What becomes of keys is package rotation's.
package keys

import (
	"context"
	"errors"

	"ccms/internal/rotation"
)

// The commands by name.
const (
	Status   = "keys status"
	Rotate   = "keys rotate"
	Rewrap   = "keys rewrap"
	Lookup   = "keys lookup"
	Progress = "keys progress"
	Destroy  = "keys destroy"
)

// Doomed says which keys to destroy: retired versions under which nothing lies,
// or all keys of a firm that has gone.
type Doomed struct {
	Firm string `json:"firm,omitzero"`
}

// Desk returns the keepers of the keys that this process has.
type Desk func(context.Context) ([]*rotation.Keeper, error)

// Which says which keys to rotate: those that wrap record keys, or those that
// sign tokens.
type Which struct {
	Signing bool `json:"signing,omitzero"`
}

var errNoKeys = errors.New("no keys are kept here: name the data folder of a login or card service with --data")

// Status lists all keys.
func (d Desk) Status(ctx context.Context, _ struct{}) ([]rotation.Status, error) {
	return collect(ctx, d, func(k *rotation.Keeper) ([]rotation.Status, error) {
		s, err := k.Status(ctx)
		return []rotation.Status{s}, err
	})
}

// Rotate makes new versions.
func (d Desk) Rotate(ctx context.Context, which Which) ([]rotation.Rotated, error) {
	return collect(ctx, d, func(k *rotation.Keeper) ([]rotation.Rotated, error) {
		if which.Signing {
			return k.RotateSigning(ctx, rotation.Administrator())
		}
		return k.Rotate(ctx, rotation.Administrator())
	})
}

// Rewrap begins to move sealed values to the active versions.
func (d Desk) Rewrap(ctx context.Context, _ struct{}) ([]rotation.Progress, error) {
	return collect(ctx, d, func(k *rotation.Keeper) ([]rotation.Progress, error) {
		if !k.Holds() {
			return nil, nil
		}
		p, err := k.Rewrap(ctx, rotation.Administrator())
		return []rotation.Progress{p}, err
	})
}

// Lookup begins to exchange look-up keys.
func (d Desk) Lookup(ctx context.Context, _ struct{}) ([]rotation.Progress, error) {
	return collect(ctx, d, func(k *rotation.Keeper) ([]rotation.Progress, error) {
		if !k.Finds() {
			return nil, nil
		}
		p, err := k.RotateLookup(ctx, rotation.Administrator())
		return []rotation.Progress{p}, err
	})
}

// Progress tells how far work in the background is.
func (d Desk) Progress(ctx context.Context, _ struct{}) ([]rotation.Progress, error) {
	return collect(ctx, d, func(k *rotation.Keeper) ([]rotation.Progress, error) {
		if !k.Holds() {
			return nil, nil
		}
		return []rotation.Progress{k.Progress()}, nil
	})
}

// Destroy ends retired versions that hold nothing, or the keys of a firm.
func (d Desk) Destroy(ctx context.Context, which Doomed) ([]rotation.Destroyed, error) {
	return collect(ctx, d, func(k *rotation.Keeper) ([]rotation.Destroyed, error) {
		if which.Firm == "" {
			return k.Destroy(ctx, rotation.Administrator())
		}
		if !k.Finds() {
			return nil, nil // a login service seals nothing of a firm's
		}
		return k.Shred(ctx, rotation.Administrator(), which.Firm)
	})
}

// collect asks every keeper, and ends with the first error.
func collect[T any](ctx context.Context, d Desk, ask func(*rotation.Keeper) ([]T, error)) ([]T, error) {
	if d == nil {
		return nil, errNoKeys
	}
	keepers, err := d(ctx)
	if err == nil && len(keepers) == 0 {
		err = errNoKeys
	}
	if err != nil {
		return nil, err
	}
	all := []T{}
	for _, k := range keepers {
		some, err := ask(k)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}
