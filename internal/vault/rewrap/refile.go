package rewrap

import (
	"context"
	"errors"

	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/vault"
)

// Finder opens numbers and computes their look-up values; vault.Vault does.
type Finder interface {
	Open(ctx context.Context, at vault.Place, sealed string) (secret.Bytes, error)
	Fingerprints(ctx context.Context, owner string, number []byte) (vault.Fingerprints, error)
}

// Filing is a walk that computes look-up values anew.
type Filing struct {
	Vault Finder
	// To is the version each look-up key is to have everywhere, by the key's name
	// (vault.LookupKey). Values of other keys stay as they are.
	To map[string]uint32
	// Broken is told of the look-up key of every number that could not be moved.
	// Required.
	Broken func(key string)
	Pace
}

// errVersion says that a key is not at the version the walk was told.
var errVersion = errors.New("rewrap: the look-up key has no such version")

// Refile keeps every number under the given version of its look-up key alone, one
// write per document. Each number it moves is opened and wiped. A number that
// does not open stays as it is, and so does one that another card has already;
// the walk goes on. It ends as Rewrap does.
func (b Book) Refile(ctx context.Context, f Filing) error {
	return b.walk(ctx, f.Pace, stride{
		due: func(v Value) bool {
			to, concerned := f.To[vault.LookupKey(v.Filed.Owner)]
			return concerned && (len(v.Filed.Under) != 1 || vault.FingerprintVersion(v.Filed.Under[0]) != to)
		},
		change: func(ctx context.Context, v Value) (changed, failed bool, err error) {
			number, err := f.Vault.Open(ctx, v.At, *v.Sealed)
			if errors.Is(err, vault.ErrOpen) {
				return false, true, nil
			}
			if err != nil {
				return false, false, err
			}
			defer number.Wipe()
			values, err := f.Vault.Fingerprints(ctx, v.Filed.Owner, number.Reveal())
			if err != nil {
				return false, false, err
			}
			value := values.At(f.To[vault.LookupKey(v.Filed.Owner)])
			if value == "" {
				return false, false, errVersion
			}
			v.Filed.Keep(value)
			return true, false, nil
		},
		broken: func(v Value) { f.Broken(vault.LookupKey(v.Filed.Owner)) },
		clash:  func(err error) bool { return errors.Is(err, store.ErrExists) },
	})
}
