package e2e

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAFirmIsToldOfItsWebhooks goes through both services: an endpoint that is
// gone is switched off, and the owner gets a mail. It would fail if the services
// did not find each other for it.
func TestAFirmIsToldOfItsWebhooks(t *testing.T) {
	p, c := start(t, "--webhook.allow-private", "--no-demo"), newClient(t)
	owner, operates := signUp(t, c, p, "owner"), signUp(t, c, p, "operator")
	operator(t, p.dir, "operator", "create", "--email", operates.email)
	var made struct {
		Firm string `json:"firm_id"`
	}
	c.must(t, 201, "POST", p.Login+"/api/firms", map[string]string{"name": "Acme", "owner": owner.email}, &made, operates.auth()...)
	c.must(t, 200, "GET", p.Login+"/api/firms/"+made.Firm, nil, nil, owner.auth()...) // which makes him a member
	member := append(owner.auth(), "CCMS-Firm", made.Firm, "CCMS-Mode", "test")

	gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }))
	defer gone.Close()
	var hook struct {
		ID string `json:"id"`
	}
	c.must(t, 201, "POST", p.CreditCard+"/v1/webhooks", map[string]any{"url": gone.URL + "/?key=hidden"}, &hook, member...)
	c.must(t, 202, "POST", p.CreditCard+"/v1/webhooks/"+hook.ID+"/test", nil, nil, member...)
	mail, err := awaitMail(p.dir, owner.email, "switched off")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(mail, hook.ID) || !strings.Contains(mail, "410") || strings.Contains(mail, "hidden") {
		t.Errorf("the mail says %s", mail)
	}
}
