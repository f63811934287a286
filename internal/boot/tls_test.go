package boot

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ccms/internal/certs"
)

// TestCertificatesThatKeepAProcessFromStarting are told in one line.
func TestCertificatesThatKeepAProcessFromStarting(t *testing.T) {
	dir := t.TempDir()
	a, err := certs.OpenAuthority(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	pair := certs.Pair{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	if _, err := a.Renew(pair, "localhost"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(pair.Key, 0o644); err != nil { //nolint:gosec // that is the point
		t.Fatal(err)
	}
	s := settings(t, "tls.cert-file", pair.Cert, "tls.key-file", pair.Key)
	err = Up(context.Background(), Start{Settings: s, Console: Console{Out: io.Discard, Err: t.Output()}})
	if err == nil || !strings.Contains(err.Error(), "others may read "+pair.Key) || strings.Contains(err.Error(), "\n") {
		t.Errorf("a key that others may read: %v", err)
	}
}
