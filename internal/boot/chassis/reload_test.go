package chassis

import (
	"bytes"
	"errors"
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
		if _, err := a.Renew(pair, trust.NameOf(LoginService)); err != nil {
			t.Fatal(err)
		}
	}
	issue()
	s, err := config.Load(config.Sources{Flags: map[string]string{
		"data": filepath.Join(dir, "data"), "tls.cert-file": pair.Cert, "tls.key-file": pair.Key,
		"tls.ca-file": filepath.Join(ca, "ca.pem"), "log.level": "warn", "log.format": "json",
	}})
	if err != nil {
		t.Fatal(err)
	}
	newer, wrong := s, error(nil)
	var log bytes.Buffer
	p, err := Open(Start{Settings: s, Reread: func() (config.Settings, error) { return newer, wrong }, Console: Console{Err: &log}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	first := p.Trust.Fingerprint()

	good, err := os.ReadFile(pair.Cert)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(pair.Cert, good[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	p.reloadCertificates()
	if p.Trust.Fingerprint() != first || !strings.Contains(log.String(), "the old ones hold") {
		t.Errorf("after a bad certificate: %s", log.String())
	}
	log.Reset()
	issue()
	p.reloadCertificates()
	if p.Trust.Fingerprint() == first || log.Len() > 0 {
		t.Errorf("after a good one: still %s: %s", first, log.String())
	}

	wrong = errors.New("ccms.yaml:1: nonsense")
	p.rereadSettings()
	if !strings.Contains(log.String(), "nonsense") || p.Log.Enabled(t.Context(), slog.LevelInfo) {
		t.Errorf("after bad settings: %s", log.String())
	}
	log.Reset()
	wrong, newer.Log.Level, newer.Login.LockAfter = nil, slog.LevelDebug, 7
	p.rereadSettings()
	if !p.Log.Enabled(t.Context(), slog.LevelDebug) || !strings.Contains(log.String(), `"login.lock-after"`) || !strings.Contains(log.String(), `"log.level"`) {
		t.Errorf("after good settings: %s", log.String())
	}
}
