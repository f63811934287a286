package store

import (
	"context"
	"iter"
)

// Stored is a document and where it lies.
type Stored struct {
	Collection string
	Doc
}

// Dumper is a DB that shows all it holds; every driver is one. It is for whoever
// looks after the store as a whole, not for a domain: what a domain needs is in
// the collections it opens.
type Dumper interface {
	// Dump yields the documents of the named collections, opened or not, or of
	// all when none is named, by collection and id, those that expired and were
	// not removed yet too. A collection that is not there has none. It ends with
	// the first error and holds up no writer.
	Dump(ctx context.Context, collections ...string) iter.Seq2[Stored, error]
}
