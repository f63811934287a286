package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Fields returns every keyed field of s once: the unique ones, the ordered
// ones, the sparse ones, the expiry.
func (s Spec) Fields() []string {
	var fields []string
	for _, f := range slices.Concat(s.Unique, s.Ordered, s.Sparse, []string{s.Expires}) {
		if f != "" && !slices.Contains(fields, f) {
			fields = append(fields, f)
		}
	}
	return fields
}

// Validate reports what no driver can open: a Spec without a name, or a key
// that is empty, has an empty part, or is one of the fields drivers own.
func (s Spec) Validate() error {
	if s.Name == "" {
		return errors.New("store: a Spec needs a name")
	}
	fields := s.Fields()
	if slices.Contains(slices.Concat(s.Unique, s.Ordered, s.Sparse), "") {
		fields = append(fields, "")
	}
	for _, f := range fields {
		if f == "_id" || f == "rev" || slices.Contains(strings.Split(f, "."), "") {
			return fmt.Errorf("store: collection %s: %q cannot be a key", s.Name, f)
		}
	}
	return nil
}

// Keys returns the values of s.Fields in d, as Key does. It reports what no
// driver stores, before anything is written: a document without an id, with
// more than MaxDocument bytes, malformed BSON, a field that drivers own, or a
// key that cannot be compared.
func (s Spec) Keys(d Doc) ([]any, error) {
	if err := checkBody(d); err != nil {
		return nil, fmt.Errorf("store: collection %s: %w", s.Name, err)
	}
	fields := s.Fields()
	keys := make([]any, len(fields))
	for i, f := range fields {
		v, err := Key(d.Body, f)
		if _, ok := v.(time.Time); err == nil && f == s.Expires && v != nil && !ok {
			err = errors.New("an expiry is a time")
		}
		if err != nil {
			return nil, fmt.Errorf("store: collection %s: field %s: %w", s.Name, f, err)
		}
		keys[i] = v
	}
	return keys, nil
}

func checkBody(d Doc) error {
	if d.ID == "" {
		return errors.New("document without an id")
	}
	if len(d.Body) > MaxDocument {
		return fmt.Errorf("document of %d bytes, at most %d are stored", len(d.Body), MaxDocument)
	}
	if err := d.Body.Validate(); err != nil {
		return fmt.Errorf("malformed document: %w", err)
	}
	if length := binary.LittleEndian.Uint32(d.Body); int(length) != len(d.Body) { // Validate looks no further than the length
		return fmt.Errorf("malformed document: %d bytes of %d", length, len(d.Body))
	}
	for _, own := range []string{"_id", "rev"} {
		if _, err := d.Body.LookupErr(own); err == nil {
			return fmt.Errorf("document with a field %s, which the store keeps itself", own)
		}
	}
	return nil
}

// Key returns the value at path (names joined by dots) in body as drivers
// compare it: a string, an int64, a time.Time in UTC, or nil when the field is
// absent or null. Other values, arrays on the way among them, have no order on
// which drivers agree, and are an error.
func Key(body bson.Raw, path string) (any, error) {
	v := bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: body}
	for name := range strings.SplitSeq(path, ".") {
		doc, ok := v.DocumentOK()
		if !ok && v.Type != bson.TypeArray {
			return nil, nil
		}
		if !ok {
			return nil, errors.New("an array cannot be a key")
		}
		var err error
		if v, err = doc.LookupErr(name); err != nil {
			// The body was checked, so the one error left is "no such field".
			return nil, nil
		}
	}
	switch v.Type {
	case bson.TypeNull, bson.TypeUndefined:
		return nil, nil
	case bson.TypeString:
		return v.StringValue(), nil
	case bson.TypeInt32, bson.TypeInt64:
		return v.AsInt64(), nil
	case bson.TypeDateTime:
		return v.Time().UTC(), nil
	}
	return nil, fmt.Errorf("a value of type %s cannot be a key", v.Type)
}
