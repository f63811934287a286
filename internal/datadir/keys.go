package datadir

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"ccms/internal/secret"
	"ccms/internal/vault/keyring"
)

// credential is the file of the internal credential in a folder of keys.
const credential = "internal"

// rootKeys are the files of root keys in it, one of each service that has any.
func rootKeys() []string { return []string{"login.key", "creditcard.key"} }

// KeyFiles are all files of a folder of keys.
func KeyFiles() []string { return append(rootKeys(), credential) }

// credentialSize is the size of the internal credential in bytes (decision A8).
const credentialSize = 32

// OpenCredential reads the internal credential.
func OpenCredential(path string) (secret.Bytes, error) {
	info, err := os.Stat(path)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("internal credential: %w", err)
	}
	if !private(info) {
		return secret.Bytes{}, fmt.Errorf("internal credential: others may read %s: run chmod 600 on it", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("internal credential: %w", err)
	}
	defer clear(text)
	key := make([]byte, credentialSize+1)
	n, err := base64.RawURLEncoding.Strict().Decode(key, bytes.TrimSpace(text))
	if err != nil || n != credentialSize {
		return secret.Bytes{}, fmt.Errorf("internal credential: %s does not hold one: make it with ccms keys init", path)
	}
	return secret.New(key[:n]), nil
}

// private reports whether a file is its owner's alone. A group may read what
// root owns, as orchestrators hand secrets to services that are not root.
func private(info fs.FileInfo) bool {
	mode := info.Mode().Perm()
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid == 0 && os.Geteuid() != 0 {
		return mode&0o037 == 0
	}
	return mode&0o077 == 0
}

// createCredential makes a new internal credential, unless there is one.
func createCredential(path string) error {
	key := make([]byte, credentialSize)
	_, _ = rand.Read(key) // never fails
	defer clear(key)
	text := base64.RawURLEncoding.AppendEncode(nil, key)
	defer clear(text)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create internal credential: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("create internal credential: %w", err)
	}
	return nil
}

// LostKey is what to do when a root key is missing where there was one.
const LostKey = "what the store holds is sealed under it: put it back, from a copy or a backup"

// MakeKeys creates the root keys and the internal credential in the folder. The
// credential is made last: where it is there, a root key that is not was lost,
// and a new one in its place would open nothing.
func MakeKeys(folder string) error {
	_, err := os.Lstat(filepath.Join(folder, credential))
	complete := err == nil
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("create key folder: %w", err)
	}
	for _, name := range rootKeys() {
		path := filepath.Join(folder, name)
		if _, err := os.Lstat(path); complete && errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the root key %s is missing: %s", path, LostKey)
		}
		if err := keyring.CreateFile(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return MakeCredential(folder)
}

// MakeCredential creates the internal credential in the folder, unless there is
// one.
func MakeCredential(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("create key folder: %w", err)
	}
	return createCredential(filepath.Join(folder, credential))
}

// NewKeys makes a folder of new keys for several processes (decision F6). It
// replaces nothing: what is sealed under a key is lost with it.
func NewKeys(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("create key folder: %w", err)
	}
	if err := Check(folder); err != nil {
		return err
	}
	for _, name := range KeyFiles() {
		if _, err := os.Lstat(filepath.Join(folder, name)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is a key %s already, and what is sealed under it would be lost: name another folder", filepath.Join(folder, name))
		}
	}
	return MakeKeys(folder)
}
