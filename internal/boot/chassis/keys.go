package chassis

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"ccms/internal/secret"
	"ccms/internal/vault/keyring"
)

// SharedKeys is what to do when a process lacks the keys of all.
const SharedKeys = "make keys once with ccms keys init --out FOLDER, and give them to every process by internal.credential-file and keyring.url"

// RootKey opens the root key a keyring.url names; the file own when none is
// named.
func RootKey(url, own string) (keyring.Root, error) {
	if url == "" {
		root, err := keyring.OpenFile(own)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %s", err, SharedKeys)
		}
		return root, err
	}
	path, ok := strings.CutPrefix(url, "file:")
	if !ok {
		return nil, fmt.Errorf("keyring.url: only file: is supported, e.g. file:/etc/ccms/login.key")
	}
	return keyring.OpenFile(path)
}

// ReadSecret reads a secret from a file, without the white space around it.
func ReadSecret(path string) (secret.Bytes, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("read secret: %w", err)
	}
	defer clear(b)
	return secret.New(bytes.Clone(bytes.TrimSpace(b))), nil
}
