package boot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"ccms/internal/datadir"
	"ccms/internal/secret"
	"ccms/internal/vault/keyring"
)

// KeysInit makes the keys of a deployment of several processes in a folder
// (decision F6): login.key and creditcard.key, one for all instances of each
// service, and internal for every process. It replaces nothing: what is sealed
// under a key is lost with it.
func KeysInit(folder string, out io.Writer) error {
	if err := datadir.NewKeys(folder); err != nil {
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

// readSecret reads a secret from a file, without the white space around it.
func readSecret(path string) (secret.Bytes, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("read secret: %w", err)
	}
	defer clear(b)
	return secret.New(bytes.Clone(bytes.TrimSpace(b))), nil
}
