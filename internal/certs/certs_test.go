package certs_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ccms/internal/certs"
)

// all are the suites Go knows, the broken ones too, for a server that takes
// anything.
func all() []uint16 {
	var ids []uint16
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		ids = append(ids, s.ID)
	}
	return ids
}

// TestWhatAListenerSpeaks holds each client against a server of ours, once with
// an ECDSA and once with an RSA certificate, and against one that takes
// anything: a client that is refused there as well would prove nothing.
func TestWhatAListenerSpeaks(t *testing.T) {
	tests := []struct {
		name     string
		min, max uint16
		suite    uint16 // 0: the client's defaults
		rsa      bool
		taken    bool
	}{
		{"TLS 1.0", tls.VersionTLS10, tls.VersionTLS10, 0, false, false},
		{"TLS 1.0 with RSA", tls.VersionTLS10, tls.VersionTLS10, 0, true, false},
		{"TLS 1.1", tls.VersionTLS11, tls.VersionTLS11, 0, false, false},
		{"TLS 1.0 to 1.1", tls.VersionTLS10, tls.VersionTLS11, 0, true, false},
		{"RC4", tls.VersionTLS12, tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA, false, false},
		{"RC4 with RSA", tls.VersionTLS12, tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA, true, false},
		{"RC4 with static RSA", tls.VersionTLS12, tls.VersionTLS12, tls.TLS_RSA_WITH_RC4_128_SHA, true, false},
		{"3DES", tls.VersionTLS12, tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, true, false},
		{"3DES with static RSA", tls.VersionTLS12, tls.VersionTLS12, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, true, false},
		{"static RSA with CBC", tls.VersionTLS12, tls.VersionTLS12, tls.TLS_RSA_WITH_AES_128_CBC_SHA, true, false},
		{"CBC with SHA-1", tls.VersionTLS12, tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, false, false},
		{"CBC with SHA-1, with RSA", tls.VersionTLS12, tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, true, false},
		{"static RSA with GCM", tls.VersionTLS12, tls.VersionTLS12, tls.TLS_RSA_WITH_AES_256_GCM_SHA384, true, false},
		{"TLS 1.2, AES-128-GCM", tls.VersionTLS12, tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, false, true},
		{"TLS 1.2, AES-256-GCM", tls.VersionTLS12, tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, false, true},
		{"TLS 1.2, ChaCha20-Poly1305", tls.VersionTLS12, tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, false, true},
		{"TLS 1.2, AES-128-GCM with RSA", tls.VersionTLS12, tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, true, true},
		{"TLS 1.2, AES-256-GCM with RSA", tls.VersionTLS12, tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, true, true},
		{"TLS 1.3", tls.VersionTLS13, tls.VersionTLS13, 0, false, true},
		{"TLS 1.3 with RSA", tls.VersionTLS13, tls.VersionTLS13, 0, true, true},
		{"TLS 1.0 to 1.2", tls.VersionTLS10, tls.VersionTLS12, 0, false, true},
	}
	r := newRoot(t)
	pairs := map[bool]certs.Pair{false: r.leaf(t, ecKey(t), nil), true: r.leaf(t, rsaKey(t), nil)}
	ours, lax, client := map[bool]string{}, map[bool]string{}, open(t, certs.Config{Authorities: []string{r.file()}})
	for kind, pair := range pairs {
		ours[kind] = listen(t, open(t, certs.Config{Pairs: []certs.Pair{pair}}).Server())
		cert, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
		if err != nil {
			t.Fatal(err)
		}
		lax[kind] = listen(t, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, CipherSuites: all()}) //nolint:gosec // that is the point
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			cfg := client.Client(name)
			cfg.MinVersion, cfg.MaxVersion = tc.min, tc.max
			cfg.CipherSuites = nil // as a client of others has it
			if tc.suite != 0 {
				cfg.CipherSuites = []uint16{tc.suite}
			}
			if _, err := connect(lax[tc.rsa], cfg); err != nil {
				t.Fatalf("a server that takes anything refuses it too: %v", err)
			}
			state, err := connect(ours[tc.rsa], cfg)
			if (err == nil) != tc.taken {
				t.Fatalf("taken: %v, want %v: %v", err == nil, tc.taken, err)
			}
			if tc.suite != 0 && tc.taken && state.CipherSuite != tc.suite {
				t.Errorf("suite %s", tls.CipherSuiteName(state.CipherSuite))
			}
		})
	}
	state, err := connect(ours[false], client.Client(name))
	if err != nil || state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 {
		t.Errorf("between ourselves: %x, curve %v, %v; want TLS 1.3 with the post-quantum hybrid", state.Version, state.CurveID, err)
	}
}

func TestWhomAClientBelieves(t *testing.T) {
	r, other := newRoot(t), newRoot(t)
	later := func() time.Time { return time.Now().Add(51 * time.Hour) }
	tests := []struct {
		name  string
		shown certs.Pair
		ask   string
		now   func() time.Time
		wrong func(error) bool // nil: believed
	}{
		{"the right name of the right authority", r.leaf(t, ecKey(t), nil), name, nil, nil},
		{"another authority", other.leaf(t, ecKey(t), nil), name, nil, is[x509.UnknownAuthorityError]},
		{"another service", r.leaf(t, ecKey(t), nil), "creditcard-service.ccms.internal", nil, is[x509.HostnameError]},
		{"a name that only begins alike", r.leaf(t, ecKey(t), nil), name + ".example.com", nil, is[x509.HostnameError]},
		{"a subject without alternative names", r.leaf(t, ecKey(t), func(c *x509.Certificate) { c.DNSNames, c.Subject.CommonName = nil, name }), name, nil, is[x509.HostnameError]},
		{"a certificate that expired", r.leaf(t, ecKey(t), nil), name, later, is[x509.CertificateInvalidError]},
		{"a certificate for clients", r.leaf(t, ecKey(t), func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), name, nil, is[x509.CertificateInvalidError]},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			server := open(t, certs.Config{Pairs: []certs.Pair{tc.shown}, Authorities: []string{r.file()}})
			client := open(t, certs.Config{Authorities: []string{r.file()}, Now: tc.now})
			_, err := connect(listen(t, server.Server()), client.Client(tc.ask))
			if tc.wrong == nil && err != nil || tc.wrong != nil && !tc.wrong(err) {
				t.Errorf("got %v", err)
			}
			if tc.now == nil && (server.Vouched(tc.ask) == nil) != (tc.wrong == nil) {
				t.Errorf("the server itself thinks: %v", server.Vouched(tc.ask))
			}
		})
	}
	if open(t, certs.Config{}).Client(name).RootCAs != nil {
		t.Error("without authorities, the system's are not asked")
	}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func TestTheCertificateThatFitsTheNameIsShown(t *testing.T) {
	r := newRoot(t)
	public := r.leaf(t, ecKey(t), func(c *x509.Certificate) { c.DNSNames = []string{"cards.example"} })
	c := open(t, certs.Config{Pairs: []certs.Pair{public, r.leaf(t, ecKey(t), nil)}, Authorities: []string{r.file()}})
	addr := listen(t, c.Server())
	for ask, want := range map[string]string{"cards.example": "cards.example", name: name, "unknown.example": "cards.example", "": "cards.example"} {
		cfg := c.Client(ask)
		cfg.InsecureSkipVerify = true // any certificate will do to look at
		state, err := connect(addr, cfg)
		if err != nil || state.PeerCertificates[0].DNSNames[0] != want {
			t.Errorf("asked for %q: %v, %v", ask, state.PeerCertificates, err)
		}
	}
	if err := c.Vouched(name); err != nil {
		t.Errorf("the second certificate does not count: %v", err)
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	r := newRoot(t)
	good, another := r.leaf(t, ecKey(t), nil), r.leaf(t, ecKey(t), nil)
	readable := r.leaf(t, ecKey(t), nil)
	if err := os.Chmod(readable.Key, 0o604); err != nil { //nolint:gosec // that is the point
		t.Fatal(err)
	}
	writable := r.leaf(t, ecKey(t), nil)
	if err := os.Chmod(writable.Key, 0o620); err != nil { //nolint:gosec // that is the point
		t.Fatal(err)
	}
	nothing := filepath.Join(t.TempDir(), "nothing.pem")
	if err := os.WriteFile(nothing, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		cfg  certs.Config
		want string
	}{
		{"a key that others may read", certs.Config{Pairs: []certs.Pair{readable}}, "others may read " + readable.Key},
		{"a key that a group may write", certs.Config{Pairs: []certs.Pair{writable}}, "others may read " + writable.Key},
		{"a key of another certificate", certs.Config{Pairs: []certs.Pair{{Cert: good.Cert, Key: another.Key}}}, "does not match"},
		{"no certificate", certs.Config{Pairs: []certs.Pair{{Cert: nothing, Key: good.Key}}}, nothing},
		{"no file", certs.Config{Pairs: []certs.Pair{{Cert: nothing + "x", Key: good.Key}}}, "no such file"},
		{"a certificate that expired", certs.Config{Pairs: []certs.Pair{r.leaf(t, ecKey(t), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })}}, "expired at"},
		{"a certificate of tomorrow", certs.Config{Pairs: []certs.Pair{r.leaf(t, ecKey(t), func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) })}}, "is not valid before"},
		{"authorities without one", certs.Config{Authorities: []string{nothing}}, nothing + " holds no certificate"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, err := certs.Open(tc.cfg)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

// TestReload would fail if new files were not shown, if bad ones replaced good
// ones, or if a connection saw neither while both change hands.
func TestReload(t *testing.T) {
	r := newRoot(t)
	shown, next := r.leaf(t, ecKey(t), nil), r.leaf(t, ecKey(t), nil)
	c := open(t, certs.Config{Pairs: []certs.Pair{shown}, Authorities: []string{r.file()}})
	addr := listen(t, c.Server())
	serial := func() string {
		t.Helper()
		state, err := connect(addr, c.Client(name))
		if err != nil {
			t.Fatal(err)
		}
		return state.PeerCertificates[0].SerialNumber.Text(16)
	}
	first := serial()

	good, err := os.ReadFile(shown.Cert)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{nil, bytes.Repeat([]byte("x"), 100), good[:len(good)/2]} {
		if err := os.WriteFile(shown.Cert, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.Reload(); err == nil {
			t.Errorf("%d bytes of nonsense are taken", len(bad))
		}
		if serial() != first || c.Fingerprint() != first {
			t.Error("the old certificate is gone")
		}
	}

	var clients sync.WaitGroup
	failed := make(chan error, 100)
	stop := make(chan struct{})
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := connect(addr, c.Client(name)); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	for range 20 {
		move(t, next.Key, shown.Key)
		if err := c.Reload(); err == nil {
			t.Error("a key without its certificate is taken")
		}
		move(t, next.Cert, shown.Cert)
		if err := c.Reload(); err != nil {
			t.Error(err)
		}
		next = r.leaf(t, ecKey(t), nil)
	}
	close(stop)
	clients.Wait()
	close(failed)
	for err := range failed {
		t.Errorf("a connection failed: %v", err)
	}
	if serial() == first || serial() != c.Fingerprint() {
		t.Error("the new certificate is not shown")
	}
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// TestAuthoritiesCanBeReplaced would fail if a client went on believing who is
// trusted no more.
func TestAuthoritiesCanBeReplaced(t *testing.T) {
	old, fresh := newRoot(t), newRoot(t)
	trusted := filepath.Join(t.TempDir(), "trusted.pem")
	copyFile(t, old.file(), trusted)
	client := open(t, certs.Config{Authorities: []string{trusted}})
	addrs := map[*root]string{}
	for _, r := range []*root{old, fresh} {
		addrs[r] = listen(t, open(t, certs.Config{Pairs: []certs.Pair{r.leaf(t, ecKey(t), nil)}}).Server())
	}
	believed := func(r *root) bool {
		_, err := connect(addrs[r], client.Client(name))
		return err == nil
	}
	if !believed(old) || believed(fresh) {
		t.Fatal("before")
	}
	copyFile(t, fresh.file(), trusted)
	if err := client.Reload(); err != nil {
		t.Fatal(err)
	}
	if believed(old) || !believed(fresh) {
		t.Error("after")
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkHandshake is what one new connection costs both ends, between
// ourselves.
func BenchmarkHandshake(b *testing.B) {
	r := newRoot(b)
	c := open(b, certs.Config{Pairs: []certs.Pair{r.leaf(b, ecKey(b), nil)}, Authorities: []string{r.file()}})
	addr := listen(b, c.Server())
	for b.Loop() {
		if _, err := connect(addr, c.Client(name)); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAuthoritiesBesideThoseOfTheSystem(t *testing.T) {
	r := newRoot(t)
	pool, err := certs.WithSystem(r.file())
	if err != nil {
		t.Fatal(err)
	}
	system, err := certs.WithSystem("")
	if err != nil {
		t.Fatal(err)
	}
	if pool.Equal(system) {
		t.Error("the authority of the file is not among them")
	}
	none := filepath.Join(t.TempDir(), "none.pem")
	if err := os.WriteFile(none, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{none, none + ".away"} {
		if _, err := certs.WithSystem(file); err == nil {
			t.Errorf("%s was taken", file)
		}
	}
}
