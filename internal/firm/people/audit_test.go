package people

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"ccms/internal/firm"
)

func TestAFirmReadsWhatWasDoneToIt(t *testing.T) {
	t.Parallel()
	h := open(t)
	f, g := h.firm("Acme", "olga"), h.firm("Bolt", "oscar")
	client := h.want(http.StatusCreated, "olga", "POST", "/api/firms/"+f.ID+"/clients", `{}`).text("client_id")
	h.want(http.StatusCreated, "oscar", "POST", "/api/firms/"+g.ID+"/clients", `{}`)
	at := "/api/firms/" + f.ID + "/audit"
	a := h.want(http.StatusOK, "olga", "GET", at, "")
	var acts []string
	for _, row := range a.body["data"].([]any) {
		row := row.(map[string]any)
		acts = append(acts, row["act"].(string)+" "+row["result"].(string))
		if row["act"] == "client.create" && (row["actor"] != "olga" || row["object"] != client || row["from"] == "" || row["request"] == "") {
			t.Errorf("row %v", row)
		}
	}
	want := "firm.create begun, firm.create success, member.join begun, member.join success, client.create begun, client.create success, audit.read success"
	if got := strings.Join(acts, ", "); got != want {
		t.Errorf("on record: %s", got)
	}
	if strings.Contains(a.raw, g.ID) || strings.Contains(a.raw, "oscar") {
		t.Errorf("another firm's: %s", a.raw)
	}
	later := h.now().Add(time.Hour).UTC().Format(time.RFC3339)
	if a := h.want(http.StatusOK, "olga", "GET", at+"?from="+later, ""); len(a.body["data"].([]any)) != 0 {
		t.Errorf("from tomorrow: %s", a.raw)
	}
	for _, query := range []string{"?from=x", "?to=2026-13-01", "?cursor=x"} {
		h.want(http.StatusBadRequest, "olga", "GET", at+query, "")
	}
}

// TestNoAnswerRepeatsWhatIsWrong would fail if a refusal quoted the value it
// refuses, which may be a secret that came into the wrong field.
func TestNoAnswerRepeatsWhatIsWrong(t *testing.T) {
	t.Parallel()
	h := open(t)
	f := h.firm("Acme", "olga")
	const leak = "ccms_secret_leak"
	long := strings.Repeat("a", 101)
	clients := "POST /api/firms/" + f.ID + "/clients"
	client := h.want(http.StatusCreated, "olga", "POST", "/api/firms/"+f.ID+"/clients", `{}`).text("client_id")
	one := "PATCH /api/firms/" + f.ID + "/clients/" + client
	for body, route := range map[string]string{
		`{"name":"` + leak + `\u0007"}`:            clients,
		`{"name":"` + long + `"}`:                  clients,
		`{"name":7}`:                               clients,
		`{"mode":"` + leak + `"}`:                  clients,
		`{"mode":null,"mode":"` + leak + `"}`:      clients,
		`{"scopes":["` + leak + `"]}`:              clients,
		`{"scopes":"cards:read"}`:                  clients,
		`{"scopes":[]}`:                            clients,
		`{"scopes":[null]}`:                        clients,
		`{"keys":{"keys":[{"k":"` + leak + `"}]}}`: clients,
		`{"keys":"` + leak + `"}`:                  clients,
		`{"keys":[]}`:                              clients,
		`{"return_urls":["http://` + leak + `"]}`:  clients,
		`{"return_urls":"https://a.example"}`:      clients,
		`{"origins":["https://` + leak + `/"]}`:    clients,
		`{"accept_token_url":"` + leak + `"}`:      clients,
		`{"client_secret":"` + leak + `"}`:         clients,
		`{"firm_id":"` + leak + `"}`:               clients,
		`{"mode":"live"}`:                          one,
		`{"name":""}`:                              one,
		`{"scopes":["actuator:read"]}`:             one,
		`{"origins":["` + leak + `"]}`:             one,
		`{"name":"` + leak + `","name":"b"}`:       one,
		`["` + leak + `"]`:                         one,
		`{"name":"` + leak:                         one,
		`{"name":" "}`:                             "PUT /api/firms/" + f.ID,
		`{"name":"b` + long + `"}`:                 "PUT /api/firms/" + f.ID,
		`{"name":null}`:                            "PUT /api/firms/" + f.ID,
		`{"name":"x","owner":"` + leak + `"}`:      "PUT /api/firms/" + f.ID,
		`{"role":"` + leak + `"}`:                  "PATCH /api/firms/" + f.ID + "/members/olga",
		`{"email":"` + leak + `","role":"viewer"}`: "POST /api/firms/" + f.ID + "/members",
		`{"overlap":"` + leak + `"}`:               "POST /api/firms/" + f.ID + "/clients/" + client + "/rotate",
	} {
		method, path, _ := strings.Cut(route, " ")
		a := h.want(http.StatusBadRequest, "olga", method, path, body)
		if a.text("errorCode") != "VALIDATION_ERROR" || strings.Contains(a.raw, leak) || len(a.body) != 5 {
			t.Errorf("%s: %s", body, a.raw)
		}
	}
	h.want(http.StatusCreated, "olga", "POST", "/api/firms/"+f.ID+"/clients", `{"name":null,"scopes":null,"keys":null,"origins":null}`)
	if c, err := h.firms.Client(t.Context(), client); err != nil || c.Mode != firm.Test || c.Name != "test" {
		t.Errorf("%+v, %v", c, err)
	}
}
