package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// lookupKeys is the state and the values of every look-up key's versions, by name.
func lookupKeys(t *testing.T, dir string) map[string][]keyVersion {
	t.Helper()
	var all []struct {
		Keys []keyVersion `json:"keys"`
	}
	if err := json.Unmarshal(operator(t, dir, "keys", "status", "-o", "json"), &all); err != nil {
		t.Fatal(err)
	}
	found := map[string][]keyVersion{}
	for _, s := range all {
		for _, k := range s.Keys {
			if k.Use == "secret" && len(k.Name) > 7 && k.Name[:7] == "lookup/" {
				found[k.Name] = append(found[k.Name], k)
			}
		}
	}
	return found
}

// TestLookupKeysAreExchangedUnderLoadAndAfterAKill would fail if a request failed
// meanwhile, if a number could be added a second time, if a card lost its token, or
// if what was begun before kill -9 were not ended after it.
func TestLookupKeysAreExchangedUnderLoadAndAfterAKill(t *testing.T) {
	t.Parallel() // it waits most of the time
	dir := t.TempDir()
	p, err := up(dir, busy...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { p.kill() }()
	c := newClient(t)
	firm := newFirm(t, c, p, "--live", "--scope", "cards:register,cards:read,cards:manage,cards:reveal")
	number := randomCard(t)
	register := func() string {
		var made struct {
			ID string `json:"registration_id"`
		}
		c.must(t, 201, "POST", p.CreditCard+"/register", newRegistration(number, "123", "Ann Example"), &made, firm.auth()...)
		return tokenOf(t, c, p, firm, made.ID)
	}
	token := register()
	who := signUp(t, c, p, "lookup")
	c.must(t, 201, "POST", p.CreditCard+"/api/customer/creditcard", newCard(number, "123"), nil, who.auth()...)

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = ccms(dir, "keys", "rotate", "--lookup")
	}()
	awaitPrepared(t, dir)
	p.kill()
	<-ended
	if p, err = up(dir, busy...); err != nil {
		t.Fatal(err)
	}
	for name, versions := range lookupKeys(t, dir) {
		if len(versions) != 2 || versions[0].State != "active" || versions[1].State != "pre-active" {
			t.Errorf("after the kill %s is %+v", name, versions)
		}
	}
	who.token = logIn(t, c, p, who)
	stop := steady(t, p, firm, 40)
	operator(t, dir, "keys", "rotate", "--lookup")
	sent, cards := stop()
	for name, versions := range lookupKeys(t, dir) {
		if len(versions) != 2 || versions[0].State != "destroyed" || versions[0].Values != 0 || versions[1].State != "active" || versions[1].Values == 0 {
			t.Errorf("at last %s is %+v", name, versions)
		}
	}
	if again := register(); again != token {
		t.Error("a number that was there has another token")
	}
	c.must(t, 409, "POST", p.CreditCard+"/api/customer/creditcard", newCard(number, "123"), nil, who.auth()...)
	revealAll(t, p, firm, cards)
	t.Logf("%d requests during the exchange, %d registrations", sent, len(cards))
	operator(t, dir, "audit", "verify")
}

// tokenOf waits for the token of a registration.
func tokenOf(t *testing.T, c *client, p *process, firm firmClient, id string) string {
	t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); {
		var is struct {
			Token string `json:"token"`
		}
		status, body, err := c.send("GET", p.CreditCard+"/status/"+id, nil, firm.auth()...)
		if err != nil || status != 200 || json.Unmarshal(body, &is) != nil {
			t.Fatal(fmt.Sprint(status, string(body), err))
		}
		if is.Token != "" {
			return is.Token
		}
	}
	t.Fatal("the registration was not verified")
	return ""
}

// awaitPrepared waits until every look-up key has a next version.
func awaitPrepared(t *testing.T, dir string) {
	t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); {
		prepared := true
		for _, versions := range lookupKeys(t, dir) {
			prepared = prepared && len(versions) == 2
		}
		if prepared {
			return
		}
	}
	t.Fatal("the exchange did not begin")
}
