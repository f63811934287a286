package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// allScopes is everything a firm's client can be given.
const allScopes = "cards:register,cards:read,cards:reveal,cards:manage,reports:read,webhooks:manage"

// grant gets a token for a client, with some of its scopes or with all.
func grant(t testing.TB, c *client, p *process, m firmClient, scope ...string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	if scope != nil {
		form.Set("scope", strings.Join(scope, " "))
	}
	status, body, err := c.form(p.Login+"/oauth2/token", form, m)
	var out struct {
		Token string `json:"access_token"`
	}
	if err != nil || status != http.StatusOK || json.Unmarshal(body, &out) != nil {
		t.Fatalf("token of %s: %d %s %v", m.id, status, body, err)
	}
	return out.Token
}

// form sends one of the OAuth forms in the name of a client.
func (c *client) form(at string, form url.Values, m firmClient) (int, []byte, error) {
	form.Set("client_id", m.id)
	form.Set("client_secret", m.secret)
	return c.send("POST", at, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

// register registers a card for m and returns the registration and its token.
func register(t testing.TB, c *client, p *process, m firmClient, body map[string]any) (id, token string) {
	t.Helper()
	var made struct {
		ID     string `json:"registration_id"`
		Status string `json:"status"`
	}
	c.must(t, 201, "POST", p.CreditCard+"/register", body, &made, m.auth()...)
	var seen struct {
		Status, Token string
	}
	status, answer, err := c.send("GET", p.CreditCard+"/status/"+made.ID, nil, m.auth()...)
	if err != nil || status != 200 || json.Unmarshal(answer, &seen, json.MatchCaseInsensitiveNames(true)) != nil || seen.Status != "verified" {
		t.Fatalf("status: %d %s %v", status, answer, err)
	}
	return made.ID, seen.Token
}

// world is firms, people and clients that know nothing of each other, and what
// belongs to them.
type world struct {
	*process
	c *client

	ann, bob                 customer // cardholders
	owner, admin, viewer     customer // of Acme
	stranger                 customer // owner of Other
	operator                 customer
	all, live, revoked       firmClient // of Acme
	other, otherLive, halted firmClient // of Other, and of a firm that is suspended
	operators                firmClient

	// What belongs to Acme and Ann, by the names of path parameters.
	objects map[string]string
}

// annsCard and acmesCard are test numbers; their last four digits occur
// nowhere else in the tests that look for them.
const annsCard, acmesCard = "6011111111111117", "3566002020360505"

func newWorld(t *testing.T, args ...string) *world {
	w := &world{process: start(t, args...), c: newClient(t), objects: map[string]string{}}
	for _, who := range []struct {
		name string
		is   *customer
	}{{"ann", &w.ann}, {"bob", &w.bob}, {"owner", &w.owner}, {"admin", &w.admin}, {"viewer", &w.viewer}, {"stranger", &w.stranger}, {"operator", &w.operator}} {
		*who.is = signUp(t, w.c, w.process, who.name)
	}
	if out, err := exec.Command(binary, "operator", "create", "--email", w.operator.email, "--data", w.dir).CombinedOutput(); err != nil {
		t.Fatalf("operator create: %v %s", err, out)
	}
	w.operators = w.operatorsClient(t)
	acme, other := w.found(t, "Acme Ltd", w.owner), w.found(t, "Other Ltd", w.stranger)
	w.objects["firm"] = acme
	for role, who := range map[string]customer{"admin": w.admin, "viewer": w.viewer} {
		w.c.must(t, 201, "POST", w.Login+"/api/firms/"+acme+"/members", map[string]string{"email": who.email, "role": role}, nil, w.owner.auth()...)
		w.c.must(t, 200, "GET", w.Login+"/api/firms/"+acme, nil, nil, who.auth()...)
	}
	w.all, w.live, w.revoked = w.machine(t, acme, "test", w.owner), w.machine(t, acme, "live", w.owner), w.machine(t, acme, "test", w.owner)
	w.other, w.otherLive = w.machine(t, other, "test", w.stranger), w.machine(t, other, "live", w.stranger)
	w.halted = newFirm(t, w.c, w.process, "--scope", allScopes)
	w.c.must(t, 200, "POST", w.Login+"/api/firms/"+w.halted.firm+"/suspend", nil, nil, w.operator.auth()...)
	w.c.must(t, 200, "DELETE", w.Login+"/api/firms/"+acme+"/clients/"+w.revoked.id, nil, nil, w.owner.auth()...)
	w.fill(t)
	return w
}

// found makes a firm as an operator does, and its owner comes.
func (w *world) found(t *testing.T, name string, owner customer) string {
	t.Helper()
	var made struct {
		ID string `json:"firm_id"`
	}
	status, body, err := w.c.send("POST", w.Login+"/api/firms", map[string]string{"name": name, "owner": owner.email}, w.operator.auth()...)
	if err != nil || status != 201 || json.Unmarshal(body, &made) != nil {
		t.Fatalf("make a firm: %d %s %v", status, body, err)
	}
	w.c.must(t, 200, "GET", w.Login+"/api/firms/"+made.ID, nil, nil, owner.auth()...)
	return made.ID
}

// machine makes a client as an owner does.
func (w *world) machine(t *testing.T, firm, mode string, owner customer) firmClient {
	t.Helper()
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	w.c.must(t, 201, "POST", w.Login+"/api/firms/"+firm+"/clients",
		map[string]any{"name": "till of " + firm, "mode": mode, "scopes": strings.Split(allScopes, ","), "return_urls": []string{"https://shop.example.com/back"}, "origins": []string{"https://shop.example.com"}}, &made, owner.auth()...)
	m := firmClient{firm: firm, id: made.ID, secret: made.Secret}
	m.token = grant(t, w.c, w.process, m)
	return m
}

func (w *world) operatorsClient(t *testing.T) firmClient {
	t.Helper()
	out, err := exec.Command(binary, "client", "create", "--operator", "--scope", "actuator:read", "--data", w.dir, "-o", "json").Output()
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err != nil || json.Unmarshal(out, &made) != nil {
		t.Fatalf("client create --operator: %v %s", err, out)
	}
	m := firmClient{id: made.ID, secret: made.Secret}
	m.token = grant(t, w.c, w.process, m)
	return m
}

// fill makes what belongs to Acme and Ann.
func (w *world) fill(t *testing.T) {
	t.Helper()
	body := newRegistration(acmesCard, "123", "Agatha Acme")
	body["reference"] = "reference of acme"
	w.objects["registration"], w.objects["token"] = register(t, w.c, w.process, w.all, body)
	body["card_number"], body["reference"] = randomCard(t), "live reference of acme"
	w.objects["liveRegistration"], w.objects["liveToken"] = register(t, w.c, w.process, w.live, body)
	var link struct {
		ID  string `json:"id"`
		URL string `json:"url"`
	}
	w.c.must(t, 201, "POST", w.CreditCard+"/v1/links", map[string]string{"mode": "link", "reference": "link of acme"}, &link, w.all.auth()...)
	var webhook struct {
		ID string `json:"id"`
	}
	w.c.must(t, 201, "POST", w.CreditCard+"/v1/webhooks", `{"url":"https://hooks.acme.invalid/ccms","events":["registration.verified"]}`, &webhook, w.all.auth()...)
	w.objects["link"], w.objects["webhook"], w.objects["client"] = link.ID, webhook.ID, w.all.id
	var members struct {
		Data []struct {
			ID    string `json:"member_id"`
			Email string `json:"email"`
		} `json:"data"`
	}
	w.c.must(t, 200, "GET", w.Login+"/api/firms/"+w.objects["firm"]+"/members", nil, &members, w.owner.auth()...)
	for _, m := range members.Data {
		switch m.Email {
		case w.viewer.email:
			w.objects["member"] = m.ID
		case w.owner.email:
			w.objects["ownerMember"] = m.ID
		}
	}
	var card struct {
		ID    int64  `json:"creditCardId"`
		Token string `json:"token"`
	}
	w.c.must(t, 201, "POST", w.CreditCard+"/api/customer/creditcard", newCard(annsCard, "123"), &card, w.ann.auth()...)
	w.objects["card"], w.objects["cardToken"] = fmt.Sprint(card.ID), card.Token
	var sessions []struct {
		ID string `json:"id"`
	}
	w.c.must(t, 200, "GET", w.Login+"/api/account/sessions", nil, &sessions, w.ann.auth()...)
	w.objects["session"], w.objects["cardholder"] = sessions[0].ID, subjectOf(t, w.ann.token)
}

// subjectOf reads the id of an account from a token of it.
func subjectOf(t *testing.T, token string) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	var claims struct {
		Subject string `json:"sub"`
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		t.Fatalf("payload %q: %v", payload, err)
	}
	return claims.Subject
}
