package trust_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ccms/internal/certs"
	"ccms/internal/trust"
)

func TestWhatIsShown(t *testing.T) {
	given := certs.Pair{Cert: "a.pem", Key: "a.key"}
	for _, tc := range []struct {
		name        string
		cfg         trust.Config
		pairs       []certs.Pair
		authorities []string
	}{
		{"nothing", trust.Config{Folder: "tls"}, nil, nil},
		{"a given certificate", trust.Config{Given: given, Authority: "ca.pem"}, []certs.Pair{given}, []string{"ca.pem"}},
		{"our own", trust.Config{Own: true, Folder: "tls"}, []certs.Pair{{Cert: "tls/server.pem", Key: "tls/server.key"}}, []string{"tls/ca.pem"}},
		{"our own beside a given one", trust.Config{Given: given, Own: true, Folder: "tls"}, []certs.Pair{given, {Cert: "tls/internal.pem", Key: "tls/internal.key"}}, []string{"tls/ca.pem"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.cfg.Shown()
			if !slices.Equal(got.Pairs, tc.pairs) || !slices.Equal(got.Authorities, tc.authorities) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// A certificate beside a given one is for our services and nobody else: people
// are not to be shown it.
func TestWhomOurOwnCertificateIsFor(t *testing.T) {
	folder := t.TempDir()
	alone := own(t, filepath.Join(folder, "alone"))
	if err := alone.Vouched("localhost"); err != nil {
		t.Error(err)
	}
	if got := alone.OwnAuthority(); got != filepath.Join(folder, "alone", "ca.pem") {
		t.Errorf("its authority is %q", got)
	}
	a, err := certs.OpenAuthority(folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	given := certs.Pair{Cert: filepath.Join(folder, "cert.pem"), Key: filepath.Join(folder, "key.pem")}
	if _, err := a.Renew(given, "shop.example"); err != nil {
		t.Fatal(err)
	}
	cfg := trust.Config{Services: []string{loginName}, Given: given, Own: true, Folder: filepath.Join(folder, "beside"), Names: []string{"localhost"}}
	if cfg.HasOwn() {
		t.Error("there is an authority before it is made")
	}
	beside, err := trust.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !cfg.HasOwn() || beside.OwnAuthority() != "" {
		t.Errorf("people are asked to believe %q", beside.OwnAuthority())
	}
	if err := beside.Vouched(trust.NameOf(loginName)); err != nil {
		t.Error(err)
	}
	if err := beside.Vouched("localhost"); err == nil {
		t.Error("it is for this machine too")
	}
}

func TestReloadMakesWhatIsDue(t *testing.T) {
	folder := t.TempDir()
	believed := own(t, folder)
	before := believed.Fingerprint()
	if err := believed.Reload(); err != nil || believed.Fingerprint() != before {
		t.Errorf("nothing was due: %v", err)
	}
	if err := os.Remove(filepath.Join(folder, "server.pem")); err != nil {
		t.Fatal(err)
	}
	if err := believed.Reload(); err != nil || believed.Fingerprint() == before {
		t.Errorf("none was made: %v", err)
	}
}

func TestWhoOnlyConnectsNeedsNoKey(t *testing.T) {
	cfg := trust.Config{Services: []string{loginName}, Given: certs.Pair{Cert: "none.pem", Key: "none.key"}}
	if _, err := trust.Open(cfg); err == nil {
		t.Error("a certificate that is not there is shown")
	}
	if believed, err := trust.Believe(cfg); err != nil || believed.Transport(loginName) == nil || believed.Server() != nil {
		t.Errorf("%v", err)
	}
}
