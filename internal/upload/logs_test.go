package upload

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ccms/internal/logging"
	"ccms/internal/logging/logtest"
)

// TestFullLogFilesAreSent lets package logging fill files while Logs runs, and
// the provider fail for a while.
func TestFullLogFilesAreSent(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ccms.log")
	f, err := logging.OpenFile(logging.FileConfig{Path: path, MaxBytes: 10, Keep: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write := func(lines ...string) {
		t.Helper()
		for _, line := range lines {
			if _, err := f.Write([]byte(line + "\n")); err != nil {
				t.Fatal(err)
			}
		}
	}
	written(t, dir, "ccms.log.old", "not ours\n")
	write("first 1", "first 2") // the second is in the file written to
	synctest.Test(t, func(t *testing.T) {
		s, said := newShelf(), new(logtest.Buffer)
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		logs := &Logs{
			Bucket: newBucket(Config{Tries: 1}, s), Path: path, Log: slog.New(slog.NewTextHandler(said, nil)),
			Now: func() time.Time { return info.ModTime().Add(time.Hour) },
		}
		if got := logs.Stats(); got.Waiting != 1 || got.Oldest < time.Hour || got.Oldest > 2*time.Hour {
			t.Errorf("before it began: %+v", got)
		}
		go func() { over <- logs.Run(ctx) }()
		expect := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			if got, _ := s.texts(); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
		}
		expect("what was full before", "first 1\n")
		write("second 1", "second 2")
		expect("before the time is up", "first 1\n")
		time.Sleep(time.Minute)
		expect("a minute later", "first 1\n", "first 2\n", "second 1\n")

		s.fail(2)
		write("third 1", "third 2")
		time.Sleep(time.Minute)
		expect("while the provider is away", "first 1\n", "first 2\n", "second 1\n")
		if n := strings.Count(said.String(), "could not be copied"); n != 2 {
			t.Errorf("told %d failures:\n%s", n, said)
		}
		if got := logs.Stats(); got.Sent != 3 || got.Failed != 2 || got.Waiting != 2 || got.Oldest < 50*time.Minute {
			t.Errorf("while the provider is away: %+v", got)
		}
		time.Sleep(time.Minute)
		expect("when it is back", "first 1\n", "first 2\n", "second 1\n", "second 2\n", "third 1\n")
		_, puts := s.texts()
		time.Sleep(time.Hour)
		expect("at rest", "first 1\n", "first 2\n", "second 1\n", "second 2\n", "third 1\n")
		if _, n := s.texts(); n != puts {
			t.Errorf("%d files were sent again", n-puts)
		}
		if got := logs.Stats(); got != (Stats{Sent: 5, Failed: 2}) {
			t.Errorf("at rest: %+v", got)
		}
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
}

func TestALogWithoutFilesIsNoError(t *testing.T) {
	l := &Logs{Path: filepath.Join(t.TempDir(), "none", "ccms.log")}
	if got := l.full(); got != nil {
		t.Errorf("found %v", got)
	}
}

func TestTheOldestIsFirst(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.log", "a.log.1", "a.log.2", "a.log.10", "a.log.x", "a.log.1.gz", "a.log.-1", "b.log.1"} {
		written(t, dir, name, name)
	}
	if err := os.Mkdir(filepath.Join(dir, "a.log.7"), 0o700); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range (&Logs{Path: filepath.Join(dir, "a.log")}).full() {
		names = append(names, filepath.Base(p))
	}
	if !slices.Equal(names, []string{"a.log.10", "a.log.2", "a.log.1"}) {
		t.Errorf("got %v", names)
	}
}
