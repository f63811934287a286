package boot

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ccms/internal/secret"
	"ccms/internal/vault/keyring"
)

// credentialSize is the size of the internal credential in bytes (decision A8).
const credentialSize = 32

// openCredential reads the internal credential.
func openCredential(path string) (secret.Bytes, error) {
	info, err := os.Stat(path)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("internal credential: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
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

// makeKeys creates the root keys and the internal credential that are missing
// in the folder.
func makeKeys(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("create key folder: %w", err)
	}
	for _, name := range []string{"login.key", "creditcard.key"} {
		if err := keyring.CreateFile(filepath.Join(folder, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return createCredential(filepath.Join(folder, "internal"))
}

// KeysInit makes the keys of a deployment of several processes in a folder
// (decision F6): login.key and creditcard.key, one for all instances of each
// service, and internal for every process. It replaces nothing: what is sealed
// under a key is lost with it.
func KeysInit(folder string, out io.Writer) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("create key folder: %w", err)
	}
	if err := checkFolder(folder); err != nil {
		return err
	}
	for _, name := range []string{"login.key", "creditcard.key", "internal"} {
		if _, err := os.Lstat(filepath.Join(folder, name)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is a key %s already, and what is sealed under it would be lost: name another folder", filepath.Join(folder, name))
		}
	}
	if err := makeKeys(folder); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, `made %[1]s/login.key, %[1]s/creditcard.key and %[1]s/internal; keep copies where only you are

  ccms login       --keyring.url file:%[1]s/login.key --internal.credential-file %[1]s/internal
  ccms creditcard  --keyring.url file:%[1]s/creditcard.key --internal.credential-file %[1]s/internal
  ccms eureka      --internal.credential-file %[1]s/internal
  ccms portal      --internal.credential-file %[1]s/internal
`, folder)
	return err
}

// rootKey opens the root key a keyring.url names; the file own when none is
// named.
func rootKey(url, own string) (keyring.Root, error) {
	if url == "" {
		root, err := keyring.OpenFile(own)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %s", err, sharedKeys)
		}
		return root, err
	}
	path, ok := strings.CutPrefix(url, "file:")
	if !ok {
		return nil, fmt.Errorf("keyring.url: only file: is supported, e.g. file:/etc/ccms/login.key")
	}
	return keyring.OpenFile(path)
}
