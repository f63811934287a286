package datadir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestACredentialOthersMayReadIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "internal")
	if err := createCredential(path); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCredential(path); err != nil {
		t.Error(err)
	}
	before, _ := os.ReadFile(path)
	if err := createCredential(path); err != nil {
		t.Error(err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("an existing credential was replaced")
	}
	if err := os.Chmod(path, 0o644); err != nil { //nolint:gosec // that is the point
		t.Fatal(err)
	}
	if _, err := OpenCredential(path); err == nil {
		t.Error("a credential that others may read was taken")
	}
}

func TestAFileThatHoldsNoCredentialIsRefused(t *testing.T) {
	for name, text := range map[string]string{"nothing": "", "one too short": "AAAA", "other letters": strings.Repeat("!", 43), "one too long": strings.Repeat("A", 44)} {
		path := filepath.Join(t.TempDir(), "internal")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenCredential(path); err == nil || !strings.Contains(err.Error(), "ccms keys init") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewKeysReplaceNothing(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "keys")
	if err := NewKeys(folder); err != nil {
		t.Fatal(err)
	}
	for _, name := range KeyFiles() {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	before, err := os.ReadFile(filepath.Join(folder, credential))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(folder, "login.key")); err != nil {
		t.Fatal(err)
	}
	if err := NewKeys(folder); err == nil || !strings.Contains(err.Error(), "creditcard.key") {
		t.Errorf("a second time: %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "login.key")); err == nil {
		t.Error("it made one key beside those of another set")
	}
	if after, err := os.ReadFile(filepath.Join(folder, credential)); err != nil || string(after) != string(before) {
		t.Errorf("a key was replaced: %v", err)
	}
}

func TestARootKeyThatWasLostIsNotMadeAnew(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "keys")
	for range 2 { // the second makes nothing
		if err := MakeKeys(folder); err != nil {
			t.Fatal(err)
		}
	}
	login, cards := filepath.Join(folder, "login.key"), filepath.Join(folder, "creditcard.key")
	if err := os.Remove(cards); err != nil {
		t.Fatal(err)
	}
	if err := MakeKeys(folder); err == nil || err.Error() != "the root key "+cards+" is missing: "+LostKey {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(cards); err == nil {
		t.Error("it was made all the same")
	}
	// Without the credential, which comes last, a start was cut off.
	before, err := os.ReadFile(login)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(folder, credential)); err != nil {
		t.Fatal(err)
	}
	if err := MakeKeys(folder); err != nil {
		t.Error(err)
	}
	if after, err := os.ReadFile(login); err != nil || string(after) != string(before) {
		t.Errorf("a key that was there changed: %v", err)
	}
}
