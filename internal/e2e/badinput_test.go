package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// routes is every route that takes a body, with a member it knows.
var routes = []struct{ method, path, member string }{
	{"POST", "{login}/api/customer/signup", "username"},
	{"POST", "{login}/api/customer/login", "email"},
	{"POST", "{login}/api/customer/login/subsequent", "password"},
	{"POST", "{login}/api/customer/send-verification", "email"},
	{"POST", "{login}/api/customer/forgot-password", "email"},
	{"POST", "{login}/api/customer/forgot-password/reset-password", "token"},
	{"PUT", "{login}/api/account", "name"},
	{"POST", "{login}/api/account/password", "newPassword"},
	{"DELETE", "{login}/api/account", "password"},
	{"POST", "{cards}/api/customer/creditcard", "cardNumber"},
	{"POST", "{portal}/api/customer/creditcard", "cvv"},
	{"POST", "{portal}/api/customer/login", "email"},
}

// bare is every route that takes none; a path value is tried with each odd one.
var bare = []struct{ method, path string }{
	{"GET", "{login}/api/customer/verify?token={odd}"},
	{"GET", "{login}/api/customer/jwt/validate?token={odd}"},
	{"POST", "{login}/api/customer/logout?all={odd}"},
	{"GET", "{login}/api/account/sessions"},
	{"DELETE", "{login}/api/account/sessions/{odd}"},
	{"GET", "{login}/api/account/export?{odd}={odd}"},
	{"GET", "{cards}/api/customer/creditcard?{odd}"},
	{"DELETE", "{cards}/api/customer/creditcard/{odd}"},
	{"PUT", "{cards}/api/customer/creditcard/{odd}/toggle"},
	{"POST", "{cards}/api/customer/creditcard/{odd}/restore"},
	{"GET", "{portal}/verify?token={odd}"},
	{"GET", "{portal}/reset-password?token={odd}"},
	{"GET", "{portal}/assets/{odd}"},
	{"GET", "{portal}/{odd}"},
	{"GET", "{login}/actuator/metrics/{odd}?tag={odd}"},
	{"GET", "{eureka}/eureka/apps/{odd}"},
	{"PUT", "{eureka}/eureka/apps/{odd}/{odd}"},
	{"DELETE", "{eureka}/eureka/apps/{odd}/{odd}"},
	{"GET", "{eureka}/eureka/vips/{odd}"},
}

var odd = []string{"", "%00", "%ff", "%0d%0aX:%20y", "..", "%2e%2e%2f", "%2F", "a%20b", "-1", "0", "99999999999", "99999999999999999999999", "0x10",
	"4111111111111112", "41111111111111111111111111111", "٤١١١", "tok_", "tok_" + strings.Repeat("a", 26), strings.Repeat("a", 3000), "%F0%9F%92%B3", ";", "'%22%3Cscript%3E", "null", "true", "1e5"}

func bodies(member string) map[string]string {
	member = fmt.Sprintf("%q", member)
	nested := strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000)
	all := map[string]string{
		"nothing": "", "blank": "  \n", "null": "null", "an array": "[]", "a string": `"x"`, "a number": "1", "half": "{", "half a string": `{"`, "two": "{} {}",
		"a byte order mark": "\ufeff{}", "NUL": "{\x00}", "UTF-16": "\xff\xfe{\x00}\x00", "invalid UTF-8": "{" + member + ":\"\xff\"}", "a comment": "{/**/}", "single quotes": "{'a':1}",
		"deep": nested, "deep arrays": strings.Repeat("[", 5000), "too large": "{" + member + `:"` + strings.Repeat("a", 70<<10) + `"}`, "unknown member": `{"__proto__":{}}`,
		"twice": "{" + member + `:"a",` + member + `:"b"}`, "a huge number": "{" + member + ":1" + strings.Repeat("0", 400) + "}", "NaN": "{" + member + ":NaN}",
		"an empty name": `{"":1}`, "trailing comma": "{" + member + `:"a",}`,
	}
	for name, value := range map[string]string{"null": "null", "true": "true", "an object": "{}", "an array": "[[]]", "a number": "-0.5e-7", "an empty string": `""`,
		"NUL": `"\u0000"`, "a lone surrogate": `"\ud800"`, "CRLF": `"a\r\nBcc: x@example.com"`, "right to left": `"\u202e4111"`, "long": `"` + strings.Repeat("x", 3000) + `"`, "a card": "💳"} {
		if name == "a card" {
			value = `"💳@💳.example"`
		}
		all["member is "+name] = "{" + member + ":" + value + "}"
	}
	return all
}

// TestBadInputIsNeverAFailureOfOurs sends every route the bad input of
// decision A4; whatever it is, the answer is below 500 and, where the contract
// has a say, the contract's object.
func TestBadInputIsNeverAFailureOfOurs(t *testing.T) {
	p := start(t, "--login.rate-per-address", "1000000", "--login.rate-per-network", "1000000", "--login.bcrypt-cost", "10")
	c := newClient(t)
	who := signUp(t, c, p, "robust")
	where := strings.NewReplacer("{login}", p.Login, "{cards}", p.CreditCard, "{portal}", p.Portal, "{eureka}", p.Eureka)
	sent := 0
	check := func(what, method, url string, in any, header ...string) {
		t.Helper()
		sent++
		status, body, err := c.send(method, url, in, append(header, who.auth()...)...)
		switch {
		case err != nil:
			t.Errorf("%s: %s %.80s: %v", what, method, url, err)
		case status >= 500:
			t.Errorf("%s: %s %.80s: %d %s", what, method, url, status, body)
		case status >= 400 && in != nil:
			var object map[string]string
			if json.Unmarshal(body, &object) != nil || len(object) != 5 {
				t.Errorf("%s: %s %.80s: %d is not the contract's object: %.200s", what, method, url, status, body)
			}
		}
	}
	for _, r := range routes {
		for what, body := range bodies(r.member) {
			check(what, r.method, where.Replace(r.path), body)
		}
		for _, kind := range []string{"text/plain", "application/xml", "application/json; charset=utf-7", "nonsense/;;", "multipart/form-data; boundary=x"} {
			check(kind, r.method, where.Replace(r.path), "{}", "Content-Type", kind)
		}
	}
	for _, r := range bare {
		for _, o := range odd {
			check("odd "+o, r.method, strings.ReplaceAll(where.Replace(r.path), "{odd}", o), nil)
		}
	}
	for _, token := range []string{"", "a", "a.b.c", strings.Repeat(".", 8000), "..", "\xff", who.token + "x", who.token[:len(who.token)-1], "eyJhbGciOiJub25lIn0.e30."} {
		for _, url := range []string{p.CreditCard + "/api/customer/creditcard", p.Login + "/api/account", p.Login + "/api/customer/jwt/validate"} {
			status, body, err := c.send("GET", url, nil, "Authorization", "Bearer "+token)
			if err != nil || status != 401 {
				t.Errorf("token %.20q: %d %s %v", token, status, body, err)
			}
		}
	}
	t.Logf("%d requests", sent)
}
