package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// TestSecretsOfFirmsAreNowhere is TestSecretsAreNowhere for what firms send and
// get: numbers, codes and names, the client's secret and tokens, a link and a
// signing secret. What is told once is looked for everywhere but in the answer
// that tells it.
func TestSecretsOfFirmsAreNowhere(t *testing.T) {
	p := start(t, "--log.format", "json")
	c := newClient(t)
	f := newFirm(t, c, p, "--live", "--scope", "cards:register,cards:read,cards:reveal,cards:manage,reports:read")
	number, second, third, hidden := randomCard(t), randomCard(t), randomCard(t), randomCard(t)
	amex, name := randomNumber(t, "37", 15), "Ann "+rand.Text()
	const code = "7391"

	var answers bytes.Buffer
	told := func(method, path string, in any, header ...string) []byte {
		t.Helper()
		base := p.CreditCard
		if strings.HasPrefix(path, "/oauth2") {
			base = p.Login
		}
		_, body, err := c.send(method, base+path, in, append(f.auth(), header...)...)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	step := func(method, path string, in any, header ...string) {
		t.Helper()
		answers.Write(told(method, path, in, header...))
		if _, body, err := c.send(method, p.Portal+path, in, append(f.auth(), header...)...); err == nil {
			answers.Write(body)
		}
	}
	step("POST", "/register", newRegistration(number, "739", name))
	step("POST", "/register", newRegistration(amex, code, name), "Idempotency-Key", "order-7")
	step("POST", "/register", newRegistration(amex, "7390", name), "Idempotency-Key", "order-7")     // another body
	step("POST", "/register", newRegistration(number, code, name))                                   // wrong code
	step("POST", "/register", newRegistration(second, "739", "Ann "+second))                         // number as name
	step("POST", "/register", `{"card_number":"`+number+`","cvv":"`)                                 // broken
	step("POST", "/register", `{"`+number+`":1}`)                                                    // unknown member
	step("POST", "/register", newRegistration(number, "739", name), "Authorization", "Bearer "+name) // no token
	step("POST", "/v1/registrations/bulk", marshalLine(t, newRegistration(third, "739", name))+marshalLine(t, newRegistration(third[:15]+"x", code, name))+third,
		"Content-Type", "application/x-ndjson")
	for _, path := range []string{"/status/", "/status?registration_id=", "/v1/registrations/", "/v1/cards/", "/v1/links/"} {
		step("GET", path+hidden, nil)
		step("DELETE", path+hidden[:4]+"%20"+hidden[4:8]+"%20"+hidden[8:12]+"%20"+hidden[12:], nil)
	}
	step("GET", "/v1/registrations?reference="+hidden, nil)
	step("GET", "/v1/registrations", nil)
	step("GET", "/v1/audit", nil)
	var link struct {
		URL string `json:"url"`
	}
	decode(t, told("POST", "/v1/links", `{"mode":"link","reference":"firm-canary"}`), &link)
	step("GET", "/v1/links", nil)
	var settings struct {
		Secret string `json:"signing_secret"`
	}
	decode(t, told("PUT", "/v1/settings", `{"verification":{"endpoint":{"url":"https://firm.example/verify"}}}`), &settings)
	step("GET", "/v1/settings", nil)
	for _, n := range []string{number, amex, third} { // they did come through
		if got := reveal(t, told, n); got != n {
			t.Errorf("revealed %q, not %s", got, n)
		}
	}

	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(f.id+":"+f.secret))
	form := []string{"Content-Type", "application/x-www-form-urlencoded", "Authorization", basic}
	step("POST", "/oauth2/token", "grant_type=password", form...)
	step("POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {f.id}, "client_secret": {f.secret + "x"}}.Encode(), form[:2]...)
	step("POST", "/oauth2/introspect", "token="+f.token, form...)
	step("POST", "/oauth2/revoke", "token="+f.token, form...)
	for _, path := range []string{"/actuator/prometheus", "/actuator/metrics/http.server.requests"} {
		step("GET", path, nil)
	}

	secrets := map[string]string{
		"card number": number, "second card number": second, "third card number": third, "number in a path": hidden, "Amex number": amex,
		"grouped number": hidden[:4] + " " + hidden[4:8], "cardholder name": name,
		"client secret": f.secret, "token": f.token, "token's signature": f.token[strings.LastIndexByte(f.token, '.')+1:],
		"link": link.URL[strings.LastIndexAny(link.URL, "/=")+1:], "signing secret": strings.TrimPrefix(settings.Secret, "whsec_"),
	}
	for what, value := range secrets {
		if len(value) < 9 {
			t.Fatalf("%s is %q", what, value)
		}
	}
	expectNowhere(t, p, answers.Bytes(), "firm-canary", secrets)
}

// reveal asks for the number of the card whose last four digits are number's.
func reveal(t *testing.T, told func(string, string, any, ...string) []byte, number string) string {
	t.Helper()
	var list struct {
		Data []struct {
			Token string `json:"token"`
			Last4 string `json:"last4"`
		} `json:"data"`
	}
	decode(t, told("GET", "/v1/registrations", nil), &list)
	for _, r := range list.Data {
		if r.Last4 == number[len(number)-4:] {
			var card struct {
				Number string `json:"card_number"`
			}
			decode(t, told("POST", "/v1/cards/"+r.Token+"/reveal", `{"reason":"a test"}`), &card)
			return card.Number
		}
	}
	t.Fatalf("no registration ends in %s: %+v", number[len(number)-4:], list)
	return ""
}

func marshalLine(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s\n", b)
}

func decode(t *testing.T, b []byte, out any) {
	t.Helper()
	if err := json.Unmarshal(b, out); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
}
