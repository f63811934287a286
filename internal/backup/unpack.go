package backup

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"filippo.io/age"
	"github.com/go-json-experiment/json"

	"ccms/internal/secret"
)

// Into is where a backup goes.
type Into struct {
	// Root is an empty folder.
	Root       *os.Root
	Passphrase secret.Bytes
	// Progress is told how many bytes of the file were passed; nil for nobody.
	Progress func(int64)
}

// Unpack reads the backup r to its end and writes its members below the folder,
// durable and readable by us alone. Its errors about the file are ErrPassphrase,
// ErrAltered, ErrNone and ErrFormat; then some members may be there, and none is
// to be used.
func Unpack(ctx context.Context, r io.Reader, into Into) (Manifest, error) {
	var passed int64
	source := bufio.NewReaderSize(&meter{ctx, r, into.Progress, &passed}, 1<<16)
	if start, err := source.Peek(len(magic)); err != nil || string(start) != magic {
		if ctx.Err() != nil {
			return Manifest{}, ctx.Err()
		}
		return Manifest{}, ErrNone
	}
	by, err := age.NewScryptIdentity(text(into.Passphrase))
	if err != nil {
		return Manifest{}, ErrPassphrase
	}
	by.SetMaxWorkFactor(work)
	plain, err := age.Decrypt(source, by)
	if wrong := new(age.NoIdentityMatchError); errors.As(err, &wrong) {
		return Manifest{}, ErrPassphrase
	}
	if err != nil {
		return Manifest{}, judge(ctx, err)
	}
	m, err := unpack(plain, into.Root)
	if err != nil {
		return m, judge(ctx, err)
	}
	return m, nil
}

// magic is how every age file begins.
const magic = "age-encryption.org/v1\n"

// judge tells what is wrong with the file from what is wrong with the disk.
func judge(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, ours := errors.AsType[*fs.PathError](err); ours || errors.Is(err, ErrAltered) || errors.Is(err, ErrFormat) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrAltered, err)
}

// unpack reads the archive itself.
func unpack(plain io.Reader, root *os.Root) (Manifest, error) {
	var m Manifest
	archive := tar.NewReader(plain)
	first, err := archive.Next()
	if err != nil {
		return m, fmt.Errorf("%w: %w", ErrAltered, err)
	}
	if first.Name != manifestName || first.Size > maxManifest {
		return m, fmt.Errorf("%w: it does not begin with its manifest", ErrAltered)
	}
	words, err := io.ReadAll(archive)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(words, &m); err != nil {
		return m, fmt.Errorf("%w: its manifest cannot be read: %w", ErrAltered, err)
	}
	if err := m.check(); err != nil {
		return m, err
	}
	for _, f := range m.Files {
		h, err := archive.Next()
		if err != nil {
			return m, err
		}
		if h.Name != f.Name || h.Size != f.Size || h.Typeflag != tar.TypeReg {
			return m, fmt.Errorf("%w: %q stands where the manifest has %q", ErrAltered, h.Name, f.Name)
		}
		if err := place(root, f.Name, archive); err != nil {
			return m, err
		}
	}
	if _, err := archive.Next(); !errors.Is(err, io.EOF) {
		return m, errors.Join(fmt.Errorf("%w: it has more members than its manifest", ErrAltered), err)
	}
	// To the end of the file, where it is checked that it was the end.
	if _, err := io.Copy(io.Discard, plain); err != nil {
		return m, err
	}
	return m, nil
}

// place writes one member.
func place(root *os.Root, name string, content io.Reader) error {
	if folder := path.Dir(name); folder != "." {
		if err := root.MkdirAll(folder, 0o700); err != nil {
			return err
		}
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
