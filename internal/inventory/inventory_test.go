package inventory

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ccms/internal/certs"
	"ccms/internal/identity"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
	"ccms/internal/vault/keyring"
)

func openRing(t *testing.T, db store.DB) (*keyring.Ring, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "root.key")
	if err := keyring.CreateFile(file); err != nil {
		t.Fatal(err)
	}
	root, err := keyring.OpenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Open(t.Context(), keyring.Config{Root: root, DB: db})
	if err != nil {
		t.Fatal(err)
	}
	return ring, file
}

// find returns the one entry whose purpose holds text, in a state.
func find(t *testing.T, all []Entry, text, state string) Entry {
	t.Helper()
	i := slices.IndexFunc(all, func(e Entry) bool { return strings.Contains(e.Purpose, text) && e.State == state })
	if i < 0 {
		t.Fatalf("nothing %s that %s in %+v", state, text, all)
	}
	return all[i]
}

func TestEveryKeyStandsInTheInventory(t *testing.T) {
	db := storetest.New(t)
	ring, file := openRing(t, db)
	signing, err := identity.OpenKeys(t.Context(), identity.KeysConfig{DB: db, Sealer: ring})
	if err != nil {
		t.Fatal(err)
	}
	record := make([]byte, 32)
	_, _ = rand.Read(record)
	for _, owner := range []string{"cardholders", "firm_1/live"} {
		if _, err := ring.Wrap(t.Context(), owner, record, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, purpose := range []string{"audit", "lookup/firm", "something"} {
		if _, err := ring.Secret(t.Context(), purpose); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ring.Rotate(t.Context(), "cardholders"); err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Prepare(t.Context(), "lookup/firm"); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "tls")
	authority, err := certs.OpenAuthority(folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	all, err := Take(t.Context(), Config{
		Rings:        []Ring{{Service: "card service", List: ring.List}},
		Signing:      signing.List,
		Files:        map[string]string{"wraps all keys of the card service": file},
		KeyServices:  map[string]string{"wraps all keys of the login service": "https://bao.example/transit/ccms"},
		Certificates: []string{authority.File(), filepath.Join(folder, "none.pem")},
		BcryptCost:   12,
	})
	if err != nil {
		t.Fatal(err)
	}
	old, fresh := find(t, all, "cardholders", "decrypt-only"), find(t, all, "cardholders", "active")
	if old.Version != 1 || old.Ends == nil || fresh.Version != 2 || fresh.Ends != nil || fresh.ID != old.ID || fresh.Bits != 256 || fresh.Due(now) || !fresh.Due(now.AddDate(1, 0, 1)) {
		t.Errorf("%+v, %+v", old, fresh)
	}
	if e := find(t, all, "a firm's cards: firm_1/live", "active"); !strings.Contains(e.Rule, "A1.1.1") {
		t.Errorf("%+v", e)
	}
	if e := find(t, all, "unknown", "active"); !strings.HasPrefix(e.Rule, "none") {
		t.Errorf("a key nobody described: %+v", e)
	}
	for _, state := range []string{"active", "next"} {
		if e := find(t, all, "signs tokens", state); e.Algorithm != identity.ES256 || e.Created == nil {
			t.Errorf("%+v", e)
		}
	}
	if e := find(t, all, "vouches for certificates", ""); e.Kind != Certificate || e.Bits != 256 || e.Ends == nil || e.Due(now) || e.Where != authority.File() {
		t.Errorf("%+v", e)
	}
	if e := find(t, all, "wraps all keys of the card service", "active"); e.Where != file {
		t.Errorf("%+v", e)
	}
	if e := find(t, all, "wraps all keys of the login service", "active"); e.Where != "https://bao.example/transit/ccms" || e.Due(now) {
		t.Errorf("%+v", e)
	}
	if e := find(t, all, "finds a number", "pre-active"); e.Version != 2 || e.Due(now) {
		t.Errorf("a key to come: %+v", e)
	}
	if e := find(t, all, "passwords", ""); e.Algorithm != "bcrypt, cost 12" {
		t.Errorf("%+v", e)
	}
	if !slices.ContainsFunc(all, func(e Entry) bool {
		return e.Algorithm == "TLS_AES_256_GCM_SHA384" && e.Purpose == "connections, TLS 1.3"
	}) {
		t.Error("TLS 1.3 is not in it")
	}
	for _, e := range all {
		if e.Kind == "" || e.Purpose == "" || e.Algorithm == "" || e.Where == "" || e.Rule == "" || e.Review.IsZero() {
			t.Errorf("%+v lacks something", e)
		}
	}
}

func TestASecretOfTheSettingsHasNoDate(t *testing.T) {
	all, err := Take(t.Context(), Config{Signing: func(context.Context) ([]identity.KeyInfo, error) {
		return []identity.KeyInfo{{ID: "k", Algorithm: identity.HS256, State: "active"}}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if e := find(t, all, "signs tokens", "active"); e.Created != nil || !strings.Contains(e.Where, "jwt-secret-file") || e.Review.IsZero() {
		t.Errorf("%+v", e)
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.pem")
	if err := os.WriteFile(bad, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Config{
		"a certificate that is none":   {Certificates: []string{bad}},
		"a folder for a certificate":   {Certificates: []string{dir}},
		"a key file that is not there": {Files: map[string]string{"x": filepath.Join(dir, "none")}},
	} {
		if _, err := Take(t.Context(), c); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
}
