package keyring

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"ccms/internal/secret"
)

// fileType is the first line of a key file; the second is the key in base64.
const fileType = "ccms root key v1"

// maxFile bounds what OpenFile reads, in bytes.
const maxFile = 1 << 10

// File is a root key read from a key file.
type File struct{ key secret.Bytes }

// CreateFile writes a key file with a new random key, readable by its owner
// alone (0600). It appears whole and durable or not at all; an existing file
// is left alone, and the error is fs.ErrExist.
func CreateFile(path string) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("create key file: %w", err)
	}
	defer os.Remove(f.Name())
	key := make([]byte, KeySize)
	defer clear(key)
	_, _ = rand.Read(key) // never fails: it crashes the program instead
	_, err = fmt.Fprintf(f, "%s\n%s\n", fileType, base64.StdEncoding.EncodeToString(key))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path) // unlike a rename, never replaces
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("create key file: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// OpenFile reads a key file. It refuses one that others can read or write, that
// another user than root owns, or that is not a regular file (PCI DSS 3.6.1:
// fewest custodians).
func OpenFile(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not block
	if err != nil {
		return nil, fmt.Errorf("open key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open key file: %w", err)
	}
	if err := private(info, os.Geteuid()); err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	defer clear(content)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	key, err := parseFile(content)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return &File{key: key}, nil
}

// private checks that user alone can reach a file. A group may read what root
// owns, as orchestrators hand secrets to services that are not root: the group
// is the service's own.
func private(info os.FileInfo, user int) error {
	if !info.Mode().IsRegular() {
		return errors.New("is not a regular file")
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && stat.Uid == 0 && user != 0 && info.Mode().Perm()&0o077 == 0o040 {
		return nil
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("mode %04o lets others at it; run chmod 600 on it", info.Mode().Perm())
	}
	if ok && int(stat.Uid) != user {
		return errors.New("belongs to another user")
	}
	return nil
}

func parseFile(content []byte) (secret.Bytes, error) {
	if len(content) > maxFile {
		return secret.Bytes{}, errors.New("is too long for a key file")
	}
	kind, rest, _ := bytes.Cut(content, []byte("\n"))
	if string(kind) != fileType {
		return secret.Bytes{}, fmt.Errorf("does not begin with the line %q", fileType)
	}
	rest = bytes.TrimSuffix(rest, []byte("\n"))
	encoding := base64.StdEncoding.Strict()
	key := make([]byte, encoding.DecodedLen(len(rest)))
	n, err := encoding.Decode(key, rest)
	if err != nil || n != KeySize || len(rest) != encoding.EncodedLen(KeySize) {
		clear(key)
		return secret.Bytes{}, fmt.Errorf("does not hold %d bytes in base64 on its second line", KeySize)
	}
	return secret.New(key[:n]), nil
}

// Wrap implements Root.
func (f *File) Wrap(_ context.Context, plaintext, aad []byte) ([]byte, error) {
	return seal(f.key.Reveal(), aad, plaintext)
}

// Unwrap implements Root.
func (f *File) Unwrap(_ context.Context, wrapped, aad []byte) (secret.Bytes, error) {
	plaintext, err := open(f.key.Reveal(), aad, wrapped)
	if err != nil {
		return secret.Bytes{}, ErrUnwrap
	}
	return secret.New(plaintext), nil
}
