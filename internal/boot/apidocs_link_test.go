package boot

import (
	"net/http"
	"path"
	"slices"
	"sync"
	"testing"
	"time"

	"ccms/internal/boot/chassis"
	"ccms/internal/firm"
	"ccms/internal/identity"
	"ccms/internal/patience"
	"ccms/internal/store/storetest"
)

// submits is a request to the card service by the portal, with a card for a
// link.
func (p *provoker) submits(t *testing.T, secret, change string) request {
	t.Helper()
	const operation = "POST /internal/links/submit"
	proof, err := p.Prover.Sign(chassis.CardService, identity.PurposeInternal, http.MethodPost, "/internal/links/submit")
	if err != nil {
		t.Fatal(err)
	}
	if change == "" {
		change = `"card_number":"4111111111111111","cvv":"123","expiry_date":"12/2040"`
	}
	return request{
		service: chassis.CardService, operation: operation, header: []string{identity.ProofHeader, proof},
		body: `{"secret":"` + secret + `",` + change + `,"cardholder_name":"John Doe"}`,
	}
}

// link makes a one-time link of a firm's and returns its id and secret.
func (p *provoker) link(t *testing.T, header []string, body string) (id, secret string) {
	t.Helper()
	var made struct {
		ID  string `json:"id"`
		URL string `json:"url"`
	}
	p.read(t, request{service: chassis.CardService, operation: "POST /v1/links", body: body, header: header}, &made)
	return made.ID, path.Base(made.URL)
}

func (p *provoker) provokeLinks(t *testing.T, fault *storetest.Fault) {
	header := p.client(t, identity.ScopeRegister)
	gives := func(key, secret, change string) {
		t.Helper()
		p.gives(t, key, p.submits(t, secret, change))
	}
	id, secret := p.link(t, header, `{"mode":"link"}`)
	gives("noResource", "x", "")
	gives("invalidCard", secret, `"card_number":"4111111111111112","cvv":"123","expiry_date":"12/2040"`)
	gives("invalidCVV", secret, `"card_number":"4111111111111111","cvv":"12","expiry_date":"12/2040"`)
	gives("invalidExpiry", secret, `"card_number":"4111111111111111","cvv":"123","expiry_date":"12/2020"`)
	p.works(t, request{service: chassis.CardService, operation: "DELETE /v1/links/{id}", at: "/v1/links/" + id, header: header})
	gives("linkRevoked", secret, "")

	_, secret = p.link(t, header, `{"mode":"link","expires_in":1}`)
	p.comesTo(t, "linkExpired", p.submits(t, secret, `"card_number":"x","cvv":"","expiry_date":""`))

	// Two windows at once, while the store takes its time.
	_, secret = p.link(t, header, `{"mode":"link"}`)
	fault.Add(storetest.Rule{Collection: "Registration", Op: storetest.Insert, Times: 1, Delay: patience.Times * time.Second})
	codes := make([]string, 2)
	var both sync.WaitGroup
	for i := range codes {
		both.Go(func() { _, codes[i], _, _ = p.send(t, p.submits(t, secret, "")) })
	}
	both.Wait()
	slices.Sort(codes)
	if !slices.Equal(codes, []string{"", p.problems["linkInUse"].Code}) {
		t.Errorf("two submissions at once: %q", codes)
	}
	p.seen["linkInUse"] = true
	gives("linkUsed", secret, "")

	firms, _, err := p.Firms.Firms(t.Context(), nil)
	if err != nil || len(firms) != 1 {
		t.Fatalf("%d firms, %v", len(firms), err)
	}
	if _, err := p.Firms.Suspend(t.Context(), firm.Administrator(), firms[0].ID, true); err != nil {
		t.Fatal(err)
	}
	p.comesTo(t, "linkWithdrawn", p.submits(t, secret, ""))
}

// comesTo sends q, which changes nothing, until time has passed that the answer
// depends on, and checks that it is the problem key then.
func (p *provoker) comesTo(t *testing.T, key string, q request) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		if _, code, _, _ := p.send(t, q); code == p.problems[key].Code {
			break
		}
	}
	p.gives(t, key, q)
}
