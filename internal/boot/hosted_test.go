package boot

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"ccms/internal/boot/chassis"
	"ccms/internal/identity"
)

// TestACardEnteredOnTheHostedPageIsRegistered would fail if the page at the
// portal, the link and the registration behind it were not connected.
func TestACardEnteredOnTheHostedPageIsRegistered(t *testing.T) {
	p := &provoker{rig: startRig(t, settings(t), nil)}
	header := p.client(t, identity.ScopeRegister, identity.ScopeRead)
	_, secret := p.link(t, header, `{"mode":"link","reference":"order 7"}`)
	at := p.url(chassis.Portal) + "/card/" + secret
	if page := visit(t, http.MethodGet, at, nil); !strings.Contains(page, "order 7") || !strings.Contains(page, "Acme") {
		t.Fatalf("the page: %s", page)
	}
	card := url.Values{"number": {"4111 1111 1111 1111"}, "expiry": {"12 / 40"}, "code": {"123"}, "name": {"John Doe"}}
	for range 2 { // the second time it is there already
		if page := visit(t, http.MethodPost, at, card); !strings.Contains(page, "<h1>Your card is registered</h1>") {
			t.Fatalf("after it was sent: %s", page)
		}
	}
	var all struct {
		Data []struct {
			ID        string `json:"registration_id"`
			Status    string `json:"status"`
			Last4     string `json:"last4"`
			Reference string `json:"reference"`
		} `json:"data"`
	}
	p.read(t, request{service: chassis.CardService, operation: "GET /v1/registrations", header: header}, &all)
	if len(all.Data) != 1 || all.Data[0].Status != "verified" || all.Data[0].Last4 != "1111" || all.Data[0].Reference != "order 7" {
		t.Errorf("registered: %+v", all.Data)
	}
}

// visit asks for a page as a browser does, goes where it leads, and returns it.
func visit(t *testing.T, method, at string, form url.Values) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, at, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %v %s", method, at, res.StatusCode, err, b)
	}
	return string(b)
}
