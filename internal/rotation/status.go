package rotation

import (
	"context"
	"time"

	"ccms/internal/vault/keyring"
	"ccms/internal/vault/rewrap"
)

// countFor bounds how long Status counts.
const countFor = 5 * time.Second

// What is due for a version of a key.
const (
	DueRotate  = "rotate"
	DueRewrap  = "rewrap"
	DueDestroy = "destroy"
	DueLookup  = "rotate --lookup" // an exchange of look-up keys is to be begun, or ended
)

// Key is a version of a key, and what is to be done with it.
type Key struct {
	Service string     `json:"service"`
	Use     string     `json:"use"` // owner, secret, values, check or signing
	Name    string     `json:"name"`
	ID      string     `json:"id"`
	Version int64      `json:"version,omitzero"`
	State   string     `json:"state"`
	Created *time.Time `json:"created,omitzero"`
	Retired *time.Time `json:"retired,omitzero"`
	// Values is how many sealed values lie under a key-encryption key, or how many
	// numbers are found by a look-up key; other keys have none.
	Values *int64 `json:"values,omitzero"`
	Due    string `json:"due,omitzero"`
}

// Status is the keys of a service.
type Status struct {
	Service string `json:"service"`
	Keys    []Key  `json:"keys"`
	// Partial says that there are more sealed values than could be counted in
	// time: each number is one of those seen.
	Partial bool `json:"partial,omitzero"`
	// Orphans is how many values lie under no key there is.
	Orphans int64 `json:"orphans,omitzero"`
}

// Status lists every version of every key, with what lies under each. It counts
// for five seconds at most.
func (k *Keeper) Status(ctx context.Context) (Status, error) {
	s := Status{Service: k.cfg.Service, Keys: []Key{}}
	counts, whole, err := k.count(ctx, countFor)
	if err != nil {
		return s, err
	}
	s.Partial = !whole
	for i, err := range k.cfg.Ring.List(ctx) {
		if err != nil {
			return s, err
		}
		under, v := counts.Sealed, rewrap.Version{KeyID: i.ID, Number: uint32(i.Version)}
		if lookup(i) {
			under, v.KeyID = counts.Filed, i.Name
		}
		s.Keys = append(s.Keys, k.describe(i, under[v], whole))
		if i.State != keyring.Destroyed {
			delete(under, v)
		}
	}
	for _, n := range counts.Sealed {
		s.Orphans += n
	}
	signing, err := k.signing(ctx)
	s.Keys = append(s.Keys, signing...)
	return s, err
}

// describe is a key of the ring, with the values under it.
func (k *Keeper) describe(i keyring.Info, values int64, whole bool) Key {
	d := Key{
		Service: k.cfg.Service, Use: i.Use, Name: i.Name, ID: i.ID, Version: i.Version, State: string(i.State),
		Created: dated(i.Created), Retired: dated(i.Retired),
	}
	switch {
	case lookup(i):
		d.Values = &values
		if k.lookupDue(i) {
			d.Due = DueLookup
		}
	case i.Use == owner:
		d.Values = &values
		d.Due = k.due(i, values, whole)
	}
	return d
}

// due is what is to be done with a key-encryption key.
func (k *Keeper) due(i keyring.Info, values int64, whole bool) string {
	switch {
	case i.State == keyring.Active && k.old(i.Created):
		return DueRotate
	case i.State == keyring.DecryptOnly && values > 0:
		return DueRewrap
	case i.State == keyring.DecryptOnly && whole && k.cfg.Now().Sub(i.Retired) >= k.cfg.Grace:
		return DueDestroy
	}
	return ""
}

// lookupDue reports whether a look-up key is to be exchanged, or its exchange
// ended. One serves for two periods: it makes new values all the while, as NIST
// SP 800-57 part 1 section 5.3.6 allows a key of that kind two years for.
func (k *Keeper) lookupDue(i keyring.Info) bool {
	if i.State == keyring.Active {
		return k.cfg.Now().Sub(i.Created) >= 2*k.cfg.Period
	}
	return i.State != keyring.Destroyed
}

// signing are the keys of tokens.
func (k *Keeper) signing(ctx context.Context) ([]Key, error) {
	if k.cfg.Signing == nil {
		return nil, nil
	}
	list, err := k.cfg.Signing.List(ctx)
	if err != nil {
		return nil, err
	}
	var all []Key
	for _, i := range list {
		d := Key{
			Service: k.cfg.Service, Use: "signing", Name: i.Algorithm, ID: i.ID, State: i.State,
			Created: dated(i.Created), Retired: dated(i.Retired),
		}
		if i.State == "active" && !i.Activated.IsZero() && k.old(i.Activated) { // it was made a period before
			d.Due = DueRotate
		}
		all = append(all, d)
	}
	return all, nil
}

func (k *Keeper) old(created time.Time) bool { return k.cfg.Now().Sub(created) >= k.cfg.Period }

// count counts the values of all books by version.
func (k *Keeper) count(ctx context.Context, limit time.Duration) (counts rewrap.Counts, whole bool, err error) {
	counts, whole = rewrap.NewCounts(), true
	for _, b := range k.cfg.Books {
		all, err := b.Count(ctx, counts, limit)
		if err != nil {
			return counts, false, err
		}
		whole = whole && all
	}
	return counts, whole, nil
}

func dated(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}
