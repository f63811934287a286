package sqlitestore_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sys/unix"

	"ccms/internal/store/sqlitestore"
)

// breakLog makes the writer's descriptor of the write-ahead log point at
// device, and returns a func that takes that back. It must run before the
// first read, so that the one descriptor is the writer's.
func breakLog(t *testing.T, path, device string) (repair func()) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	broken, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer broken.Close()
	for _, fd := range fds {
		target, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err != nil || target != path+"-wal" {
			continue
		}
		var log int
		for _, digit := range fd.Name() {
			log = log*10 + int(digit-'0')
		}
		kept, err := unix.Dup(log)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Dup3(int(broken.Fd()), log, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := unix.Dup3(kept, log, unix.O_CLOEXEC); err != nil {
				t.Error(err)
			}
			unix.Close(kept)
		}
	}
	t.Fatal("the log is not open")
	return nil
}

func TestAFullDiskRefusesWritesAndRecovers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db := open(t, sqlitestore.Config{Path: path})
	defer db.Close()
	c := collection(t, db, spec)
	insert(t, c, doc("before", bson.D{}))
	repair := breakLog(t, path, "/dev/full")
	if err := c.Insert(t.Context(), doc("lost", bson.D{})); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("got %v", err)
	}
	if _, err := c.Get(t.Context(), "before"); err != nil {
		t.Errorf("a read: %v", err)
	}
	repair()
	insert(t, c, doc("after", bson.D{}))
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if ids := all(t, c); ids != "after before" {
		t.Errorf("found %s", ids)
	}
}

func TestAFailedSyncIsFinal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db := open(t, sqlitestore.Config{Path: path})
	c := collection(t, db, spec)
	insert(t, c, doc("before", bson.D{}))
	repair := breakLog(t, path, "/dev/null") // takes writes, refuses fsync
	if err := c.Insert(t.Context(), doc("doubtful", bson.D{})); err == nil {
		t.Error("a write that was not synced was acknowledged")
	}
	repair()
	for name, err := range map[string]error{
		"Insert":  c.Insert(t.Context(), doc("later", bson.D{})),
		"Replace": c.Replace(t.Context(), doc("before", bson.D{})),
		"Delete":  c.Delete(t.Context(), "before", 1),
		"Ping":    db.Ping(t.Context()),
		"Stats":   db.Stats().Failure,
	} {
		if err == nil || !strings.Contains(err.Error(), "until the store is opened again") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Get(t.Context(), "before"); err != nil {
		t.Errorf("a read: %v", err)
	}
	_ = db.Close() // what it says does not matter any more
	db = open(t, sqlitestore.Config{Path: path})
	defer db.Close()
	c = collection(t, db, spec)
	insert(t, c, doc("later", bson.D{}))
	if ids := all(t, c); ids != "before later" && ids != "before doubtful later" {
		t.Errorf("found %s", ids)
	}
}
