// Package keyring owns the keys under which everything sealed lies: one
// key-encryption key per owner of card data, secrets and sealing keys per
// purpose. They lie in the store, each wrapped by the root key, and are cached
// in memory once unwrapped. It does not know what is sealed (package vault, the
// callers of Seal) nor where the root comes from: a file (File) or another Root.
//
// A key's wrap binds environment, use, id, version and date, so a key row that
// was altered, copied to another owner or replaced is refused
// (PCI DSS 3.7.7). Every key has a version and a state; retired versions open
// and never seal (PCI DSS 3.7.5).
package keyring

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/vault"
)

// The errors of this package; compare with errors.Is.
var (
	// ErrRoot says at Open that the stored keys were made under another root
	// or for another environment.
	ErrRoot = errors.New("keyring: the root key does not belong to this data")
	// ErrAltered says that a stored key was altered, moved or replaced.
	ErrAltered = errors.New("keyring: a stored key was altered or moved")
	// ErrUnwrap is what a Root returns for a wrap it did not make, or not for
	// this additional data.
	ErrUnwrap = errors.New("keyring: wrapped key does not open")
	// ErrOpen says that a value given to Open was altered or moved, or that its
	// key is unknown or destroyed. It is vault's, so that Unwrap may return it.
	ErrOpen = vault.ErrOpen
)

// KeySize is the size of every key, in bytes: AES-256, and HMAC-SHA-256 at full
// strength.
const KeySize = 32

// MaxValue is the largest content Seal takes, in bytes.
const MaxValue = 1 << 20

// maxName bounds owners and purposes, in bytes.
const maxName = 200

// Root wraps keys under the root key, which never leaves it. It is safe for
// concurrent use.
type Root interface {
	// Wrap seals plaintext and binds aad.
	Wrap(ctx context.Context, plaintext, aad []byte) ([]byte, error)
	// Unwrap opens what Wrap made with the same aad, else ErrUnwrap. Any other
	// error is a failure of the root itself.
	Unwrap(ctx context.Context, wrapped, aad []byte) (secret.Bytes, error)
}

// Config is what a Ring needs.
type Config struct {
	// Root is required. All processes that share the collection share the root.
	Root Root
	// DB is required.
	DB store.DB
	// Collection holds the keys. Default "Key".
	Collection string
	// Environment is bound into every key, so that keys of a test installation
	// do not open in production (PCI DSS 3.6.1.1). Default "default".
	Environment string
	// Refresh is how old a cached state may be: after another process rotated
	// a key, this one seals under the old version no longer than that.
	// Default 1 minute.
	Refresh time.Duration
	// Alone says that no other process works with these keys, so that what is
	// changed here counts at once. Default: there are others.
	Alone bool
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Ring is safe for concurrent use. Keys are made on first use; of many
// processes that make the same key, one wins and all use its.
type Ring struct {
	root        Root
	records     *store.Of[record]
	environment string
	refresh     time.Duration
	alone       bool
	now         func() time.Time

	mu    sync.RWMutex
	lines map[string]*line
}

// Open opens the collection and makes sure that the root belongs to it, else
// ErrRoot.
func Open(ctx context.Context, c Config) (*Ring, error) {
	r := &Ring{root: c.Root, environment: c.Environment, refresh: c.Refresh, alone: c.Alone, now: c.Now, lines: map[string]*line{}}
	if c.Collection == "" {
		c.Collection = "Key"
	}
	if r.environment == "" {
		r.environment = "default"
	}
	if r.refresh <= 0 {
		r.refresh = time.Minute
	}
	if r.now == nil {
		r.now = time.Now
	}
	var err error
	r.records, err = store.Open[record](ctx, c.DB, store.Spec{Name: c.Collection, Ordered: []string{"line"}})
	if err != nil {
		return nil, err
	}
	_, err = r.active(ctx, lineName(forCheck, "root"))
	switch {
	case errors.Is(err, ErrAltered):
		return nil, ErrRoot
	case err != nil:
		return nil, err
	}
	return r, nil
}

// Wrap seals key under the owner's active key-encryption key, which it makes
// when there is none. It fulfils vault.Keys.
func (r *Ring) Wrap(ctx context.Context, owner string, key, aad []byte) (vault.Wrapped, error) {
	line := lineName(forOwner, owner)
	k, err := r.active(ctx, line)
	if err != nil {
		return vault.Wrapped{}, err
	}
	sealed, err := seal(k.secret.Reveal(), r.bind("wrap", line, k, string(aad)), key)
	return vault.Wrapped{KeyID: k.id, Version: k.version, Key: sealed}, err
}

// Unwrap opens what Wrap made for the same owner and aad, else ErrOpen. Other
// errors are failures of the store or the root, or ErrAltered.
func (r *Ring) Unwrap(ctx context.Context, owner string, w vault.Wrapped, aad []byte) (secret.Bytes, error) {
	line := lineName(forOwner, owner)
	k, err := r.version(ctx, line, w.Version)
	if err != nil {
		return secret.Bytes{}, err
	}
	if k.id != w.KeyID {
		return secret.Bytes{}, ErrOpen
	}
	key, err := open(k.secret.Reveal(), r.bind("wrap", line, k, string(aad)), w.Key)
	return secret.New(key), err
}

// Secret returns the random key of a purpose, 32 bytes, which it makes when
// there is none. It is for HMACs. The caller owns the copy.
func (r *Ring) Secret(ctx context.Context, purpose string) (secret.Bytes, error) {
	k, err := r.active(ctx, lineName(forSecret, purpose))
	if err != nil {
		return secret.Bytes{}, err
	}
	return secret.New(append(make([]byte, 0, KeySize), k.secret.Reveal()...)), nil
}

// Seal seals a value under the sealing key of a purpose, for the record id: a
// signing key, a queued message. It takes up to MaxValue bytes.
func (r *Ring) Seal(ctx context.Context, purpose, id string, plaintext []byte) ([]byte, error) {
	if len(plaintext) > MaxValue {
		return nil, fmt.Errorf("keyring: seal: more than %d bytes", MaxValue)
	}
	line := lineName(forValues, purpose)
	k, err := r.active(ctx, line)
	if err != nil {
		return nil, err
	}
	sealed, err := seal(k.secret.Reveal(), r.bind("value", line, k, id), plaintext)
	if err != nil {
		return nil, err
	}
	head := binary.BigEndian.AppendUint32([]byte{valueFormat}, k.version)
	return append(head, sealed...), nil
}

// The form of a sealed value: 1 · version 4 · what seal made.
const (
	valueFormat = 1
	valueHead   = 5
)

// Open opens what Seal made for the same purpose and id, else ErrOpen. Other
// errors are failures of the store or the root, or ErrAltered. The caller wipes
// the content.
func (r *Ring) Open(ctx context.Context, purpose, id string, sealed []byte) (secret.Bytes, error) {
	if len(sealed) < valueHead || sealed[0] != valueFormat {
		return secret.Bytes{}, ErrOpen
	}
	line := lineName(forValues, purpose)
	k, err := r.version(ctx, line, binary.BigEndian.Uint32(sealed[1:]))
	if err != nil {
		return secret.Bytes{}, err
	}
	value, err := open(k.secret.Reveal(), r.bind("value", line, k, id), sealed[valueHead:])
	return secret.New(value), err
}

// bind is the additional data of everything sealed under k.
func (r *Ring) bind(what, line string, k *key, rest string) []byte {
	return vault.Bind("ccms keyring "+what, r.environment, line, k.id, strconv.FormatUint(uint64(k.version), 10), rest)
}
