package command

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

func TestASearchOfFilesAndTheStore(t *testing.T) {
	db, out, dir := storetest.New(t), new(bytes.Buffer), t.TempDir()
	c := Client{Ask: to(Desk{Store: db}), Out: out}
	clean, leak := filepath.Join(dir, "clean.log"), filepath.Join(dir, "leak.log")
	for name, text := range map[string]string{clean: "nothing", leak: "card 4111 1111 1111 1111\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(s *Search, want error, paths ...string) string {
		t.Helper()
		defer out.Reset()
		if err := s.Run(t.Context(), paths); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		return out.String()
	}
	s := c.NewSearch()
	s.Store = true
	if text := run(s, nil, clean); !strings.HasPrefix(text, "0 card numbers in 1 files; 0.0 MB in ") {
		t.Error(text)
	}
	if text := run(c.NewSearch(), ErrUnsearched, clean, dir+"/none"); !strings.Contains(text, "/none: not searched: no such file") || !strings.Contains(text, "; 1 not searched") {
		t.Error(text)
	}
	things, err := db.Collection(t.Context(), store.Spec{Name: "Thing"})
	if err == nil {
		body, _ := bson.Marshal(bson.D{{Key: "note", Value: "4929000000000018"}})
		err = things.Insert(t.Context(), store.Doc{ID: "t1", Body: body})
	}
	if err != nil {
		t.Fatal(err)
	}
	c.Format = "json"
	s = c.NewSearch()
	s.Store = true
	text := run(s, ErrFound, leak)
	for _, want := range []string{
		`{"finding":{"path":"` + leak + `","offset":5,"brand":"Visa","masked":"************1111","test":true}}`,
		`{"finding":{"path":"Thing/t1","member":"note","offset":4,"brand":"Visa","masked":"************0018"}}`,
		`{"totals":{"files":1,"documents":1,"bytes":`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	s = c.NewSearch()
	s.IgnoreTest, s.Progress = true, new(bytes.Buffer)
	run(s, nil, leak)
}

func TestASearchOfNoStoreSaysSo(t *testing.T) {
	s := Client{Ask: to(Desk{}), Out: new(bytes.Buffer)}.NewSearch()
	s.Store = true
	if err := s.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("%v", err)
	}
}
