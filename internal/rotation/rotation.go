// Package rotation owns what becomes of a service's keys while it runs: which
// there are and what is due (PCI DSS 3.7.4), new versions, the move of sealed
// values to them, and the end of versions under which nothing lies any more
// (PCI DSS 3.7.5). Every act is on record before it happens.
//
// It holds no key: package keyring makes and keeps those of the store, package
// identity those that sign tokens, and package rewrap walks what is sealed.
package rotation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"ccms/internal/audit"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/vault/keyring"
	"ccms/internal/vault/rewrap"
)

// The acts on record. Their object is a key as Key names it.
const (
	actRotate  = "key.rotate"
	actRewrap  = "key.rewrap"
	actDestroy = "key.destroy"

	actMove = "key.move" // all keys to another root key

	actPrepare  = "key.prepare"  // the next version of a look-up key is made known
	actRefile   = "key.refile"   // numbers are opened to compute their look-up values
	actActivate = "key.activate" // the next version takes the place of the active one
)

// Vault is what moves values to other keys; vault.Vault does.
type Vault interface {
	rewrap.Vault
	rewrap.Finder
}

// Administrator is who gives commands on the machine itself, for the record.
func Administrator() audit.Entry { return audit.Entry{Actor: "administrator"} }

// Config is what New needs.
type Config struct {
	// Service is whose keys these are. Required, as are Ring and Audit.
	Service string
	Ring    *keyring.Ring
	Audit   *audit.Log
	// Signing are the keys of tokens; nil where none are signed.
	Signing *identity.Keys
	// Vault and Books are what moves sealed values and where those are; nothing
	// where none are kept.
	Vault Vault
	Books []rewrap.Book
	// Patience is for how long work in the background goes on asking a store or a
	// key service that does not answer; default 5 minutes.
	Patience time.Duration
	// Period is after how long a key is to be rotated; default 365 days.
	Period time.Duration
	// Grace is how long a version is kept after it was retired: processes that
	// have not heard of that yet seal under it for as long as their ring's
	// Refresh. Default 10 minutes.
	Grace time.Duration
	// Settle is how long to wait until every process has heard of a change of a
	// look-up key; default Ring.Settle().
	Settle time.Duration
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Keeper looks after the keys of one service; safe for concurrent use. Close
// ends what it does in the background.
type Keeper struct {
	cfg  Config
	stop chan struct{} // closed by Close

	mu       sync.Mutex
	closed   bool
	work     sync.WaitGroup
	progress Progress
}

// New returns a Keeper.
func New(c Config) *Keeper {
	if c.Period == 0 {
		c.Period = 365 * 24 * time.Hour
	}
	if c.Grace == 0 {
		c.Grace = 10 * time.Minute
	}
	if c.Settle == 0 && c.Ring != nil {
		c.Settle = c.Ring.Settle()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Keeper{cfg: c, stop: make(chan struct{}), progress: Progress{Service: c.Service, State: Idle}}
}

// Run waits until ctx ends, and then for what is done in the background, which
// ends too.
func (k *Keeper) Run(ctx context.Context) error {
	<-ctx.Done()
	k.Close()
	return nil
}

// Close ends what is done in the background and waits for it.
func (k *Keeper) Close() {
	k.mu.Lock()
	if !k.closed {
		k.closed = true
		close(k.stop)
	}
	k.mu.Unlock()
	k.work.Wait()
}

// Rotated is a key that has a new version.
type Rotated struct {
	Service string `json:"service"`
	Key     string `json:"key"`
	Version uint32 `json:"version,omitzero"`
}

// Rotate gives every key-encryption key a new version, under which everything is
// sealed from now on; by says on whose behalf, by Actor, From and Request. On an
// error the keys before it are rotated.
func (k *Keeper) Rotate(ctx context.Context, by audit.Entry) ([]Rotated, error) {
	owners, err := k.owners(ctx)
	if err != nil {
		return nil, err
	}
	all := []Rotated{}
	for _, o := range owners {
		r := Rotated{Service: k.cfg.Service, Key: o}
		err := k.audited(ctx, of(by, actRotate, "owner/"+o), func() (err error) {
			r.Version, err = k.cfg.Ring.Rotate(ctx, o)
			return err
		})
		if err != nil {
			return all, fmt.Errorf("rotate the key of %s: %w", o, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// RotateSigning makes the next key of tokens sign. It does nothing in a service
// that signs none.
func (k *Keeper) RotateSigning(ctx context.Context, by audit.Entry) ([]Rotated, error) {
	if k.cfg.Signing == nil {
		return nil, nil
	}
	err := k.audited(ctx, of(by, actRotate, "jwt"), func() error { return k.cfg.Signing.Rotate(ctx) })
	if err != nil {
		return nil, fmt.Errorf("rotate the keys that sign tokens: %w", err)
	}
	return []Rotated{{Service: k.cfg.Service, Key: "jwt"}}, nil
}

// Destroyed is a version that is no more.
type Destroyed struct {
	Service string `json:"service"`
	Key     string `json:"key"`
	Version int64  `json:"version"`
}

// Destroy ends every retired version of a key-encryption key under which nothing
// lies, and whose grace is over.
func (k *Keeper) Destroy(ctx context.Context, by audit.Entry) ([]Destroyed, error) {
	counts, _, err := k.count(ctx, 0)
	if err != nil {
		return nil, err
	}
	var due []keyring.Info
	for i, err := range k.cfg.Ring.List(ctx) {
		if err != nil {
			return nil, err
		}
		empty := counts.Sealed[rewrap.Version{KeyID: i.ID, Number: uint32(i.Version)}] == 0
		if i.Use == owner && i.State == keyring.DecryptOnly && empty && k.cfg.Now().Sub(i.Retired) >= k.cfg.Grace {
			due = append(due, i)
		}
	}
	all := []Destroyed{}
	for _, i := range due {
		err := k.audited(ctx, of(by, actDestroy, fmt.Sprintf("owner/%s/%d", i.Name, i.Version)), func() error {
			return k.cfg.Ring.Destroy(ctx, i.Name, uint32(i.Version))
		})
		if err != nil {
			return all, err
		}
		all = append(all, Destroyed{k.cfg.Service, i.Name, i.Version})
	}
	return all, nil
}

// The uses of keys, as keyring.Info has them.
const (
	owner  = "owner"  // key-encryption keys
	hashed = "secret" // look-up keys among them
)

// owners are those that have a key-encryption key that is not destroyed, by name.
func (k *Keeper) owners(ctx context.Context) ([]string, error) {
	var all []string
	for i, err := range k.cfg.Ring.List(ctx) {
		if err != nil {
			return nil, err
		}
		if i.Use == owner && i.State != keyring.Destroyed {
			all = append(all, i.Name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// audited records an act, does it, and records the outcome (decision D9).
func (k *Keeper) audited(ctx context.Context, e audit.Entry, do func() error) error {
	a, err := k.cfg.Audit.Begin(ctx, e)
	if err != nil {
		return err
	}
	err = do()
	return errors.Join(err, a.End(ctx, resultOf(err)))
}

// of is what somebody does to a key.
func of(by audit.Entry, act, object string) audit.Entry {
	by.Act, by.Object = act, object
	return by
}

func resultOf(err error) string {
	if err == nil {
		return audit.Success
	}
	switch problem.From(err).Kind {
	case problem.Internal, problem.Unavailable, problem.Timeout:
		return audit.Failed
	}
	return audit.Refused
}
