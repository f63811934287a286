package creditcard_test

import (
	"net/url"
	"regexp"
	"slices"
	"testing"
)

// longRun is what no answer may hold: more digits than a creditCardId has.
var longRun = regexp.MustCompile(`[0-9]([ -]?[0-9]){11,}`)

// uncloaked finds a number in an answer; the timestamp is no number.
func uncloaked(body string) string {
	return longRun.FindString(regexp.MustCompile(`"timestamp":"[^"]*"`).ReplaceAllString(body, ""))
}

func FuzzAddBody(f *testing.F) {
	for _, s := range []string{
		cardBody(visa), cardBody(amex), `{}`, `[]`, `null`, ``, `{"cardNumber":4111111111111111}`,
		`{"cardNumber":"4111 1111 1111 1111","cvv":7,"expiryMonth":1,"expiryYear":2040,"wireTransactionVendor":"visa"}`,
		`{"cardNumber":"\ud800","cvv":{},"expiryMonth":1e2,"expiryYear":-0}`, `{"cvv":"１２３"}`,
	} {
		f.Add(s)
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body string) {
		a := send(t, w.handler, call{method: "POST", path: "/api/customer/creditcard", as: "alice", body: body})
		if !slices.Contains([]int{201, 400, 409, 413, 415, 429}, a.status) {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if run := uncloaked(a.body); run != "" {
			t.Fatalf("the answer holds %s", run)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{visa, "4111-1111-1111-1111", "4111 1111 1111 1111", "1", "tok_", "-", "９", "0001", "\x00", "../x", "%31"} {
		f.Add(s)
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, ref string) {
		for _, c := range []call{
			{method: "DELETE", path: "/api/customer/creditcard/" + url.PathEscape(ref)},
			{method: "PUT", path: "/api/customer/creditcard/" + url.PathEscape(ref) + "/toggle"},
			{method: "POST", path: "/api/customer/creditcard/" + url.PathEscape(ref) + "/restore"},
		} {
			c.as = "alice"
			a := send(t, w.handler, c)
			if a.status != 404 && a.status != 405 || a.header.Get("Location") != "" {
				t.Fatalf("%s %s: %d %s", c.method, c.path, a.status, a.body)
			}
			if run := uncloaked(a.body); run != "" {
				t.Fatalf("the answer holds %s", run)
			}
		}
	})
}
