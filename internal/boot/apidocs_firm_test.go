package boot

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"ccms/internal/boot/chassis"
	"ccms/internal/firm"
	"ccms/internal/identity"
)

// client makes a firm with a client and returns the header that speaks for it.
func (p *provoker) client(t *testing.T, scopes ...string) []string {
	t.Helper()
	made, err := p.Firms.CreateWithClient(t.Context(), firm.Administrator(), firm.NewFirm{Name: "Acme"}, firm.NewClient{Scopes: scopes})
	if err != nil {
		t.Fatal(err)
	}
	shown, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal(shown, &c); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ID}, "client_secret": {c.Secret}}
	var token struct {
		Access string `json:"access_token"`
	}
	p.read(t, request{
		service: chassis.LoginService, operation: "POST /oauth2/token", body: form.Encode(),
		header: []string{"Content-Type", "application/x-www-form-urlencoded"},
	}, &token)
	return []string{"Authorization", "Bearer " + token.Access}
}

// read decodes the answer to a request that must succeed.
func (p *provoker) read(t *testing.T, q request, out any) {
	t.Helper()
	res := p.do(t, q)
	defer res.Body.Close()
	if res.StatusCode >= http.StatusMultipleChoices {
		t.Fatalf("%s %s: %d", q.operation, q.at, res.StatusCode)
	}
	if err := json.UnmarshalRead(res.Body, out); err != nil {
		t.Fatalf("%s: %v", q.operation, err)
	}
}

func (p *provoker) provokeFirms(t *testing.T) {
	header := p.client(t, identity.ScopeRegister, identity.ScopeRead, identity.ScopeReveal, identity.ScopeManage)
	at := func(operation, path, body string) request {
		return request{service: chassis.CardService, operation: operation, at: path, body: body, header: header}
	}
	card := `{"card_number":"4111111111111111","expiry_date":"12/35","cvv":"123","cardholder_name":"John Doe"}`
	p.gives(t, "missingFields", at("POST /register", "", `{"cvv":"123"}`))
	p.gives(t, "noRegistration", at("GET /status/{registration_id}", "/status/x", ""))
	p.gives(t, "noRegistration", at("GET /status", "/status?registration_id=x", ""))
	p.gives(t, "noRegistration", at("GET /v1/registrations/{id}", "/v1/registrations/x", ""))
	p.gives(t, "noRegistration", at("DELETE /v1/registrations/{id}", "/v1/registrations/x", ""))
	p.gives(t, "invalidCard", at("POST /register", "", strings.Replace(card, "1111", "1112", 1)))

	var made struct {
		ID string `json:"registration_id"`
	}
	p.read(t, at("POST /register", "", card), &made)
	token := p.works(t, at("GET /status/{registration_id}", "/status/"+made.ID, ""))
	p.works(t, at("PATCH /v1/cards/{token}", "/v1/cards/"+token, `{"status":"disabled"}`))
	p.gives(t, "cardDisabled", at("POST /v1/cards/{token}/reveal", "/v1/cards/"+token+"/reveal", `{"reason":"chargeback"}`))
}
