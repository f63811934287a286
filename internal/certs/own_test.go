package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ccms/internal/certs"
)

const day = 24 * time.Hour

// shop is an authority, the certificate it makes, and a clock.
type shop struct {
	dir  string
	pair certs.Pair
	at   time.Time
}

func newShop(t *testing.T) *shop {
	dir := filepath.Join(t.TempDir(), "tls")
	return &shop{dir: dir, pair: certs.Pair{Cert: filepath.Join(dir, "server.pem"), Key: filepath.Join(dir, "server.key")}, at: time.Now()}
}

func (s *shop) now() time.Time { return s.at }

// renew opens the authority, as a start does, and renews.
func (s *shop) renew(t *testing.T, names ...string) bool {
	t.Helper()
	a, err := certs.OpenAuthority(s.dir, s.now)
	if err != nil {
		t.Fatal(err)
	}
	made, err := a.Renew(s.pair, names...)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (s *shop) read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAnAuthorityIsMadeOnce(t *testing.T) {
	s := newShop(t)
	if !s.renew(t, "localhost", name) {
		t.Fatal("no certificate is made")
	}
	ca, key := s.read(t, "ca.pem"), s.read(t, "ca.key")
	if s.renew(t, "localhost", name) {
		t.Error("a good certificate is replaced")
	}
	if s.read(t, "ca.pem") != ca || s.read(t, "ca.key") != key {
		t.Error("the authority is replaced")
	}
	for file, mode := range map[string]os.FileMode{"ca.key": 0o600, "server.key": 0o600, "ca.pem": 0o644, "server.pem": 0o644, ".": 0o700 | os.ModeDir} {
		if info, err := os.Stat(filepath.Join(s.dir, file)); err != nil || info.Mode() != mode {
			t.Errorf("%s has mode %v, want %v, %v", file, info.Mode(), mode, err)
		}
	}
	files, err := os.ReadDir(s.dir)
	if err != nil || len(files) != 4 {
		t.Errorf("files %v, %v", files, err)
	}
}

func TestWhatAnAuthorityMakes(t *testing.T) {
	s := newShop(t)
	names := []string{"localhost", "127.0.0.1", "::1", "my-host", name}
	s.renew(t, names...)
	pair, err := tls.LoadX509KeyPair(s.pair.Cert, s.pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := tls.LoadX509KeyPair(filepath.Join(s.dir, "ca.pem"), filepath.Join(s.dir, "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.Leaf)
	for _, n := range names {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: n, Roots: roots}); err != nil {
			t.Errorf("for %s: %v", n, err)
		}
	}
	if life := ca.Leaf.NotAfter.Sub(s.at); life < 3650*day-time.Minute || life > 3651*day {
		t.Errorf("the authority lives %v", life)
	}
	if life := pair.Leaf.NotAfter.Sub(s.at); life > 398*day {
		t.Errorf("the certificate lives %v, too long for browsers", life)
	}
	leaf := pair.Leaf
	if leaf.IsCA || leaf.PublicKeyAlgorithm != x509.ECDSA || leaf.KeyUsage&x509.KeyUsageCertSign != 0 || !slices.Equal(leaf.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) {
		t.Errorf("the certificate may do more than serve: %+v", leaf)
	}
	if !ca.Leaf.IsCA || !ca.Leaf.MaxPathLenZero || len(ca.Leaf.SubjectKeyId) == 0 || string(leaf.AuthorityKeyId) != string(ca.Leaf.SubjectKeyId) {
		t.Errorf("the authority is not one that strict clients take: %+v", ca.Leaf)
	}
}

func TestWhenACertificateIsRenewed(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, s *shop)
		names  []string
		made   bool
	}{
		{"nothing changed", func(*testing.T, *shop) {}, []string{name}, false},
		{"one name less", func(*testing.T, *shop) {}, []string{"localhost"}, false},
		{"a new name", func(*testing.T, *shop) {}, []string{name, "cards.example"}, true},
		{"366 days later", func(_ *testing.T, s *shop) { s.at = s.at.Add(366 * day) }, []string{name}, false},
		{"29 days before it expires", func(_ *testing.T, s *shop) { s.at = s.at.Add((397 - 29) * day) }, []string{name}, true},
		{"long after it expired", func(_ *testing.T, s *shop) { s.at = s.at.Add(1000 * day) }, []string{name}, true},
		{"it is gone", func(t *testing.T, s *shop) { remove(t, s.pair.Cert) }, []string{name}, true},
		{"its key is gone", func(t *testing.T, s *shop) { remove(t, s.pair.Key) }, []string{name}, true},
		{"a crash came between key and certificate", func(t *testing.T, s *shop) { copyFile(t, filepath.Join(s.dir, "ca.key"), s.pair.Key) }, []string{name}, true},
		{"it is of another authority", func(t *testing.T, s *shop) {
			other := newRoot(t).leaf(t, ecKey(t), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(90 * time.Hour) })
			copyFile(t, other.Cert, s.pair.Cert)
			copyFile(t, other.Key, s.pair.Key)
		}, []string{name}, true},
		{"the authority is gone", func(t *testing.T, s *shop) { remove(t, filepath.Join(s.dir, "ca.pem")) }, []string{name}, true},
		{"the authority is near its end", func(_ *testing.T, s *shop) { s.at = s.at.Add(3645 * day) }, []string{name}, true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s := newShop(t)
			s.renew(t, "localhost", name)
			tc.change(t, s)
			if made := s.renew(t, tc.names...); made != tc.made {
				t.Errorf("made %v, want %v", made, tc.made)
			}
			if s.renew(t, tc.names...) {
				t.Error("the next start makes yet another")
			}
			c := open(t, certs.Config{Pairs: []certs.Pair{s.pair}, Authorities: []string{filepath.Join(s.dir, "ca.pem")}, Now: s.now})
			for _, n := range tc.names {
				if err := c.Vouched(n); err != nil {
					t.Errorf("for %s: %v", n, err)
				}
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func TestAuthoritiesThatAreRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, s *shop)
		want   string
	}{
		{"one that expired", func(_ *testing.T, s *shop) { s.at = s.at.Add(3651 * day) }, "expired at"},
		{"one whose key others may read", func(t *testing.T, s *shop) {
			if err := os.Chmod(filepath.Join(s.dir, "ca.key"), 0o644); err != nil { //nolint:gosec // that is the point
				t.Fatal(err)
			}
		}, "others may read"},
		{"one without key", func(t *testing.T, s *shop) { remove(t, filepath.Join(s.dir, "ca.key")) }, "no such file"},
		{"one that is none", func(t *testing.T, s *shop) {
			copyFile(t, s.pair.Cert, filepath.Join(s.dir, "ca.pem"))
			copyFile(t, s.pair.Key, filepath.Join(s.dir, "ca.key"))
		}, "is none of ours"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s := newShop(t)
			s.renew(t, name)
			tc.change(t, s)
			_, err := certs.OpenAuthority(s.dir, s.now)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "remove "+s.dir) {
				t.Errorf("error %v, want %q and what to do", err, tc.want)
			}
		})
	}
}
