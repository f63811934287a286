package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// shelf is a provider in memory. It fails as often as it is told, after it read
// half of what it got.
type shelf struct {
	mu      sync.Mutex
	kept    map[string]string
	puts    int
	failing int
	err     error
}

func newShelf() *shelf { return &shelf{kept: map[string]string{}, err: errors.New("connection reset")} }

func (s *shelf) Look(_ context.Context, key string) (int64, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.kept[key]
	return int64(len(v)), ok, nil
}

func (s *shelf) Put(_ context.Context, key string, c content) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.puts++
	if s.failing > 0 {
		s.failing--
		_, _ = io.CopyN(io.Discard, c, c.Size/2)
		return s.err
	}
	b, err := io.ReadAll(c)
	if err == nil {
		s.kept[key] = string(b)
	}
	return err
}

func (s *shelf) Close() error { return nil }

// fail makes the next n calls of Put fail.
func (s *shelf) fail(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = n
}

// texts returns what is kept, in order, and how often something was sent.
func (s *shelf) texts() ([]string, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Values(s.kept)), s.puts
}

func (s *shelf) keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.kept))
}

// written makes a file that was last written at noon of 22 November 2026.
func written(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, at, at)); err != nil {
		t.Fatal(err)
	}
	return path
}

func send(t *testing.T, b *Bucket, path string) Copy {
	t.Helper()
	c, err := b.Send(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAFileIsSentOnceUnderItsDayNameAndChecksum(t *testing.T) {
	s := newShelf()
	var progress []string
	b := newBucket(Config{Progress: func(sent, total int64) { progress = append(progress, fmt.Sprint(sent, "/", total)) }}, s)
	path := written(t, t.TempDir(), "ccms-2026-11-22.backup", "hello\n")
	c := send(t, b, path)
	const key = "2026-11-22/ccms-2026-11-22-5891b5b522d5df086d0ff0b110fbd9d2.backup" // sha256sum of hello
	if c != (Copy{File: path, Key: key, Bytes: 6}) || s.kept[key] != "hello\n" {
		t.Errorf("got %+v, %q", c, s.kept)
	}
	if progress[len(progress)-1] != "6/6" {
		t.Errorf("progress %v", progress)
	}
	if c := send(t, b, path); !c.There || s.puts != 1 {
		t.Errorf("the second time: %+v after %d puts", c, s.puts)
	}
	written(t, filepath.Dir(path), "ccms-2026-11-22.backup", "other\n")
	if c := send(t, b, path); c.There || len(s.kept) != 2 {
		t.Errorf("another content: %+v, %v", c, s.keys())
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"ccms.log.3":          "ccms-SUM.log",
		"ccms.log":            "ccms-SUM.log",
		"ccms.log.3.gz":       "ccms.log.3-SUM.gz",
		"backup.2026":         "backup-SUM.2026",
		"ccms":                "ccms-SUM",
		"audit.log-20261122":  "audit-SUM.log-20261122",
		"with space & umläut": "with space & umläut-SUM",
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf()
			c := send(t, newBucket(Config{}, s), written(t, t.TempDir(), name, "x"))
			got := regexp.MustCompile(`[0-9a-f]{32}`).ReplaceAllString(strings.TrimPrefix(c.Key, "2026-11-22/"), "SUM")
			if got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		})
	}
}

func TestAFileIsSentAgainUntilItIsThere(t *testing.T) {
	path := written(t, t.TempDir(), "a.log", "some lines\n")
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		s.failing = 3
		var pauses []time.Duration
		b := newBucket(Config{Again: func(_ error, in time.Duration) { pauses = append(pauses, in) }}, s)
		began := time.Now()
		c := send(t, b, path)
		if s.kept[c.Key] != "some lines\n" || s.puts != 4 {
			t.Errorf("kept %q after %d puts", s.kept, s.puts)
		}
		if took := time.Since(began); took != 7*time.Second || !slices.Equal(pauses, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}) {
			t.Errorf("paused %v, %v in all", pauses, took)
		}
	})
}

func TestWhatDoesNotHelpIsNotRepeated(t *testing.T) {
	path := written(t, t.TempDir(), "a.log", "x")
	tests := []struct {
		name string
		err  error
		puts int
	}{
		{"a failure is tried five times", errors.New("503"), 5},
		{"a refusal once", errors.Join(errRefused, errors.New("no such bucket")), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShelf()
				s.failing, s.err = 100, tt.err
				_, err := newBucket(Config{}, s).Send(t.Context(), path)
				if err == nil || s.puts != tt.puts || !strings.HasPrefix(err.Error(), path+": ") || strings.Contains(err.Error(), "\n") {
					t.Errorf("%d puts, %q", s.puts, err)
				}
			})
		})
	}
}

func TestAnErrorHasNoCredentials(t *testing.T) {
	s := newShelf()
	s.failing, s.err = 1, fmt.Errorf(`%w: Put "https://me:pass@account.blob.core.windows.net/c/k?sv=1&sig=S3CR3T": EOF`, errRefused)
	_, err := newBucket(Config{}, s).Send(t.Context(), written(t, t.TempDir(), "a", "x"))
	text := fmt.Sprint(err)
	if strings.Contains(text, "S3CR3T") || strings.Contains(text, "pass@") || !strings.Contains(text, "account.blob.core.windows.net/c/k") {
		t.Error(text)
	}
	if !errors.Is(err, errRefused) {
		t.Error("what the error is was lost")
	}
}

func TestWhoBreaksOffIsNotKeptWaiting(t *testing.T) {
	path := written(t, t.TempDir(), "a", "x")
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		s.failing = 100
		ctx, cancel := context.WithCancel(t.Context())
		b := newBucket(Config{Again: func(error, time.Duration) { cancel() }}, s)
		if _, err := b.Send(ctx, path); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestOnlyFilesAreSent(t *testing.T) {
	for _, path := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none"), os.DevNull} {
		if c, err := newBucket(Config{}, newShelf()).Send(t.Context(), path); err == nil {
			t.Errorf("%s: %+v", path, c)
		}
	}
}

// grows appends to the file while it is sent, shrinks cuts it.
type meddler struct {
	*shelf
	meddle func()
}

func (m meddler) Put(ctx context.Context, key string, c content) error {
	m.meddle()
	return m.shelf.Put(ctx, key, c)
}

func TestAFileThatGrowsIsSentAsItWas(t *testing.T) {
	path := written(t, t.TempDir(), "a.log", "one\n")
	s := newShelf()
	c := send(t, newBucket(Config{}, meddler{s, func() { written(t, filepath.Dir(path), "a.log", "one\ntwo\n") }}), path)
	if s.kept[c.Key] != "one\n" {
		t.Errorf("kept %q", s.kept)
	}
}

func TestAFileThatWasCutIsNotTakenForWhole(t *testing.T) {
	path := written(t, t.TempDir(), "a.log", "one\ntwo\n")
	s := newShelf()
	_, err := newBucket(Config{}, meddler{s, func() { _ = os.Truncate(path, 3) }}).Send(t.Context(), path)
	if !errors.Is(err, errChanged) || len(s.kept) != 0 {
		t.Errorf("%v, kept %q", err, s.kept)
	}
}
