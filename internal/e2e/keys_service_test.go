package e2e

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ccms/internal/vault/keyring/transit/transittest"
)

// TestTheRootKeyMayLieInAKeyService moves the keys of the product from a file to a
// stand-in for OpenBao and Vault, rotates the root key there, seals the service
// while the product runs, and starts anew. It would fail if a running product needed the
// service for what it has in memory, or if a start without it said nothing of it.
func TestTheRootKeyMayLieInAKeyService(t *testing.T) {
	t.Parallel()
	service := transittest.New(t)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: service.Certificate().Raw})
	if err := os.WriteFile(authority, block, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	reach := []string{"--keyring.token-file", service.TokenFile, "--tls.ca-file", authority}
	flags := append(append([]string{"--keyring.url", service.KeyURL()}, reach...), busy...)
	p, err := up(dir, busy...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { p.kill() }()
	c := newClient(t)
	firm := newFirm(t, c, p, "--live", "--scope", "cards:register,cards:read,cards:manage,cards:reveal")
	var made struct {
		ID string `json:"registration_id"`
	}
	number := randomCard(t)
	c.must(t, 201, "POST", p.CreditCard+"/register", newRegistration(number, "123", "Ann Example"), &made, firm.auth()...)
	cards := []filed{{made.ID, number}}
	revealAll(t, p, firm, cards)

	move := append([]string{"keys", "move", "--to", service.KeyURL()}, reach...)
	if out, err := ccms(dir, move...); err == nil {
		t.Errorf("keys move under a running server: %s", out)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	operator(t, dir, move...)
	if old, err := up(dir, busy...); err == nil || !strings.Contains(err.Error(), "the root key does not belong to this data") {
		old.kill()
		t.Errorf("under the old root key: %v", err)
	}
	if p, err = up(dir, flags...); err != nil {
		t.Fatal(err)
	}
	revealAll(t, p, firm, cards)

	service.Rotate()
	if out := operator(t, dir, "keys", "rewrap"); !strings.Contains(string(out), "keys moved to the newest version of the root key") {
		t.Errorf("%s", out)
	}
	service.Retire(2)
	if out := operator(t, dir, "crypto", "inventory", "-o", "json"); !strings.Contains(string(out), service.KeyURL()) {
		t.Error("the inventory does not name the key service")
	}

	service.Seal(true)
	revealAll(t, p, firm, cards)
	c.must(t, 503, "GET", p.CreditCard+"/actuator/health", nil, nil)
	c.must(t, 200, "GET", p.CreditCard+"/actuator/health/readiness", nil, nil)
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if refused, err := up(dir, flags...); err == nil {
		refused.kill()
		t.Error("it starts while its key service is sealed")
	} else if !strings.Contains(err.Error(), "it is sealed") || !strings.Contains(err.Error(), service.KeyURL()) {
		t.Errorf("it says %v", err)
	}

	service.Seal(false)
	if p, err = up(dir, flags...); err != nil {
		t.Fatal(err)
	}
	revealAll(t, p, firm, cards)
	c.must(t, 200, "GET", p.CreditCard+"/actuator/health", nil, nil)
	destroyFirm(t, p, firm, made.ID, tokenOf(t, c, p, firm, made.ID))
}

// destroyFirm destroys the keys of a firm that was not suspended: its card cannot
// be read any more and none be added, what needs no key goes on, and every answer
// is one that the firm can understand.
func destroyFirm(t *testing.T, p *process, firm firmClient, id, token string) {
	t.Helper()
	if out, err := ccms(p.dir, "keys", "destroy", "--firm", firm.firm); err == nil || !strings.Contains(string(out), "--for-good") {
		t.Errorf("without --for-good: %s", out)
	}
	out := string(operator(t, p.dir, "keys", "destroy", "--firm", firm.firm, "--for-good"))
	if !strings.Contains(out, firm.firm+"/live version 1 is destroyed") || !strings.Contains(out, "lookup/"+firm.firm+" version 1 is destroyed") {
		t.Errorf("%s", out)
	}
	c := newClient(t)
	line := `{"card_number":"` + randomCard(t) + `","expiry_date":"12/2040","cvv":"123","cardholder_name":"Ann Example"}` + "\n"
	for _, ask := range []struct {
		status       int
		method, path string
		body         any
		says         string
	}{
		{403, "POST", "/register", newRegistration(randomCard(t), "123", "Ann Example"), "keys of these cards were destroyed"},
		{403, "POST", "/v1/cards/" + token + "/reveal", map[string]string{"reason": "test"}, "keys of these cards were destroyed"},
		{200, "POST", "/v1/registrations/bulk", line, "keys of these cards were destroyed"},
		{200, "GET", "/status/" + id, nil, token},
		{200, "GET", "/v1/cards/" + token, nil, token},
		{200, "GET", "/v1/cards", nil, token},
		{200, "PATCH", "/v1/cards/" + token, map[string]string{"status": "disabled"}, "disabled"},
		{200, "DELETE", "/v1/cards/" + token, nil, ""},
	} {
		headers := firm.auth()
		if _, text := ask.body.(string); text {
			headers = append(headers, "Content-Type", "application/x-ndjson")
		}
		status, body, err := c.send(ask.method, p.CreditCard+ask.path, ask.body, headers...)
		if err != nil || status != ask.status || !strings.Contains(string(body), ask.says) || strings.Contains(string(body), "SERVER_ERROR") {
			t.Errorf("%s %s: %d %s %v", ask.method, ask.path, status, body, err)
		}
	}
}
