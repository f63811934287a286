package sqlitestore_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
	"ccms/internal/store/sqlitestore"
)

var spec = store.Spec{Name: "Thing", Unique: []string{"email"}, Ordered: []string{"n"}, Expires: "gone"}

func doc(id string, fields bson.D) store.Doc {
	body, err := bson.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return store.Doc{ID: id, Rev: 1, Body: body}
}

func collection(t testing.TB, db *sqlitestore.DB, s store.Spec) store.Collection {
	t.Helper()
	c, err := db.Collection(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func insert(t testing.TB, c store.Collection, docs ...store.Doc) {
	t.Helper()
	for _, d := range docs {
		if err := c.Insert(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenRefusesAStoreThatIsOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	first := open(t, sqlitestore.Config{Path: path})
	second, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: path})
	if err == nil {
		second.Close()
		t.Fatal("a second one was opened")
	}
	if !strings.Contains(err.Error(), "another process has it open") {
		t.Errorf("unclear: %v", err)
	}
	insert(t, collection(t, first, spec), doc("a", bson.D{}))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, sqlitestore.Config{Path: path}).Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenFailsOnWhatIsNotADatabase(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, bytes.Repeat([]byte("not a database\n"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"a text": text, "a folder": dir, "a folder that does not exist": filepath.Join(dir, "no", "such.db"),
	} {
		t.Run(name, func(t *testing.T) {
			if db, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: path}); err == nil {
				db.Close()
				t.Error("it was opened")
			}
		})
	}
	if b, err := os.ReadFile(text); err != nil || !bytes.HasPrefix(b, []byte("not a database")) {
		t.Errorf("the text was changed: %v", err)
	}
}

func TestAPathMayHoldAnyCharacter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b?c=d#e%20f&ü'")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "file:x?mode=ro.db")
	db := open(t, sqlitestore.Config{Path: path})
	insert(t, collection(t, db, spec), doc("a", bson.D{}))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "test.db")
	if err := os.WriteFile(path, nil, 0o666); err != nil { // left behind too open
		t.Fatal(err)
	}
	db := open(t, sqlitestore.Config{Path: path})
	defer db.Close()
	insert(t, collection(t, db, spec), doc("a", bson.D{}))
	seen := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		seen++
		return err
	})
	if err != nil || seen != 4 {
		t.Errorf("%d files, %v", seen, err)
	}
}

func TestExpiredDocumentsAreRemovedAndLeaveNothingInTheFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		db := open(t, sqlitestore.Config{Path: filepath.Join(dir, "test.db")})
		defer db.Close()
		c := collection(t, db, spec)
		const canary = "canary-5f1c0e"
		for i := range 1200 { // more than one round of the sweeper
			fields := bson.D{{Key: "email", Value: fmt.Sprint(canary, i)}, {Key: "pad", Value: strings.Repeat(canary, 20)}}
			insert(t, c, doc(fmt.Sprint(canary, i), append(fields, bson.E{Key: "gone", Value: time.Now().Add(30 * time.Second)})))
		}
		big := doc("big", bson.D{{Key: "pad", Value: strings.Repeat(canary, 10_000)}})
		insert(t, c, big, doc("stays", bson.D{}))
		if err := c.Delete(t.Context(), "big", 1); err != nil {
			t.Fatal(err)
		}
		if n := occurrences(t, dir, canary); n == 0 {
			t.Fatal("the canary was never in a file: the test says nothing")
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if n := occurrences(t, dir, canary); n != 0 {
			t.Errorf("the canary is %d times in the files", n)
		}
		s := db.Stats()
		if s.Expired != 1200 || s.Log != 0 || s.Failure != nil {
			t.Errorf("stats %+v", s)
		}
		if _, err := c.Get(t.Context(), "stays"); err != nil {
			t.Error(err)
		}
	})
}

func occurrences(t *testing.T, dir, text string) (n int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		n += bytes.Count(b, []byte(text))
	}
	return n
}

func TestACollectionHasOneSpecAtATime(t *testing.T) {
	db := open(t, sqlitestore.Config{Path: filepath.Join(t.TempDir(), "test.db")})
	defer db.Close()
	collection(t, db, spec)
	for name, s := range map[string]store.Spec{
		"fewer keys":                  {Name: "Thing"},
		"a name differing in case":    {Name: "thing", Unique: []string{"email"}},
		"the same fields differently": {Name: "Thing", Ordered: []string{"email", "n"}, Expires: "gone"},
	} {
		if _, err := db.Collection(t.Context(), s); err == nil {
			t.Errorf("a Spec with %s was opened", name)
		}
	}
}

func TestStatsCountWhatHappened(t *testing.T) {
	db := open(t, sqlitestore.Config{Path: filepath.Join(t.TempDir(), "test.db")})
	c := collection(t, db, spec)
	before := db.Stats()
	insert(t, c, doc("a", bson.D{}), doc("b", bson.D{}))
	if err := c.Insert(t.Context(), doc("a", bson.D{})); !errors.Is(err, store.ErrExists) {
		t.Fatal(err)
	}
	after := db.Stats()
	if n := after.Writes - before.Writes; n != 2 {
		t.Errorf("%d writes", n)
	}
	if n := after.Batches - before.Batches; n != 3 {
		t.Errorf("%d batches", n)
	}
	if after.Busy <= before.Busy || after.Size+after.Log == 0 || after.Queue != 0 || after.Reads != 0 {
		t.Errorf("stats %+v", after)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if s := db.Stats(); s.Log != 0 || s.Size == 0 {
		t.Errorf("after Close: %+v", s)
	}
}

func TestAStoreOfManyDocumentsOpensFast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db := open(t, sqlitestore.Config{Path: path})
	fillWith(t, collection(t, db, spec), 30_000)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	fastest := time.Hour
	for range 5 { // the machine may be busy with other things
		start := time.Now()
		db := open(t, sqlitestore.Config{Path: path})
		collection(t, db, spec)
		fastest = min(fastest, time.Since(start))
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if fastest > 100*time.Millisecond {
		t.Errorf("opened in %v", fastest)
	}
}

// fillWith inserts so many documents by several writers.
func fillWith(t testing.TB, c store.Collection, documents int64) {
	t.Helper()
	var wg sync.WaitGroup
	for w := range int64(128) {
		wg.Go(func() {
			for i := w; i < documents; i += 128 {
				if err := c.Insert(t.Context(), payload(i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// all returns the ids of all documents, joined.
func all(t testing.TB, c store.Collection) string {
	t.Helper()
	var ids []string
	for d, err := range c.Find(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, d.ID)
	}
	return strings.Join(ids, " ")
}
