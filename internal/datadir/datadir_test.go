package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheDataFolderIsOursAlone(t *testing.T) {
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil { //nolint:gosec // that is the point
		t.Fatal(err)
	}
	if _, err := Open(open); err == nil || !strings.Contains(err.Error(), "others may write") {
		t.Errorf("a folder others may write to: %v", err)
	}
	file := filepath.Join(open, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); err == nil || !strings.HasSuffix(err.Error(), "name another with --data") {
		t.Errorf("a file: %v", err)
	}
	ours := filepath.Join(t.TempDir(), "a", "b")
	d, err := Open(ours)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(ours); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	if _, err := Open(ours); err == nil || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a second process: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err = Open(ours); err != nil {
		t.Fatal(err)
	}
	_ = d.Close()
}

func TestTheFolderSaysWhoRunsOnIt(t *testing.T) {
	d := At(t.TempDir())
	if _, alive := d.Running(); alive {
		t.Error("somebody runs on an empty folder")
	}
	want := Running{PID: os.Getpid(), Login: "http://localhost:8081"}
	if err := d.WriteRunning(want); err != nil {
		t.Fatal(err)
	}
	if got, alive := d.Running(); !alive || got != want {
		t.Errorf("got %v, %v", got, alive)
	}
	if err := errors.Join(d.RemoveRunning(), d.RemoveRunning()); err != nil { // the second finds none
		t.Error(err)
	}
	if _, alive := d.Running(); alive {
		t.Error("it still runs")
	}
	if err := os.WriteFile(d.File("run.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, alive := d.Running(); alive {
		t.Error("a spoilt file names a process that runs")
	}
}

func TestPortsAreRemembered(t *testing.T) {
	d := At(t.TempDir())
	if got := d.Ports(); len(got) != 0 {
		t.Errorf("before the first run: %v", got)
	}
	if err := d.KeepPorts(map[string]int{"portal": 5000}); err != nil {
		t.Fatal(err)
	}
	if got := d.Ports(); got["portal"] != 5000 {
		t.Errorf("got %v", got)
	}
	if d.Has("ports.json.new") {
		t.Error("a file is left over")
	}
	if err := os.WriteFile(d.File("ports.json"), []byte("[]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := d.Ports(); got == nil || len(got) != 0 {
		t.Errorf("of a spoilt file: %v", got)
	}
}

func TestFoldersAreToldApart(t *testing.T) {
	one, other := At("data"), At("other")
	if one.ID() == other.ID() || one.ID() != At("./data").ID() || strings.Contains(one.ID(), "data") {
		t.Errorf("%s and %s", one.ID(), other.ID())
	}
}

func TestWhoComesToNothingLeavesNothing(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, c := range map[string]struct {
		there string // made before
		path  string
		left  string // the deepest that remains
	}{
		"a folder that was not there": {"a", "a/b/c", "a"},
		"an empty folder":             {"empty", "empty", "empty"},
		"a folder with a lock":        {"locked/lock", "locked", "locked/lock"},
		"a folder with other things":  {"used/ccms.db", "used", "used/ccms.db"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.MkdirAll(filepath.Join(root, filepath.FromSlash(c.there)), 0o700); err != nil {
				t.Fatal(err)
			}
			if filepath.Base(c.there) == "lock" {
				lock := filepath.Join(root, c.there)
				if err := errors.Join(os.Remove(lock), os.WriteFile(lock, nil, 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			d, err := Open(filepath.Join(root, c.path))
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Abandon(); err != nil {
				t.Error(err)
			}
			var got string
			_ = filepath.WalkDir(filepath.Join(root, strings.Split(c.path, "/")[0]), func(path string, _ os.DirEntry, _ error) error {
				got, _ = filepath.Rel(root, path)
				return nil
			})
			if got != c.left {
				t.Errorf("%s is left, want %s", got, c.left)
			}
		})
	}
}

func TestAbandonKeepsWhatCameMeanwhile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new")
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(d.File("ccms.db"), nil, 0o600), d.Abandon()); err != nil {
		t.Fatal(err)
	}
	if d, err = Open(path); err != nil || !d.Has("ccms.db") {
		t.Fatal("what came meanwhile is gone", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
