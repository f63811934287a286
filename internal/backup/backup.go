// Package backup owns backups of the embedded store and the keys beside it: what
// is in the file, how it is written and read, and the note of the last one. It
// does not make the copy of the store (package sqlitestore/snapshot), does not
// put anything in place (package datadir) and does not judge what a restored
// store holds (package doctor/deep); package boot/desk puts the parts in order.
//
// # The file
//
// A backup is an age file, version 1 (age-encryption.org/v1): one scrypt
// recipient, ChaCha20-Poly1305 in chunks of 64 KiB, each bound to its number and
// to being the last, so that a change, a cut or an exchange anywhere is found
// where it is read. Within it is a tar archive whose first member is
// manifest.json; the others follow in the order of the manifest. A person with
// the passphrase, the tools age and tar, and no ccms can open it.
package backup

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
	"unsafe"

	"filippo.io/age"
	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
	"ccms/internal/datadir"
	"ccms/internal/secret"
)

// Format is the version of the archive that this program writes and reads.
const Format = 1

// manifestName is the first member of the archive.
const manifestName = "manifest.json"

const (
	// work is the cost of a guess at the passphrase: 2^18 rounds of scrypt, about
	// a second and 256 MiB (RFC 7914). It is also the most that a file is given:
	// who alters it must not name the memory we take.
	work = 18
	// MinPassphrase is the shortest passphrase taken, in bytes.
	MinPassphrase = 12
	// maxManifest bounds the first member, maxFile any other but the store.
	maxManifest = 4 << 20
	maxFile     = 1 << 20
	// storeFile is the member that holds the store; it is the last one.
	storeFile = "ccms.db"
)

// The errors of a file that is not restored; compare with errors.Is.
var (
	// ErrPassphrase cannot be told from a change in the first line of the file,
	// which holds what the passphrase is checked by.
	ErrPassphrase = errors.New("the passphrase is not that of this backup, or the beginning of the file was altered")
	// ErrAltered says that the file was altered or cut.
	ErrAltered = errors.New("the backup was altered or cut short")
	// ErrNone says that the file never was a backup.
	ErrNone = errors.New("the file is no backup")
	// ErrFormat says that the file is of a later version.
	ErrFormat = errors.New("the backup was made by a later version of ccms: restore it with that one")
	// ErrShort refuses a passphrase.
	ErrShort = fmt.Errorf("the passphrase must have at least %d characters", MinPassphrase)
)

// Manifest is what a backup says of itself.
type Manifest struct {
	Format  int       `json:"format"`
	Version string    `json:"version"` // of the program that made it
	At      time.Time `json:"at"`      // of the copy of the store
	By      string    `json:"by"`      // the user who asked for it
	// Collections are how many documents each has.
	Collections map[string]int64 `json:"collections"`
	// Heads is where the audit logs ended when the copy was begun.
	Heads []Heads `json:"heads"`
	Files []File  `json:"files"`
}

// Heads is where the audit log of a service ends.
type Heads struct {
	Service string       `json:"service"`
	Heads   []audit.Head `json:"heads"`
}

// File is a member of the archive: its path in the data folder, with slashes,
// and its size in bytes.
type File struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// Documents is how many there are in all collections.
func (m Manifest) Documents() (n int64) {
	for _, c := range m.Collections {
		n += c
	}
	return n
}

// Bytes is the size of all members.
func (m Manifest) Bytes() (n int64) {
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

// check refuses a manifest that names what no backup holds.
func (m Manifest) check() error {
	if m.Format > Format {
		return ErrFormat
	}
	if m.Format < 1 {
		return fmt.Errorf("%w: it has no format", ErrAltered)
	}
	for i, f := range m.Files {
		top, _, _ := strings.Cut(f.Name, "/")
		isStore := f.Name == storeFile
		switch {
		case path.Clean(f.Name) != f.Name || !fs.ValidPath(f.Name) || strings.ContainsRune(f.Name, 0) || !slices.Contains(datadir.BackedUp(), top),
			f.Size < 0 || !isStore && f.Size > maxFile,
			isStore != (i == len(m.Files)-1),
			slices.ContainsFunc(m.Files[:i], func(o File) bool { return o.Name == f.Name }):
			return fmt.Errorf("%w: a member is called %q", ErrAltered, f.Name)
		}
	}
	if len(m.Files) == 0 {
		return fmt.Errorf("%w: it has no members", ErrAltered)
	}
	return nil
}

// Source is what goes into a backup.
type Source struct {
	Manifest
	// Open opens a member of the manifest.
	Open func(name string) (io.ReadCloser, error)
	// Passphrase has MinPassphrase bytes or more.
	Passphrase secret.Bytes
	// Work is the binary logarithm of scrypt's rounds. Default 18.
	Work int
	// Progress is told how many bytes of the members were passed; nil for nobody.
	Progress func(int64)
}

// Write writes a backup to w, in constant memory but for what the passphrase
// takes in the beginning.
func Write(ctx context.Context, w io.Writer, s Source) error {
	if s.Passphrase.Len() < MinPassphrase {
		return ErrShort
	}
	s.Format = Format
	if err := s.check(); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	to, err := age.NewScryptRecipient(text(s.Passphrase))
	if err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	if s.Work == 0 {
		s.Work = work
	}
	to.SetWorkFactor(s.Work)
	sealed, err := age.Encrypt(w, to)
	if err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	archive := tar.NewWriter(sealed)
	if err := s.write(ctx, archive); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	if err := errors.Join(archive.Close(), sealed.Close()); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	return nil
}

// text is a passphrase as the library takes it, a string, without a copy: this one
// is wiped with the passphrase. The library's own is not; the process that asks
// for a passphrase ends with its command.
func text(passphrase secret.Bytes) string {
	b := passphrase.Reveal()
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // nobody changes it while it is used
}

func (s Source) write(ctx context.Context, archive *tar.Writer) error {
	manifest, err := json.Marshal(s.Manifest, json.Deterministic(true))
	if err != nil {
		return err
	}
	if len(manifest) > maxManifest {
		return fmt.Errorf("the manifest has %d bytes, at most %d", len(manifest), maxManifest)
	}
	if err := archive.WriteHeader(header(File{manifestName, int64(len(manifest))}, s.At)); err != nil {
		return err
	}
	if _, err := archive.Write(manifest); err != nil {
		return err
	}
	var passed int64
	for _, f := range s.Files {
		if err := archive.WriteHeader(header(f, s.At)); err != nil {
			return err
		}
		r, err := s.Open(f.Name)
		if err != nil {
			return err
		}
		n, err := io.Copy(archive, &meter{ctx, io.LimitReader(r, f.Size), s.Progress, &passed})
		if err := errors.Join(err, r.Close()); err != nil {
			return err
		}
		if n != f.Size {
			return fmt.Errorf("%s became shorter meanwhile", f.Name)
		}
	}
	return nil
}

func header(f File, at time.Time) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: f.Name, Size: f.Size, Mode: 0o600, ModTime: at, Format: tar.FormatPAX}
}

// meter is a reader that ends with its context and tells how much was read.
type meter struct {
	ctx    context.Context
	r      io.Reader
	tell   func(int64)
	passed *int64
}

// Read implements io.Reader.
func (m *meter) Read(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.r.Read(p)
	if *m.passed += int64(n); m.tell != nil {
		m.tell(*m.passed)
	}
	return n, err
}
