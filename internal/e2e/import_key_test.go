package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
)

// TestAnImportMayProveItselfByAKey imports as a client that has no secret at all,
// goes on as the same, and not under another key.
func TestAnImportMayProveItselfByAKey(t *testing.T) {
	t.Parallel()
	p := start(t, "--log.level", "warn")
	c := newClient(t)
	dir := t.TempDir()
	key, public := keyFile(t, filepath.Join(dir, "client.key"))
	owner := signUp(t, c, p, "owner")
	operator(t, p.dir, "operator", "create", "--email", owner.email)
	var firm struct {
		ID string `json:"firm_id"`
	}
	c.must(t, 201, "POST", p.Login+"/api/firms", map[string]string{"name": "Acme", "owner": owner.email}, &firm, owner.auth()...)
	c.must(t, 200, "GET", p.Login+"/api/firms/"+firm.ID, nil, nil, owner.auth()...) // he comes
	var made struct {
		ID string `json:"client_id"`
	}
	c.must(t, 201, "POST", p.Login+"/api/firms/"+firm.ID+"/clients", map[string]any{
		"name": "import", "mode": "live", "scopes": []string{"cards:register"}, "keys": public,
	}, &made, owner.auth()...)
	file, _ := writeCards(t, dir, 200)
	flags := func(key string) []string {
		return []string{"--url", p.Portal, "--client-id", made.ID, "--key-file", key, "--key-id", "import-1", "--issuer", issuer(t, c, p), "--data", p.dir}
	}
	run := importer{t: t, file: file, args: flags(key)}
	run.killAfter(1)
	if sum, text, exit := run.finish(); exit != 1 || sum.Registered != 198 || sum.Refused != 2 || !sum.Complete || sum.Before == 0 {
		t.Errorf("exit %d, %+v\n%s", exit, sum, text)
	}
	other, _ := keyFile(t, filepath.Join(dir, "other.key"))
	run.args = flags(other)
	if out, err := run.command().CombinedOutput(); err == nil {
		t.Errorf("under another key: %s", out)
	}
	run.args = append(flags(key), "--secret-file", key)
	if out, err := run.command().CombinedOutput(); err == nil {
		t.Errorf("with a secret too: %s", out)
	}
}

// keyFile makes a private key and returns its file and its public part.
func keyFile(t *testing.T, file string) (string, *jose.JSONWebKeySet) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "import-1", Algorithm: "ES256", Use: "sig"}}}
}

// issuer is whom assertions are addressed to.
func issuer(t *testing.T, c *client, p *process) string {
	t.Helper()
	var is struct {
		Issuer string `json:"issuer"`
	}
	_, body, err := c.send("GET", p.Portal+"/.well-known/oauth-authorization-server", nil)
	if err != nil || json.Unmarshal(body, &is) != nil {
		t.Fatalf("%s %v", body, err)
	}
	return is.Issuer
}
