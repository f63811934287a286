// Package store owns the document driver contract that sqlitestore and
// mongostore fulfil, the typed wrapper Of, and the errors both share. It holds
// no rule of a domain. What a driver must do is written here as prose and
// fixed by the suite in storetest.
//
// One aggregate is one document; what spans two documents is an idempotent
// sequence of single writes, never a transaction. A write that returned nil is
// durable: it survives kill -9 and power failure.
package store

import (
	"context"
	"errors"
	"iter"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// The errors drivers return; compare with errors.Is. Every other error of a
// driver is a failure of the store or of the context.
var (
	// ErrNotFound: Get found no live document.
	ErrNotFound = errors.New("store: document not found")
	// ErrExists: Insert or Replace met another live document with the same id
	// or unique key.
	ErrExists = errors.New("store: document exists")
	// ErrStale: Replace or Delete named a revision that is not the stored one,
	// or the document is gone.
	ErrStale = errors.New("store: stale revision")
	// ErrClosed: the DB was closed.
	ErrClosed = errors.New("store: closed")
)

// MaxDocument is the size of the largest document both drivers take, in bytes
// of BSON. A larger one is an error before anything is written.
const MaxDocument = 4 << 20

// Spec describes a collection. A driver creates what is missing when the
// collection is opened, also on data written under an older Spec.
type Spec struct {
	Name string
	// Unique names fields of which no two live documents share a value.
	// Documents without the field, or with null in it, are not compared
	// (sparse). A dot reaches into an embedded document.
	Unique []string
	// Ordered names fields that Query may compare and order by, beside "_id",
	// the Unique ones and Expires. The values of keys are strings, int64 or
	// times, of one kind in all documents; others are refused (see Key).
	Ordered []string
	// Sparse names further fields as Ordered does, which most documents lack and
	// which are never asked for but with a condition on them: a driver may leave
	// the documents without them out of an index.
	Sparse []string
	// Expires names a field holding a time. A document whose time has passed
	// is treated as absent by Get, Find, Insert, Replace and Delete alike, and
	// is removed some time later. Without the field a document stays.
	Expires string
}

// Doc is one document. Body holds the fields of the aggregate as BSON,
// without "_id" and "rev", which drivers keep beside them (MongoDB: as fields
// of these names).
type Doc struct {
	ID   string
	Rev  int64 // 1 after Insert, one more after each Replace
	Body bson.Raw
}

// Op is a comparison in a Query.
type Op string

// The comparisons. A document without the field matches none of them.
const (
	Eq Op = "="
	Lt Op = "<"
	Le Op = "<="
	Gt Op = ">"
	Ge Op = ">="
)

// Cond is one condition of a Query; Value is a string, an int64 or a
// time.Time (milliseconds).
type Cond struct {
	Field string
	Op    Op
	Value any
}

// Query selects documents. All conditions must hold. Order is one field of the
// Spec, "_id" when empty; ties are ordered by "_id" in the same direction.
// Strings order by their bytes. Documents without the Order field come first,
// with Desc last.
type Query struct {
	Where []Cond
	Order string
	Desc  bool
	// After skips to the documents behind this position in the order: the
	// value of the Order field and the id of the last document seen.
	After *Position
	// Limit is the largest number of documents, 0 for all.
	Limit int
}

// Position is a place in the order of a Query, for paging that neither skips
// nor repeats a document which existed all the while.
type Position struct {
	Value any // of the Order field, nil without it; ignored when the order is "_id"
	ID    string
}

// Collection is safe for concurrent use.
type Collection interface {
	// Insert stores a new document with revision 1. It fails with ErrExists
	// when a live document has its id or one of its unique keys. An expired
	// document never stands in the way.
	Insert(ctx context.Context, d Doc) error
	// Get returns the live document with this id, else ErrNotFound. It sees
	// every write acknowledged before it was called.
	Get(ctx context.Context, id string) (Doc, error)
	// Replace stores d.Body with revision d.Rev+1 if the stored revision is
	// d.Rev, else ErrStale; ErrExists on a unique key of another document.
	Replace(ctx context.Context, d Doc) error
	// Delete removes the document if the stored revision is rev, else ErrStale.
	Delete(ctx context.Context, id string, rev int64) error
	// Find yields live documents in order. It ends with the first error. It
	// does not hold up writers; a document changed meanwhile shows in one of
	// its states, at most once. The caller may read and write within it.
	Find(ctx context.Context, q Query) iter.Seq2[Doc, error]
}

// DB is an open store.
type DB interface {
	// Collection opens or creates the collection s. While the DB is open, a
	// collection has one Spec.
	Collection(ctx context.Context, s Spec) (Collection, error)
	Ping(ctx context.Context) error
	// Close waits for what is under way; later calls return ErrClosed.
	Close() error
}
