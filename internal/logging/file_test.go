package logging

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func open(t *testing.T, cfg FileConfig) *File {
	t.Helper()
	f, err := OpenFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return f
}

func line(t *testing.T, f *File, text string) {
	t.Helper()
	if n, err := f.Write([]byte(text + "\n")); err != nil || n != len(text)+1 {
		t.Fatalf("write: %d, %v", n, err)
	}
}

// contents reads the files of a log, oldest first, and checks that others may
// not read them.
func contents(t *testing.T, path string) []string {
	t.Helper()
	var all []string
	for _, name := range []string{path + ".6", path + ".5", path + ".4", path + ".3", path + ".2", path + ".1", path} {
		b, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		all = append(all, strings.ReplaceAll(string(b), "\n", " "))
	}
	return all
}

func expect(t *testing.T, path string, want ...string) {
	t.Helper()
	if got := contents(t, path); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAFullFileIsPutAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f := open(t, FileConfig{Path: path, MaxBytes: 10, Keep: 2})
	for i := range 8 {
		line(t, f, fmt.Sprint("abc", i)) // two fill a file
	}
	expect(t, path, "abc2 abc3 ", "abc4 abc5 ", "abc6 abc7 ")
	line(t, f, "a line that is longer than a file")
	line(t, f, "x")
	expect(t, path, "abc6 abc7 ", "a line that is longer than a file ", "x ")
}

func TestAFileThatIsThereGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("12345678\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := open(t, FileConfig{Path: path, MaxBytes: 10})
	line(t, f, "9")
	expect(t, path, "12345678 ", "9 ")
}

func TestNoLineIsLostWhileWritersRotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	const writers, each = 4, 250
	var group sync.WaitGroup
	for w := range writers { // each as a process of its own
		f := open(t, FileConfig{Path: path, MaxBytes: 2 << 10, Keep: 100})
		group.Go(func() {
			for i := range each {
				if _, err := f.Write(fmt.Appendf(nil, "%d-%d\n", w, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	names, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(string(b)) {
			seen[l]++
		}
	}
	if len(seen) != writers*each || len(names) < 3 {
		t.Errorf("%d different lines in %d files, want %d", len(seen), len(names), writers*each)
	}
}

func TestReopenFollowsLogrotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f := open(t, FileConfig{Path: path})
	line(t, f, "before")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	line(t, f, "between")
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	line(t, f, "after")
	expect(t, path, "before between ", "after ")
}

func TestRotationThatFailsLosesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	f := open(t, FileConfig{Path: path, MaxBytes: 32, Keep: 1})
	if err := os.MkdirAll(filepath.Join(path+".1", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		line(t, f, "a line of 17 bytes")
	}
	if b, _ := os.ReadFile(path); strings.Count(string(b), "\n") != 10 {
		t.Errorf("the file has %q", b)
	}
	if err := os.RemoveAll(path + ".1"); err != nil {
		t.Fatal(err)
	}
	line(t, f, "a line of 17 bytes")
	expect(t, path, strings.Repeat("a line of 17 bytes ", 10), "a line of 17 bytes ")
}

func TestAFileMovedAwayIsNotRotatedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f := open(t, FileConfig{Path: path, MaxBytes: 10, Keep: 3})
	line(t, f, "abcdefg")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	line(t, f, "hijklm")
	expect(t, path, "abcdefg ", "hijklm ")
}

func TestAFileEmptiedByOthersIsNotRotated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f := open(t, FileConfig{Path: path, MaxBytes: 10, Keep: 3})
	line(t, f, "abcdefg")
	if err := os.Truncate(path, 0); err != nil { // logrotate's copytruncate
		t.Fatal(err)
	}
	line(t, f, "hijklm")
	expect(t, path, "hijklm ")
}

// TestALineIsWholeOrNotThere lets the system refuse the second half of a line,
// as a full disk does.
func TestALineIsWholeOrNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f := open(t, FileConfig{Path: path})
	line(t, f, "first")
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	full := before
	full.Cur = 10
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	n, err := f.Write([]byte("this does not fit\n"))
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if n != 0 || err == nil {
		t.Errorf("got %d, %v", n, err)
	}
	line(t, f, "second")
	expect(t, path, "first second ")
}

func TestAClosedFileTakesNoLine(t *testing.T) {
	f := open(t, FileConfig{Path: filepath.Join(t.TempDir(), "log")})
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("x\n")); err == nil {
		t.Error("no error")
	}
}
