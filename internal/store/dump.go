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
	// Dump yields the documents of all collections, opened or not, by
	// collection and id, those that expired and were not removed yet too. It
	// ends with the first error and holds up no writer.
	Dump(ctx context.Context) iter.Seq2[Stored, error]
}
