package boot

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ccms/internal/certs"
	"ccms/internal/config"
	"ccms/internal/trust"
)

// TestReloadKeepsWhatWorks would fail if a bad certificate or bad settings took
// the place of good ones, or if a good one did not.
func TestReloadKeepsWhatWorks(t *testing.T) {
	dir := t.TempDir()
	pair := certs.Pair{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	ca := filepath.Join(dir, "ca")
	issue := func() {
		t.Helper()
		a, err := certs.OpenAuthority(ca, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(pair.Cert)
		if _, err := a.Renew(pair, trust.NameOf(loginName)); err != nil {
			t.Fatal(err)
		}
	}
	issue()
	s := settings(t, "tls.cert-file", pair.Cert, "tls.key-file", pair.Key, "tls.ca-file", filepath.Join(ca, "ca.pem"), "log.level", "warn", "log.format", "json")
	newer, wrong := s, error(nil)
	var log bytes.Buffer
	p, err := newProcess(Start{Settings: s, Reread: func() (config.Settings, error) { return newer, wrong }, Console: Console{Err: &log}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	first := p.trust.Fingerprint()

	good, err := os.ReadFile(pair.Cert)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(pair.Cert, good[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	p.reloadCertificates()
	if p.trust.Fingerprint() != first || !strings.Contains(log.String(), "the old ones hold") {
		t.Errorf("after a bad certificate: %s", log.String())
	}
	log.Reset()
	issue()
	p.reloadCertificates()
	if p.trust.Fingerprint() == first || log.Len() > 0 {
		t.Errorf("after a good one: still %s: %s", first, log.String())
	}

	wrong = errors.New("ccms.yaml:1: nonsense")
	p.rereadSettings()
	if !strings.Contains(log.String(), "nonsense") || p.log.Enabled(t.Context(), slog.LevelInfo) {
		t.Errorf("after bad settings: %s", log.String())
	}
	log.Reset()
	wrong, newer.Log.Level, newer.Login.LockAfter = nil, slog.LevelDebug, 7
	p.rereadSettings()
	if !p.log.Enabled(t.Context(), slog.LevelDebug) || !strings.Contains(log.String(), `"login.lock-after"`) || !strings.Contains(log.String(), `"log.level"`) {
		t.Errorf("after good settings: %s", log.String())
	}
}

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
