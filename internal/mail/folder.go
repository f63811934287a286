package mail

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	netmail "net/mail"
	"os"
	"strings"
)

// FolderConfig is what OpenFolder needs.
type FolderConfig struct {
	// Dir receives the files; it is made when missing, readable by its owner only.
	Dir string
	// From is the sender, with or without a name, by default
	// "CCMS <no-reply@localhost>".
	From string
}

// Folder is a Sender that writes each mail as a file. It belongs to one process.
type Folder struct {
	root *os.Root
	from *netmail.Address
}

// tempSuffix marks files that are not complete.
const tempSuffix = ".tmp"

// OpenFolder makes the folder and clears it of what a crash left half written.
func OpenFolder(cfg FolderConfig) (*Folder, error) {
	from, err := ParseFrom(cfg.From)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	left, _ := fs.Glob(root.FS(), "*"+tempSuffix)
	for _, name := range left {
		_ = root.Remove(name) // the next start tries again
	}
	return &Folder{root: root, from: from}, nil
}

// Close lets go of the folder.
func (f *Folder) Close() error { return f.root.Close() }

// Send writes m to a file whose name begins with its date and ends with a hash
// of its ID, so that names sort by time and a second send finds the first. The
// file appears complete or not at all, and is durable when Send returns nil.
func (f *Folder) Send(ctx context.Context, m Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := write(&b, m, f.from, true); err != nil {
		return err
	}
	name := m.Date.UTC().Format("20060102T150405.000Z") + "-" + digest(m.ID) + ".eml"
	if _, err := f.root.Stat(name); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("mail: %w", err)
	}
	temp := "." + name + "." + strings.ToLower(rand.Text()) + tempSuffix
	err := f.put(temp, b.Bytes())
	if err == nil {
		err = f.root.Rename(temp, name)
	}
	if err == nil {
		err = f.sync()
	}
	if err != nil {
		_ = f.root.Remove(temp)
		return fmt.Errorf("mail: %w", err)
	}
	return nil
}

// put writes a file and waits until it is on the disk.
func (f *Folder) put(name string, content []byte) error {
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Sync(), file.Close())
}

// sync makes the new name durable: it stands in the directory.
func (f *Folder) sync() error {
	dir, err := f.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
