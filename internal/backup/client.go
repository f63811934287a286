package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/datadir"
	"ccms/internal/secret"
)

// Client makes backups.
type Client struct {
	// Ask has a command done at a desk and decodes its answer into out.
	Ask func(ctx context.Context, name string, args, out any) error
	// Dir is the data folder, of which the process at the desk has the store
	// open.
	Dir *datadir.Dir
	// Count counts the documents of a copy by collection.
	Count func(ctx context.Context, path string) (map[string]int64, error)
	// Version is that of this program, By the user who asks.
	Version, By string
	Passphrase  secret.Bytes
	// Force replaces a file that is there.
	Force bool
	// Work is scrypt's, as in Source.
	Work int
	Out  io.Writer
	// Format is "json", else text.
	Format string
	// Bar is the terminal to show progress on; nil for none.
	Bar io.Writer
}

// Made is the answer of Make.
type Made struct {
	File        string           `json:"file"`
	Bytes       int64            `json:"bytes"`
	At          time.Time        `json:"at"`
	TookMS      int64            `json:"took_ms"`
	Documents   int64            `json:"documents"`
	Collections map[string]int64 `json:"collections"`
	Heads       []Heads          `json:"heads"`
	// Elsewhere are root keys and credentials that are not in the data folder,
	// and so not in the backup.
	Elsewhere []string `json:"elsewhere,omitzero"`
}

// Make makes a backup in the file at path and writes what it holds. The file is
// there once it is whole, and not before.
func (c Client) Make(ctx context.Context, path string, elsewhere ...string) error {
	if c.Passphrase.Len() < MinPassphrase {
		return ErrShort
	}
	target, err := Create(path, c.Force)
	if err != nil {
		return err
	}
	began := time.Now()
	m, size, err := c.fill(ctx, target)
	if err != nil {
		return errors.Join(err, target.Drop())
	}
	made := Made{
		File: path, Bytes: size, At: m.At, TookMS: time.Since(began).Milliseconds(),
		Documents: m.Documents(), Collections: m.Collections, Heads: m.Heads, Elsewhere: elsewhere,
	}
	if err := c.end(ctx, Outcome{Last: Last{At: m.At, By: c.By, Bytes: size, Documents: made.Documents, TookMS: made.TookMS, Heads: m.Heads}}); err != nil {
		return fmt.Errorf("%s is whole, but that it was made could not be noted: %w", path, err)
	}
	return c.write(made)
}

// fill has a copy made and writes the backup of it.
func (c Client) fill(ctx context.Context, target *Target) (m Manifest, size int64, err error) {
	c.show("the store is copied")
	var copied Copy
	if err := c.Ask(ctx, Begin, Request{By: c.By}, &copied); err != nil {
		return m, 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.end(ctx, Outcome{Last: Last{At: copied.At, By: c.By}, Failed: true}))
		}
		c.show("")
	}()
	m = Manifest{Version: c.Version, At: copied.At, By: c.By, Heads: copied.Heads}
	counts, err := c.Count(ctx, copied.Path)
	store, err2 := os.Open(copied.Path)
	// Open, it is ours; by its name it is nobody's any more, whatever happens.
	if err := errors.Join(err, err2, os.Remove(copied.Path)); err != nil {
		return m, 0, fmt.Errorf("the copy of the store: %w", err)
	}
	defer store.Close()
	m.Collections = counts
	if m.Files, err = c.files(store); err != nil {
		return m, 0, err
	}
	total := max(m.Bytes(), 1)
	err = Write(ctx, target, Source{
		Manifest: m, Passphrase: c.Passphrase, Work: c.Work,
		Open: func(name string) (io.ReadCloser, error) {
			if name == storeFile {
				return io.NopCloser(store), nil
			}
			return os.Open(c.Dir.File(filepath.FromSlash(name)))
		},
		Progress: progress(c.Bar, "written", total),
	})
	if err != nil {
		return m, 0, err
	}
	info, err := target.Stat()
	if err != nil {
		return m, 0, err
	}
	return m, info.Size(), target.Done()
}

// files lists the members: what is in the folder, and the copy of the store last.
func (c Client) files(copied *os.File) (all []File, err error) {
	for _, top := range datadir.BackedUp() {
		if top == storeFile {
			continue
		}
		err := filepath.WalkDir(c.Dir.File(top), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && path == c.Dir.File(top) {
				return nil
			}
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			name, err := filepath.Rel(c.Dir.Path(), path)
			all = append(all, File{filepath.ToSlash(name), info.Size()})
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", top, err)
		}
	}
	info, err := copied.Stat()
	if err != nil {
		return nil, err
	}
	return append(all, File{storeFile, info.Size()}), nil
}

// end tells the desk, also when whoever asked has broken off.
func (c Client) end(ctx context.Context, o Outcome) error {
	return c.Ask(context.WithoutCancel(ctx), End, o, &struct{}{})
}

func (c Client) write(m Made) error {
	if c.Format == "json" {
		b, err := json.Marshal(m, json.Deterministic(true))
		if err != nil {
			return fmt.Errorf("encode answer: %w", err)
		}
		_, err = c.Out.Write(append(b, '\n'))
		return err
	}
	_, err := fmt.Fprintf(c.Out, "%s: %d documents in %d collections, %s in %.1f s, as of %s\n",
		m.File, m.Documents, len(m.Collections), bytesText(m.Bytes), float64(m.TookMS)/1000, m.At.Format(time.RFC3339))
	for _, e := range m.Elsewhere {
		if err == nil {
			_, err = fmt.Fprintf(c.Out, "%s is not in the backup: keep a copy of it, without it the backup cannot be read\n", e)
		}
	}
	return err
}

// show writes a line on the terminal over the last one.
func (c Client) show(text string) {
	if c.Bar != nil {
		_, _ = fmt.Fprintf(c.Bar, "\r\x1b[K%s", text) // a terminal that is gone shows nothing
	}
}

// progress draws how much of total has passed, ten times a second at most.
func progress(bar io.Writer, what string, total int64) func(int64) {
	if bar == nil {
		return nil
	}
	const width = 40
	var drawn time.Time
	return func(passed int64) {
		if time.Since(drawn) < 100*time.Millisecond {
			return
		}
		drawn = time.Now()
		full := int(min(width*passed/max(total, 1), width))
		_, _ = fmt.Fprintf(bar, "\r\x1b[K[%s%s] %s of %s %s", strings.Repeat("#", full), strings.Repeat(".", width-full), bytesText(passed), bytesText(total), what)
	}
}

// bytesText is a size for people.
func bytesText(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KiB", (n+1023)>>10)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
