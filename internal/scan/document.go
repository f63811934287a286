package scan

import (
	"context"
	"iter"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
)

// Documents searches documents of a store, field by field: texts, binary
// values, names of fields, and whole numbers, which are no text. A finding's
// path is COLLECTION/ID, its member the field. Its error is that of docs.
func (s *Scanner) Documents(ctx context.Context, docs iter.Seq2[store.Stored, error]) error {
	for d, err := range docs {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		s.totals.Documents++
		s.totals.Bytes += int64(len(d.Body))
		s.at = place{path: d.Collection + "/" + d.ID}
		s.name(s.at.path)
		if err := s.fields(d.Body, "", maxNested); err != nil {
			s.unread(err)
		}
		s.progress()
	}
	return nil
}

// maxNested is how deep documents may lie in each other; the drivers take no
// deeper ones.
const maxNested = 100

func (s *Scanner) fields(body bson.Raw, prefix string, depth int) error {
	elements, err := body.Elements()
	if err != nil {
		return err
	}
	for _, e := range elements {
		field := prefix + e.Key()
		s.at.member = field
		s.name(e.Key())
		v := e.Value()
		switch v.Type {
		case bson.TypeEmbeddedDocument, bson.TypeArray:
			if depth > 0 {
				if err := s.fields(bson.Raw(v.Value), field+".", depth-1); err != nil {
					return err
				}
			}
		case bson.TypeInt64:
			s.finder.text(strconv.AppendInt(nil, v.Int64(), 10))
		case bson.TypeDouble:
			s.finder.text(strconv.AppendFloat(nil, v.Double(), 'f', -1, 64))
		default:
			s.finder.text(v.Value)
		}
	}
	return nil
}
