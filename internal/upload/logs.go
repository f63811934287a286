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
	"sync"
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
	// Now is the clock. Default time.Now.
	Now func() time.Time

	mu           sync.Mutex
	done         []os.FileInfo // need not be sent again; only Run writes it
	sent, failed uint64
}

// Stats is how far Logs is.
type Stats struct {
	Sent    uint64        // files it copied
	Failed  uint64        // times that a file could not be copied
	Waiting int           // full files that are not copied yet
	Oldest  time.Duration // since the oldest of these was full; 0 for none
}

// Stats looks at the files, so it tells the truth while one is being sent too.
func (l *Logs) Stats() Stats {
	l.mu.Lock()
	s, done := Stats{Sent: l.sent, Failed: l.failed}, l.done
	l.mu.Unlock()
	now := time.Now
	if l.Now != nil {
		now = l.Now
	}
	for _, path := range l.full() {
		info, err := os.Stat(path)
		if err != nil || known(done, info) { // it moved on, or is there
			continue
		}
		s.Waiting++
		s.Oldest = max(s.Oldest, now().Sub(info.ModTime()))
	}
	return s
}

// Run sends until ctx ends. What could not be sent is tried again the next time
// it looks, for as long as the file is kept.
func (l *Logs) Run(ctx context.Context) error {
	if l.Log == nil {
		l.Log = slog.Default()
	}
	tick := time.NewTicker(cmp.Or(l.Every, time.Minute))
	defer tick.Stop()
	for {
		l.round(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// round sends the files that are not there yet, and forgets those that are gone.
func (l *Logs) round(ctx context.Context) {
	var there []os.FileInfo
	for _, path := range l.full() {
		info, err := l.once(ctx, path)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, fs.ErrNotExist): // it moved on; the next time it has another name
		case err != nil:
			l.count(&l.failed)
			l.Log.Error("a full log file could not be copied, it is tried again", "file.path", path, "error.message", err.Error())
		default:
			there = append(there, info)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = there
}

func (l *Logs) count(n *uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*n++
}

// once sends the file at path unless it is done, and says which file it was: the
// name may lead to another one by now.
func (l *Logs) once(ctx context.Context, path string) (os.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || known(l.done, info) {
		return info, err
	}
	c, err := l.Bucket.send(ctx, f)
	if err != nil {
		return info, err
	}
	l.mu.Lock()
	l.done = append(l.done, info)
	l.mu.Unlock()
	if !c.There {
		l.count(&l.sent)
		l.Log.Info("a full log file was copied", "file.path", path, "file.size", c.Bytes, "ccms.upload.key", c.Key)
	}
	return info, nil
}

// known reports whether a file is one of those, whatever its name by now.
func known(files []os.FileInfo, f os.FileInfo) bool {
	return slices.ContainsFunc(files, func(g os.FileInfo) bool {
		return os.SameFile(f, g) && f.Size() == g.Size() && f.ModTime().Equal(g.ModTime())
	})
}

// full are the paths of the full files, the oldest first.
func (l *Logs) full() []string {
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
