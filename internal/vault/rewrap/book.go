// Package rewrap owns the walks over documents that hold sealed values: how many
// lie under each version of a key, their move to the active one, and that of
// look-up values to a new key. It knows no collection: a domain says where in its
// documents those values are (Of). Keys are package keyring's. To re-wrap a value
// it is not opened: package vault re-wraps its record key alone. To compute a
// look-up value anew the number is opened, in memory and for as long as that takes.
//
// What is left to do is told by the documents themselves, each of which names
// the versions it lies under. So a walk that was cut short needs no bookmark: the
// next one passes over what is done.
package rewrap

import (
	"context"
	"errors"
	"iter"
	"time"

	"ccms/internal/store"
	"ccms/internal/vault"
)

// page is how many documents are read at a time.
const page = 200

// Value is a sealed value of a document: where it belongs, and its text in the
// document, to be replaced there.
type Value struct {
	At     vault.Place
	Sealed *string
	// Filed is how it is found, if it is; else its zero value.
	Filed Filed
}

// Filed is how a sealed number is found.
type Filed struct {
	// Owner is whose look-up values they are, as vault.Fingerprints takes it.
	Owner string
	// Under are those it is kept under.
	Under []string
	// Keep keeps it under this one alone.
	Keep func(fingerprint string)
}

// Version is a version of a key: of a key-encryption key by its id, of a look-up
// key by its name (vault.LookupKey).
type Version struct {
	KeyID  string
	Number uint32
}

// Counts is how many values lie under each version of a key.
type Counts struct {
	// Sealed are those of key-encryption keys; what is no sealed value is under
	// the zero Version.
	Sealed map[Version]int64
	// Filed are those of look-up keys.
	Filed map[Version]int64
}

// NewCounts returns Counts of nothing yet.
func NewCounts() Counts { return Counts{map[Version]int64{}, map[Version]int64{}} }

// Book is a collection with sealed values. The zero value is empty.
type Book struct {
	read   func(ctx context.Context, after string) ([]entry, error)
	update func(ctx context.Context, id string, move func([]Value) (changed bool, err error)) error
}

// entry is a document and its values, with the versions they lie under.
type entry struct {
	id     string
	values []Value
}

// version is what a value is sealed under; what is no sealed value lies under no
// key.
func (v Value) version() Version {
	id, number, _ := vault.KeyOf(*v.Sealed)
	return Version{id, number}
}

// versions are those of the look-up key that a value is filed under.
func (f Filed) versions() iter.Seq[Version] {
	return func(yield func(Version) bool) {
		for _, value := range f.Under {
			if !yield(Version{vault.LookupKey(f.Owner), vault.FingerprintVersion(value)}) {
				return
			}
		}
	}
}

// Of is the book of a collection; values tells where in a document sealed values
// are.
func Of[T any](docs *store.Of[T], values func(id string, v *T) []Value) Book {
	read := func(ctx context.Context, after string) ([]entry, error) {
		q := store.Query{Limit: page}
		if after != "" {
			q.After = &store.Position{ID: after}
		}
		var all []entry
		for r, err := range docs.Find(ctx, q) {
			if err != nil {
				return nil, err
			}
			all = append(all, entry{r.ID, values(r.ID, &r.Value)})
		}
		return all, nil
	}
	update := func(ctx context.Context, id string, move func([]Value) (bool, error)) error {
		_, err := docs.Update(ctx, id, func(v *T) error {
			changed, err := move(values(id, v))
			if err == nil && !changed {
				err = errUnchanged
			}
			return err
		})
		if errors.Is(err, errUnchanged) || errors.Is(err, store.ErrNotFound) {
			return nil // another was first, or the document went meanwhile
		}
		return err
	}
	return Book{read, update}
}

// errUnchanged ends the change of a document that is as it should be.
var errUnchanged = errors.New("rewrap: unchanged")

// Count adds the values to counts. It reads every document and gives up after,
// telling so by whole, when the limit on time is over; 0 is none.
func (b Book) Count(ctx context.Context, counts Counts, limit time.Duration) (whole bool, err error) {
	began := time.Now()
	err = b.each(ctx, once, func(e entry) error {
		if limit > 0 && time.Since(began) > limit {
			return errEnough
		}
		for _, v := range e.values {
			counts.Sealed[v.version()]++
			for version := range v.Filed.versions() {
				counts.Filed[version]++
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return false, nil
	}
	return err == nil, err
}

// Values yields every sealed value there is, by document. It ends with the first
// error.
func (b Book) Values(ctx context.Context) iter.Seq2[Value, error] {
	return func(yield func(Value, error) bool) {
		err := b.each(ctx, once, func(e entry) error {
			for _, v := range e.values {
				if !yield(v, nil) {
					return errEnough
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(Value{}, err)
		}
	}
}

// errEnough ends a walk before its end.
var errEnough = errors.New("rewrap: enough")

// each yields all documents, by id, until do fails. try does a read of the store,
// once or until it succeeds.
func (b Book) each(ctx context.Context, try func(func() error) error, do func(entry) error) error {
	if b.read == nil {
		return nil
	}
	for after := ""; ; {
		var entries []entry
		err := try(func() (err error) {
			entries, err = b.read(ctx, after)
			return err
		})
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := do(e); err != nil {
				return err
			}
		}
		if len(entries) < page {
			return ctx.Err()
		}
		after = entries[len(entries)-1].id
	}
}

func once(do func() error) error { return do() }
