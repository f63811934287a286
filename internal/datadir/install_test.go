package datadir

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// put writes files below a folder, each with its path as content behind a word.
func put(t *testing.T, folder, word string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(word+" "+name), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// holds lists the files below a folder with the first word of each.
func holds(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(folder, path)
		all[name], _, _ = strings.Cut(string(b), " ")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(all, "lock")
	return all
}

func staged(t *testing.T) *Dir {
	t.Helper()
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put(t, d.Path(), "old", "ccms.db", "ccms.db-wal", "keys/login.key", "keys/gone.key", "tls/ca.pem", "registry.json")
	put(t, d.Path(), "mine", "mail/1.eml")
	stage, err := d.Stage()
	if err != nil {
		t.Fatal(err)
	}
	put(t, stage, "new", "ccms.db", "keys/login.key", "demo-firm.json")
	put(t, stage, "left", "ccms.db-lock")
	return d
}

var (
	allNew = map[string]string{"ccms.db": "new", "keys/login.key": "new", "demo-firm.json": "new", "mail/1.eml": "mine"}
	allOld = map[string]string{
		"ccms.db": "old", "ccms.db-wal": "old", "keys/login.key": "old", "keys/gone.key": "old", "tls/ca.pem": "old", "registry.json": "old", "mail/1.eml": "mine",
	}
)

func TestAnotherStateTakesThePlaceOfTheOldOne(t *testing.T) {
	d := staged(t)
	defer d.Close()
	before, err := d.Install()
	if err != nil {
		t.Fatal(err)
	}
	old := holds(t, d.File(before))
	if err := os.RemoveAll(d.File(before)); err != nil || before == "" {
		t.Fatal(before, err)
	}
	if got := holds(t, d.Path()); !maps.Equal(got, allNew) {
		t.Errorf("the folder holds %v", got)
	}
	delete(old, "mail/1.eml")
	want := maps.Clone(allOld)
	delete(want, "mail/1.eml")
	if !maps.Equal(old, want) {
		t.Errorf("what was moved away is %v", old)
	}
	if entries, _ := os.ReadDir(d.Path()); slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), "in") }) {
		t.Errorf("something is left over: %v", entries)
	}
}

func TestAnEmptyFolderHasNothingToMoveAway(t *testing.T) {
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	stage, err := d.Stage()
	if err != nil {
		t.Fatal(err)
	}
	put(t, stage, "new", "ccms.db")
	if before, err := d.Install(); err != nil || before != "" {
		t.Errorf("%q, %v", before, err)
	}
	if got := holds(t, d.Path()); !maps.Equal(got, map[string]string{"ccms.db": "new"}) {
		t.Errorf("%v", got)
	}
}

// TestACrashLeavesTheOldOrTheNew stops an exchange after each of its steps, as
// kill -9 would, and opens the folder again. It would fail if a step were not
// safe to repeat or came in the wrong order.
func TestACrashLeavesTheOldOrTheNew(t *testing.T) {
	rename := func(from, to string) func(*Dir) error {
		return func(d *Dir) error { return os.Rename(d.File(from), d.File(to)) }
	}
	steps := []struct {
		name  string
		do    func(*Dir) error
		after map[string]string
	}{
		{"nothing", func(*Dir) error { return nil }, allOld},
		{"the folder for it", func(d *Dir) error { return os.Mkdir(d.File("installing"), 0o700) }, allOld},
		{"the decision", rename("incoming", "installing/new"), allNew},
		{"the folder for the old", func(d *Dir) error { return os.Mkdir(d.File("installing/old.partial"), 0o700) }, allNew},
		{"old keys away", rename("keys", "installing/old.partial/keys"), allNew},
		{"old store away", rename("ccms.db", "installing/old.partial/ccms.db"), allNew},
		{"old log away", rename("ccms.db-wal", "installing/old.partial/ccms.db-wal"), allNew},
		{"others away", func(d *Dir) error {
			return errors.Join(rename("tls", "installing/old.partial/tls")(d), rename("registry.json", "installing/old.partial/registry.json")(d))
		}, allNew},
		{"all that is old away", rename("installing/old.partial", "installing/old"), allNew},
		{"new keys", rename("installing/new/keys", "keys"), allNew},
		{"the demo firm", rename("installing/new/demo-firm.json", "demo-firm.json"), allNew},
		{"new store", rename("installing/new/ccms.db", "ccms.db"), allNew},
		{"leftovers", func(d *Dir) error { return os.RemoveAll(d.File("installing/new")) }, allNew},
		{"the old kept", rename("installing/old", "before-x"), allNew},
		{"the end", func(d *Dir) error { return os.Remove(d.File("installing")) }, allNew},
	}
	for n := range steps {
		t.Run("after "+steps[n].name, func(t *testing.T) {
			d := staged(t)
			for _, s := range steps[:n+1] {
				if err := s.do(d); err != nil {
					t.Fatalf("%s: %v", s.name, err)
				}
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			again, err := Open(d.Path())
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			kept, _ := filepath.Glob(d.File("before-*"))
			if want := len(steps[n].after) == len(allNew); (len(kept) == 1) != want {
				t.Errorf("kept beside it: %v", kept)
			}
			for _, folder := range kept {
				if old := holds(t, folder); len(old) != len(allOld)-1 || old["ccms.db"] != "old" {
					t.Errorf("what is kept is %v", old)
				}
				if err := os.RemoveAll(folder); err != nil {
					t.Fatal(err)
				}
			}
			if got := holds(t, d.Path()); !maps.Equal(got, steps[n].after) {
				t.Errorf("the folder holds %v", got)
			}
		})
	}
}

func TestCopiesThatWereLeftLyingAreRemoved(t *testing.T) {
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put(t, d.Path(), "copy", "snapshot-a.db")
	name, err := d.NewSnapshot("b")
	if err != nil || name != d.File("snapshot-b.db") || !d.Has("snapshot-a.db") {
		t.Errorf("%q, %v; one that is in use was removed: %v", name, err, !d.Has("snapshot-a.db"))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err = Open(d.Path()); err != nil || d.Has("snapshot-a.db") {
		t.Errorf("the next process: %v, it is there: %v", err, d.Has("snapshot-a.db"))
	}
	_ = d.Close()
}
