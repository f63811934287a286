package rotation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ccms/internal/audit"
	"ccms/internal/vault"
	"ccms/internal/vault/keyring"
	"ccms/internal/vault/rewrap"
)

// ErrUnfiled says that look-up keys could not be exchanged for all.
var ErrUnfiled = errors.New("some numbers do not open or are there twice: their look-up keys stay as they are, in both versions")

// RotateLookup begins, in the background, to put new look-up keys in the place of
// those there are, and to destroy the old ones; unless that goes on already. It
// opens every number, in memory, to compute the value by which it is found. Begun
// again after the process ended, by kill -9 too, it ends the exchange that was cut
// short and begins no other.
//
// A number is unique at every moment, and exactly one of many who add it wins,
// because of the order of the steps. Everybody
//
//  1. stores the value under the old key alone,
//  2. the next key is made known: stores both values, each of which is unique,
//  3. all cards have the new value: stores that alone,
//  4. the old key is destroyed.
//
// Processes learn of a step at different moments. Those in steps 1 and 2 both
// store the old value, those in 2 and 3 both the new one, and each two who do
// meet in it. Between 1 and 3 there would be nothing to meet in: so step 3 is
// taken when nobody is in step 1 any more (keyring.Ring.Settle), and when all that
// was stored in step 1 has the new value too. The same is waited for, and looked
// through, before step 4.
func (k *Keeper) RotateLookup(ctx context.Context, by audit.Entry) (Progress, error) {
	return k.begin(ctx, task{JobLookup, of(by, actRefile, k.cfg.Service), func(ctx context.Context) error {
		return k.exchange(ctx, by)
	}})
}

// exchange does the work of RotateLookup.
func (k *Keeper) exchange(ctx context.Context, by audit.Entry) error {
	keys, err := k.lookupKeys(ctx)
	if err != nil {
		return err
	}
	due := dueFirst(keys)
	counts, _, err := k.count(ctx, 0)
	if err != nil {
		return err
	}
	k.note(func(p *Progress) { p.Values = 2 * total(counts.Sealed) })
	e := exchange{k, by, map[string]uint32{}}
	for _, key := range due {
		if err := e.prepare(ctx, key); err != nil {
			return err
		}
	}
	broken, err := e.refile(ctx)
	if err != nil {
		return err
	}
	for _, key := range due {
		if err := e.activate(ctx, key.name); err != nil {
			return err
		}
	}
	after, err := e.refile(ctx)
	if err != nil {
		return err
	}
	// Those prepared last end first: so one that began before all others is there
	// until the end, and tells when the exchange began.
	slices.Reverse(due)
	for _, key := range due {
		if err := e.end(ctx, key.name); err != nil {
			return err
		}
	}
	if broken || after {
		return ErrUnfiled
	}
	return nil
}

// exchange is an exchange of look-up keys under way.
type exchange struct {
	*Keeper
	by audit.Entry
	to map[string]uint32 // the version each key is to have, by its name
}

// prepare makes the next version of a key known, unless it is active already.
func (e exchange) prepare(ctx context.Context, key lookupKey) error {
	if key.state != keyring.PreActive && key.older {
		e.to[key.name] = key.newest
		return nil
	}
	return e.audited(ctx, of(e.by, actPrepare, hashed+"/"+key.name), func() (err error) {
		e.to[key.name], err = e.cfg.Ring.Prepare(ctx, key.name)
		return err
	})
}

// refile waits until all processes know the keys as they are, and files every
// number under the new ones. Keys of numbers that cannot be take no further part.
func (e exchange) refile(ctx context.Context) (broken bool, err error) {
	if err := e.settle(ctx); err != nil {
		return false, err
	}
	left := map[string]bool{}
	f := rewrap.Filing{
		Vault: e.cfg.Vault, To: e.to, Pace: e.pace(),
		Broken: func(key string) { left[key] = true },
	}
	for _, b := range e.cfg.Books {
		if err := b.Refile(ctx, f); err != nil {
			return false, err
		}
	}
	for key := range left {
		delete(e.to, key)
	}
	return len(left) > 0, nil
}

func (e exchange) activate(ctx context.Context, name string) error {
	if _, takesPart := e.to[name]; !takesPart {
		return nil
	}
	return e.audited(ctx, of(e.by, actActivate, hashed+"/"+name), func() error { return e.cfg.Ring.Activate(ctx, name) })
}

// end destroys the versions before the active one.
func (e exchange) end(ctx context.Context, name string) error {
	active, takesPart := e.to[name]
	if !takesPart {
		return nil
	}
	for i, err := range e.cfg.Ring.List(ctx) {
		if err != nil {
			return err
		}
		version := uint32(i.Version)
		if !lookup(i) || i.Name != name || i.State == keyring.Destroyed || version >= active {
			continue
		}
		object := fmt.Sprintf("%s/%s/%d", hashed, name, version)
		err := e.audited(ctx, of(e.by, actDestroy, object), func() error { return e.cfg.Ring.EndSecret(ctx, name, version) })
		if err != nil {
			return err
		}
	}
	return nil
}

// lookupKey is a look-up key: its newest version, and whether older ones live.
type lookupKey struct {
	name    string
	newest  uint32
	state   keyring.State
	created time.Time
	older   bool
}

// underWay reports whether an exchange of the key was begun and not ended.
func (l lookupKey) underWay() bool { return l.state == keyring.PreActive || l.older }

func lookup(i keyring.Info) bool {
	return i.Use == hashed && strings.HasPrefix(i.Name, vault.LookupKeys)
}

// lookupKeys are the look-up keys that are not destroyed, by when their newest
// version was made.
func (k *Keeper) lookupKeys(ctx context.Context) ([]lookupKey, error) {
	found := map[string]lookupKey{}
	for i, err := range k.cfg.Ring.List(ctx) {
		if err != nil {
			return nil, err
		}
		if !lookup(i) || i.State == keyring.Destroyed {
			continue
		}
		l, seen := found[i.Name]
		if newer := uint32(i.Version) > l.newest; newer {
			l = lookupKey{i.Name, uint32(i.Version), i.State, i.Created, l.older}
		}
		l.older = l.older || seen
		found[i.Name] = l
	}
	var all []lookupKey
	for _, l := range found {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b lookupKey) int {
		return cmp.Or(a.created.Compare(b.created), strings.Compare(a.name, b.name))
	})
	return all, nil
}

// dueFirst are the keys to exchange: all, or those of an exchange that was cut
// short. Such a one began when the first of its new versions was made; keys whose
// newest version is older than that it did not come to.
func dueFirst(keys []lookupKey) []lookupKey {
	first := slices.IndexFunc(keys, lookupKey.underWay)
	if first < 0 {
		return keys
	}
	var due, fresh []lookupKey
	for _, l := range keys {
		switch {
		case l.underWay():
			due = append(due, l)
		case l.created.Before(keys[first].created):
			fresh = append(fresh, l)
		}
	}
	return append(due, fresh...)
}
