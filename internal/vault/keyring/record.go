package keyring

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/vault"
)

// State is what a version of a key may be used for.
type State string

// The states, in the order a key passes through them.
const (
	PreActive   State = "pre-active"   // of a secret: made known, used beside the active one
	Active      State = "active"       // seals and opens
	DecryptOnly State = "decrypt-only" // opens
	Destroyed   State = "destroyed"    // the key itself is gone
)

// use keeps apart what keys are for; no key serves two uses.
type use string

const (
	forOwner  use = "owner"  // wraps the record keys of an owner of card data
	forSecret use = "secret" // is handed out, for HMACs
	forValues use = "values" // seals values of a purpose
	forCheck  use = "check"  // the first key made: whose keys these are
)

// lineName names the versions of one key: its use, and the owner or purpose.
func lineName(u use, name string) string { return string(u) + "/" + name }

// record is one version of a key, as stored. Its document's id is line and
// version, so two processes cannot both make the same version.
type record struct {
	Line      string     `bson:"line"`
	Key       string     `bson:"key"` // the key's id, random, of all versions of the line
	Version   int64      `bson:"version"`
	State     State      `bson:"state"`
	Created   time.Time  `bson:"created"`
	Retired   *time.Time `bson:"retired,omitempty"`   // when it became decrypt-only
	Destroyed *time.Time `bson:"destroyed,omitempty"` // when the key itself was removed
	Wrapped   []byte     `bson:"wrapped"`             // the key itself under the root
}

func (r record) id() string { return r.Line + "/" + strconv.FormatInt(r.Version, 10) }

// same reports whether two readings of a row found the same.
func (r record) same(o record) bool {
	return r.Line == o.Line && r.Key == o.Key && r.Version == o.Version && r.State == o.State &&
		r.Created.Equal(o.Created) && millis(r.Retired) == millis(o.Retired) && millis(r.Destroyed) == millis(o.Destroyed) &&
		bytes.Equal(r.Wrapped, o.Wrapped)
}

// bindRecord is the additional data of a stored key: its whole row. So a row
// whose state or dates were altered does not open, and whoever changes them
// rightly wraps the key anew.
func (r *Ring) bindRecord(rec record) []byte {
	return vault.Bind("ccms keyring key 2", r.environment, rec.Line, rec.Key,
		strconv.FormatInt(rec.Version, 10), strconv.FormatInt(rec.Created.UnixMilli(), 10),
		string(rec.State), millis(rec.Retired), millis(rec.Destroyed))
}

// bindOld is what rows were bound to before their state was. One is bound whole
// the first time it changes; none that was can pass for an old one, since the
// labels differ.
func (r *Ring) bindOld(rec record) []byte {
	return vault.Bind("ccms keyring key", r.environment, rec.Line, rec.Key,
		strconv.FormatInt(rec.Version, 10), strconv.FormatInt(rec.Created.UnixMilli(), 10))
}

func millis(t *time.Time) string {
	if t == nil {
		return ""
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}

// insert stores a new version of a line under a fresh key; the caller says line,
// id, version and state. When another process made it first, that one stands:
// the caller reads again.
func (r *Ring) insert(ctx context.Context, rec record) error {
	rec.Created = r.now().UTC().Truncate(time.Millisecond)
	fresh := make([]byte, KeySize)
	defer clear(fresh)
	_, _ = rand.Read(fresh) // never fails: it crashes the program instead
	var err error
	if rec.Wrapped, err = r.root.Wrap(ctx, fresh, r.bindRecord(rec)); err != nil {
		return fmt.Errorf("keyring: wrap under the root: %w", err)
	}
	if err = r.records.Insert(ctx, rec.id(), rec); errors.Is(err, store.ErrExists) {
		return nil
	}
	return err
}

// unwrap turns a stored key into a usable one, else ErrAltered. A destroyed one
// has no secret any more.
func (r *Ring) unwrap(ctx context.Context, rec record) (*key, error) {
	content, err := r.root.Unwrap(ctx, rec.Wrapped, r.bindRecord(rec))
	if errors.Is(err, ErrUnwrap) && rec.State != Destroyed {
		content, err = r.root.Unwrap(ctx, rec.Wrapped, r.bindOld(rec))
	}
	size := KeySize
	if rec.State == Destroyed {
		size = len(nothing)
	}
	if errors.Is(err, ErrUnwrap) || err == nil && content.Len() != size {
		return nil, fmt.Errorf("%w: %s", ErrAltered, rec.id())
	}
	if err != nil {
		return nil, fmt.Errorf("keyring: unwrap under the root: %w", err)
	}
	return &key{id: rec.Key, version: uint32(rec.Version), row: rec, secret: content}, nil
}

// nothing is what is wrapped in the place of a destroyed key, so that its row
// is bound like every other.
const nothing = "-"

// key is a version of a key, unwrapped. Its secret is never wiped while the
// process lives: another goroutine may be sealing under it.
type key struct {
	id      string
	version uint32
	row     record // as stored
	secret  secret.Bytes
}
