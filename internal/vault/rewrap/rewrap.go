// Package rewrap owns the walk over documents that hold sealed values: how many
// lie under each version of a key, and their move to the active one. It knows no
// collection: a domain says where in its documents sealed values are (Of). Keys
// are package keyring's, and no value is opened here: package vault re-wraps its
// record key alone.
//
// What is left to do is told by the documents themselves, each of which names
// the version it lies under. So a walk that was cut short needs no bookmark: the
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
}

// Version is a version of a key-encryption key.
type Version struct {
	KeyID  string
	Number uint32
}

// Vault re-wraps; vault.Vault does.
type Vault interface {
	// Rewrap returns sealed under the owner's active key-encryption key, or
	// vault.ErrOpen.
	Rewrap(ctx context.Context, at vault.Place, sealed string) (string, error)
}

// Book is a collection with sealed values. The zero value is empty.
type Book struct {
	read   func(ctx context.Context, after string) ([]entry, error)
	update func(ctx context.Context, id string, move func([]Value) (changed bool, err error)) error
}

// entry is a document and the versions its values lie under.
type entry struct {
	id       string
	values   []Value
	versions []Version
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
			e := entry{id: r.ID, values: values(r.ID, &r.Value)}
			for _, v := range e.values {
				id, number, _ := vault.KeyOf(*v.Sealed) // what is no sealed value lies under no key
				e.versions = append(e.versions, Version{id, number})
			}
			all = append(all, e)
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

// Count adds the sealed values to counts, by version, those that are none under
// the zero Version. It reads every document and gives up after, telling so by
// whole, when the limit on time is over; 0 is none.
func (b Book) Count(ctx context.Context, counts map[Version]int64, limit time.Duration) (whole bool, err error) {
	began := time.Now()
	err = b.each(ctx, func(e entry) error {
		if limit > 0 && time.Since(began) > limit {
			return errEnough
		}
		for _, v := range e.versions {
			counts[v]++
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
		err := b.each(ctx, func(e entry) error {
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

// Job is a walk that re-wraps.
type Job struct {
	Vault Vault
	// Active is the version each key seals under now, by key id.
	Active map[string]uint32
	// PerSecond is how many documents are changed in a second at most. Each is
	// followed by a pause of at least the time it took, so that whoever uses the
	// store meanwhile notices little, least of all when it is slow. Default 200.
	PerSecond int
	// Done is told of every document that was passed: how many values it has,
	// how many of them were moved, and how many do not open. Required.
	Done func(values, moved, failed int64)
}

// Rewrap moves every value that lies under another version than the active one,
// one write per document. A value that does not open stays as it is, and so do
// those of unknown keys; the walk goes on. It ends with the first error of the
// store or the root key, or with ctx.
func (b Book) Rewrap(ctx context.Context, j Job) error {
	if j.PerSecond <= 0 {
		j.PerSecond = 200
	}
	pause := time.NewTimer(0)
	defer pause.Stop()
	return b.each(ctx, func(e entry) error {
		values := int64(len(e.versions))
		if !j.due(e) {
			j.Done(values, 0, 0)
			return nil
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		began := time.Now()
		moved, failed, err := b.move(ctx, j, e.id)
		pause.Reset(max(time.Second/time.Duration(j.PerSecond), time.Since(began)))
		if err == nil {
			j.Done(values, moved, failed)
		}
		return err
	})
}

// due reports whether a value of a document is to be moved.
func (j Job) due(e entry) bool {
	for _, v := range e.versions {
		if active, known := j.Active[v.KeyID]; !known || v.Number != active {
			return true
		}
	}
	return false
}

// move re-wraps the values of one document.
func (b Book) move(ctx context.Context, j Job, id string) (moved, failed int64, err error) {
	err = b.update(ctx, id, func(values []Value) (bool, error) {
		moved, failed = 0, 0 // it may be called again
		for _, v := range values {
			sealed, err := j.Vault.Rewrap(ctx, v.At, *v.Sealed)
			switch {
			case errors.Is(err, vault.ErrOpen):
				failed++
			case err != nil:
				return false, err
			case sealed != *v.Sealed:
				*v.Sealed = sealed
				moved++
			}
		}
		return moved > 0, nil
	})
	return moved, failed, err
}

// each yields all documents, by id, until do fails.
func (b Book) each(ctx context.Context, do func(entry) error) error {
	if b.read == nil {
		return nil
	}
	for after := ""; ; {
		entries, err := b.read(ctx, after)
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
