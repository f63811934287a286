package keyring

import (
	"errors"
	"path/filepath"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

// TestEveryKeyIsUnwrappedAndAnAlteredOneIsNamed would fail if a version were left
// out, or if one that was moved to another owner passed.
func TestEveryKeyIsUnwrappedAndAnAlteredOneIsNamed(t *testing.T) {
	db := storetest.New(t)
	path := filepath.Join(t.TempDir(), "root.key")
	if err := CreateFile(path); err != nil {
		t.Fatal(err)
	}
	root, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), Config{Root: root, DB: db})
	if err != nil {
		t.Fatal(err)
	}
	for _, owner := range []string{"a", "b"} {
		if _, err := r.Rotate(t.Context(), owner); err != nil {
			t.Fatal(err)
		}
	}
	check := func() (sound int, altered []string) {
		t.Helper()
		err := r.Check(t.Context(), func(id string, err error) {
			if err == nil {
				sound++
			} else if altered = append(altered, id); !errors.Is(err, ErrAltered) {
				t.Errorf("%s: %v", id, err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return sound, altered
	}
	if sound, altered := check(); sound != 5 || altered != nil { // two of each owner, and the root's own
		t.Errorf("%d are sound, %v are not", sound, altered)
	}
	rows, err := db.Collection(t.Context(), store.Spec{Name: "Key", Ordered: []string{"line"}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := rows.Get(t.Context(), "owner/a/1")
	if err != nil {
		t.Fatal(err)
	}
	var fields bson.M
	if err := bson.Unmarshal(d.Body, &fields); err != nil {
		t.Fatal(err)
	}
	fields["line"] = "owner/c"
	if d.Body, err = bson.Marshal(fields); err != nil {
		t.Fatal(err)
	}
	if err := rows.Insert(t.Context(), store.Doc{ID: "owner/c/1", Body: d.Body}); err != nil {
		t.Fatal(err)
	}
	if sound, altered := check(); sound != 5 || len(altered) != 1 || altered[0] != "owner/c/1" {
		t.Errorf("%d are sound, %v are not", sound, altered)
	}
}
