package mongostore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
)

// encode writes a document as it is stored: _id, rev, and the body's bytes as
// they are. BSON is a length of four bytes, elements, and a zero.
func encode(id string, rev int64, body bson.Raw) bson.Raw {
	const own = len("....\x02_id\x00....\x00") + len("\x12rev\x00........")
	b := make([]byte, 4, own+len(id)+len(body))
	b = append(b, byte(bson.TypeString))
	b = append(b, "_id\x00"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(id)+1))
	b = append(b, id...)
	b = append(b, 0, byte(bson.TypeInt64))
	b = append(b, "rev\x00"...)
	b = binary.LittleEndian.AppendUint64(b, uint64(rev))
	b = append(b, body[4:]...)
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	return b
}

// decode is the reverse of encode, wherever the server has put the two fields.
// The result shares no memory with stored.
func decode(stored bson.Raw) (store.Doc, error) {
	var d store.Doc
	if err := stored.Validate(); err != nil {
		return d, fmt.Errorf("mongodb: malformed document: %w", err)
	}
	elements, err := stored.Elements()
	if err != nil {
		return d, fmt.Errorf("mongodb: malformed document: %w", err)
	}
	body := make([]byte, 4, len(stored))
	for _, e := range elements {
		ok := true
		switch e.Key() {
		case "_id":
			d.ID, ok = e.Value().StringValueOK()
		case "rev":
			d.Rev, ok = e.Value().AsInt64OK()
		default:
			body = append(body, e...)
		}
		if !ok {
			return store.Doc{}, fmt.Errorf("mongodb: a document whose %s is a %s", e.Key(), e.Value().Type)
		}
	}
	if d.ID == "" || d.Rev == 0 {
		return store.Doc{}, errors.New("mongodb: a document without _id or rev, which was not written by this program")
	}
	body = append(body, 0)
	binary.LittleEndian.PutUint32(body, uint32(len(body)))
	d.Body = body
	return d, nil
}

// sparse leaves out of body the unique keys that are null: a sparse index of
// MongoDB compares them like values, the contract does not.
func sparse(body bson.Raw, unique []string) (bson.Raw, error) {
	var d bson.D
	for _, field := range unique {
		path := strings.Split(field, ".")
		v, err := body.LookupErr(path...)
		if err != nil || v.Type != bson.TypeNull && v.Type != bson.TypeUndefined {
			continue
		}
		if d == nil {
			if err := bson.Unmarshal(body, &d); err != nil {
				return nil, fmt.Errorf("mongodb: decode document: %w", err)
			}
		}
		d = without(d, path)
	}
	if d == nil {
		return body, nil
	}
	return bson.Marshal(d)
}

// without removes the field at path.
func without(d bson.D, path []string) bson.D {
	i := slices.IndexFunc(d, func(e bson.E) bool { return e.Key == path[0] })
	if i < 0 {
		return d
	}
	if len(path) == 1 {
		return slices.Delete(d, i, i+1)
	}
	if inner, ok := d[i].Value.(bson.D); ok {
		d[i].Value = without(inner, path[1:])
	}
	return d
}
