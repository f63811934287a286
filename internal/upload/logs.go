package upload

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Logs sends the full files of a log that package logging rotates: PATH.1, the
// newest, and so on. It sends them one after the other, the oldest first, and
// those that were full before it began too.
type Logs struct {
	// Bucket is where they go.
	Bucket *Bucket
	// Path is that of the file that is written to, which stays out.
	Path string
	// Every is how often it looks. Default a minute.
	Every time.Duration
	// Log is told what was sent and what was not. Default slog.Default().
	Log *slog.Logger
}

// Run sends until ctx ends. What could not be sent is tried again the next time
// it looks, for as long as the file is kept.
func (l Logs) Run(ctx context.Context) error {
	if l.Log == nil {
		l.Log = slog.Default()
	}
	tick := time.NewTicker(cmp.Or(l.Every, time.Minute))
	defer tick.Stop()
	var done []os.FileInfo
	for {
		done = l.round(ctx, done)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// round sends the files that are not in done, and returns those that need not be
// sent again: files that are gone it forgets.
func (l Logs) round(ctx context.Context, done []os.FileInfo) (now []os.FileInfo) {
	for _, path := range l.full() {
		info, err := l.once(ctx, path, done)
		switch {
		case ctx.Err() != nil:
			return now
		case errors.Is(err, fs.ErrNotExist): // it moved on; the next time it has another name
		case err != nil:
			l.Log.Error("a full log file could not be copied, it is tried again", "file.path", path, "error.message", err.Error())
		default:
			now = append(now, info)
		}
	}
	return now
}

// once sends the file at path unless it is in done, and says which file it was:
// the name may lead to another one by now.
func (l Logs) once(ctx context.Context, path string, done []os.FileInfo) (os.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || slices.ContainsFunc(done, func(d os.FileInfo) bool { return same(d, info) }) {
		return info, err
	}
	c, err := l.Bucket.send(ctx, f)
	if err == nil && !c.There {
		l.Log.Info("a full log file was copied", "file.path", path, "file.size", c.Bytes, "ccms.upload.key", c.Key)
	}
	return info, err
}

// same reports whether a file is the one it was, whatever its name.
func same(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// full are the paths of the full files, the oldest first.
func (l Logs) full() []string {
	entries, err := os.ReadDir(filepath.Dir(l.Path))
	if err != nil {
		return nil // where there is no folder there is no log; who writes it says so
	}
	numbers := map[string]int{}
	var all []string
	for _, e := range entries {
		text, ok := strings.CutPrefix(e.Name(), filepath.Base(l.Path)+".")
		n, err := strconv.Atoi(text)
		if !ok || err != nil || n < 1 || !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(filepath.Dir(l.Path), e.Name())
		numbers[path], all = n, append(all, path)
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(numbers[b], numbers[a]) })
	return all
}
