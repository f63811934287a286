// Package scan owns the search for card numbers where none should be
// (PCI DSS 3.5.1 and 12.10.7): in files, archives and the documents of a store.
// It says where and which brand, never the number. What a number is belongs to
// package card, what happens with a finding to whoever asked.
//
// A number is found when its length and its first digits fit a brand and the
// Luhn check holds. Its digits may stand together, in the brand's groups or in
// fours, or alone in any groups, with one space, hyphen, point or plus between
// two; in UTF-8 or UTF-16, escaped as in URLs, JSON and HTML, or in base64.
// UUIDs, digests and the like, measures with a point, and runs of more than 19
// digits are passed over.
package scan

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"ccms/internal/card"
)

// Finding is a card number in a place.
type Finding struct {
	Path   string `json:"path"`             // of the file; "-" for the standard input
	Member string `json:"member,omitempty"` // of the archive, and of one within it: "a.tar!b.log"
	Offset int64  `json:"offset"`           // in bytes, in what was unpacked
	Brand  string `json:"brand"`
	Masked string `json:"masked"`         // the last four digits (PCI DSS 3.4.1)
	Form   string `json:"form,omitempty"` // "escaped", "UTF-16", "base64" or "name", where it is not just digits
	Test   bool   `json:"test,omitzero"`  // published for tests
}

// Unread is what could not be searched, or not to its end.
type Unread struct {
	Path   string `json:"path"`
	Member string `json:"member,omitempty"`
	Reason string `json:"reason"`
}

// Totals are what was searched.
type Totals struct {
	Files     int     `json:"files"`
	Documents int     `json:"documents"`
	Bytes     int64   `json:"bytes"`   // unpacked
	Numbers   int     `json:"numbers"` // found
	Unread    int     `json:"unread"`
	Skipped   int     `json:"skipped"` // symbolic links, devices, pipes, sockets
	Seconds   float64 `json:"seconds"`
}

// Speed is how much was searched, in megabytes a second.
func (t Totals) Speed() float64 { return float64(t.Bytes) / 1e6 / max(t.Seconds, 1e-9) }

// Config says what to do with what is found.
type Config struct {
	// Found is called for every number. Required.
	Found func(Finding)
	// Unread is called for what could not be searched. Required.
	Unread func(Unread)
	// Progress is called at most ten times a second, by default not at all.
	Progress func(Totals)
	// Stdin is what the path "-" names. Default os.Stdin.
	Stdin io.Reader
	// FollowLinks follows symbolic links below the paths, each target once.
	// The paths themselves are always followed.
	FollowLinks bool
	// IgnoreTest passes over published test numbers.
	IgnoreTest bool
}

// What is unpacked of one file is bounded, so that a small archive cannot keep
// the search busy for ever: by what every file may have, and more by its size.
const (
	maxUnpacked = 1 << 30
	maxRatio    = 200
	maxStdin    = 1 << 40
)

// Scanner searches one place after the other. It needs about a megabyte, and
// what unpacking takes.
type Scanner struct {
	cfg    Config
	began  time.Time
	told   time.Time
	totals Totals
	seen   map[string]bool // targets of links that were followed
	finder finder
	buffer []byte
	inputs [maxDepth + 1]*bufio.Reader
	at     place
}

// place is where the search is.
type place struct {
	path, member string
	left         int64 // bytes that may still be unpacked
}

// New returns a Scanner.
func New(cfg Config) *Scanner {
	if cfg.Stdin == nil {
		cfg.Stdin = os.Stdin
	}
	if cfg.Progress == nil {
		cfg.Progress = func(Totals) {}
	}
	s := &Scanner{cfg: cfg, began: time.Now(), seen: map[string]bool{}, buffer: make([]byte, bufferSize)}
	s.finder.report = s.match
	return s
}

// Totals returns what was searched so far.
func (s *Scanner) Totals() Totals {
	t := s.totals
	t.Seconds = time.Since(s.began).Seconds()
	return t
}

// Path searches a file, or all files below a folder. What cannot be read is
// told to Unread; the error is that of ctx.
func (s *Scanner) Path(ctx context.Context, path string) error {
	if path == "-" {
		s.at = place{path: path, left: maxStdin}
		s.totals.Files++
		s.content(ctx, s.cfg.Stdin, 0)
		return ctx.Err()
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		s.at = place{path: path}
		s.unread(err)
		return nil
	}
	if err := s.walk(ctx, path, target); err != nil {
		return err
	}
	return s.beside(ctx, path, target)
}

// beside searches what SQLite keeps beside a database: changes that are not in
// its file yet, and pages that were.
func (s *Scanner) beside(ctx context.Context, path, target string) error {
	for _, end := range []string{"-wal", "-journal"} {
		if info, err := os.Lstat(target + end); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if err := s.walk(ctx, path+end, target+end); err != nil {
			return err
		}
	}
	return nil
}

// walk searches what is below target, which is called path.
func (s *Scanner) walk(ctx context.Context, path, target string) error {
	return filepath.WalkDir(target, func(at string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		below, _ := filepath.Rel(target, at) // both begin alike
		s.at = place{path: filepath.Join(path, below), left: maxUnpacked}
		if err != nil {
			s.unread(err)
			return nil
		}
		switch d.Type() {
		case fs.ModeDir:
		case fs.ModeSymlink:
			return s.link(ctx, at)
		case 0:
			s.file(ctx, at)
		default:
			s.totals.Skipped++
		}
		return nil
	})
}

// link searches the target of a symbolic link, if links are followed and it
// was not searched before.
func (s *Scanner) link(ctx context.Context, path string) error {
	if !s.cfg.FollowLinks {
		s.totals.Skipped++
		return nil
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		s.unread(err)
		return nil
	}
	if s.seen[target] {
		return nil
	}
	s.seen[target] = true
	return s.walk(ctx, s.at.path, target)
}

// file searches one file.
func (s *Scanner) file(ctx context.Context, path string) {
	s.totals.Files++
	s.name(s.at.path)
	f, size, err := openRegular(path)
	if err != nil {
		s.unread(err)
		return
	}
	defer f.Close()
	s.at.left += size * maxRatio
	s.content(ctx, f, 0)
}

// openRegular opens a file that may have been replaced by a pipe meanwhile,
// which must not hold up the search.
func openRegular(path string) (f *os.File, size int64, err error) {
	f, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file any more")
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// match turns what the finder found into a finding.
func (s *Scanner) match(m match) {
	test := card.IsTest(m.number)
	if test && s.cfg.IgnoreTest {
		return
	}
	s.totals.Numbers++
	s.cfg.Found(Finding{
		Path: shown(s.at.path), Member: shown(s.at.member), Offset: m.offset,
		Brand: m.number.Brand().Name, Masked: m.number.Masked(), Form: m.form, Test: test,
	})
}

// name searches the name of a file or member.
func (s *Scanner) name(name string) {
	f := finder{report: func(m match) {
		m.form = "name"
		s.match(m)
	}}
	f.text([]byte(name))
}

// shown is a name without the card number that may be in it.
func shown(name string) string {
	held := false
	f := finder{report: func(match) { held = true }}
	if f.text([]byte(name)); held {
		return card.MaskRuns(name)
	}
	return name
}

// unread tells that the place the search is at was not searched to its end.
func (s *Scanner) unread(err error) {
	s.totals.Unread++
	s.cfg.Unread(Unread{Path: shown(s.at.path), Member: shown(s.at.member), Reason: reason(err)})
}

// reason is an error without the path it names, which stands beside it.
func reason(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return shown(err.Error())
}

// progress tells how far the search is.
func (s *Scanner) progress() {
	if now := time.Now(); now.Sub(s.told) > 100*time.Millisecond {
		s.told = now
		s.cfg.Progress(s.Totals())
	}
}

// String is how a finding is told to a person.
func (f Finding) String() string {
	text := fmt.Sprintf("%s:%d: %s %s", where(f.Path, f.Member), f.Offset, f.Brand, f.Masked)
	if f.Form != "" {
		text += ", " + f.Form
	}
	if f.Test {
		text += ", a test number"
	}
	return text
}

// String is how it is told to a person.
func (u Unread) String() string { return where(u.Path, u.Member) + ": not searched: " + u.Reason }

func where(path, member string) string {
	if member == "" {
		return path
	}
	return path + "!" + member
}
