package creditcard_test

import (
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
	"ccms/internal/vault"
	"ccms/internal/vault/keyring"
)

func TestAddedCardIsAnsweredMaskedAndListed(t *testing.T) {
	w := newWorld(t)
	a := w.do(call{method: "POST", path: "/api/customer/creditcard", as: "alice",
		body: `{"cardNumber":"4111 1111-1111 1111","cvv":12,"expiryMonth":5,"expiryYear":2026,"wireTransactionVendor":"visa"}`})
	want(t, a, 201, "")
	got := decode[object](t, a)
	if !strings.HasPrefix(got.Token, "tok_") || got.CreditCardID < 1 || got.CreditCardID >= 1e11 {
		t.Errorf("token %q, id %d", got.Token, got.CreditCardID)
	}
	wanted := object{got.CreditCardID, "************1111", got.Token, 5, 2026, "Visa", "enabled", false}
	if got != wanted {
		t.Errorf("got %+v, want %+v", got, wanted)
	}
	b := w.do(call{method: "GET", path: "/api/customer/creditcard", as: "alice"})
	want(t, b, 200, "")
	if b.body != "["+a.body+"]" {
		t.Errorf("list is %s, want the one card %s", b.body, a.body)
	}
}

func TestAddRefusesBadMembersInTheContractsWords(t *testing.T) {
	const good = `"cvv":"123","expiryMonth":12,"expiryYear":2030`
	number := func(v string) string { return `{"cardNumber":` + v + `,` + good + `}` }
	code := func(n, v string) string {
		return `{"cardNumber":"` + n + `","cvv":` + v + `,"expiryMonth":12,"expiryYear":2030}`
	}
	expiry := func(month, year string) string {
		return `{"cardNumber":"` + visa + `","cvv":"123","expiryMonth":` + month + `,"expiryYear":` + year + `}`
	}
	vendor := func(v string) string {
		return `{"cardNumber":"` + visa + `",` + good + `,"wireTransactionVendor":` + v + `}`
	}
	tests := []struct{ name, body, code string }{
		{"a failed check digit", number(`"4111111111111112"`), "INVALID_CARD"},
		{"the seed's own sample", number(`"1234567812345678"`), "INVALID_CARD"},
		{"a number sent as a JSON number", number(visa), "INVALID_CARD"},
		{"a null number", number("null"), "INVALID_CARD"},
		{"an empty number", number(`""`), "INVALID_CARD"},
		{"a number in an array", number(`["` + visa + `"]`), "INVALID_CARD"},
		{"a letter in the number", number(`"411111111111111a"`), "INVALID_CARD"},
		{"full-width digits", number(`"４１１１１１１１１１１１１１１１"`), "INVALID_CARD"},
		{"a dot between digits", number(`"4111.1111.1111.1111"`), "INVALID_CARD"},
		{"a leading space", number(`" 4111111111111111"`), "INVALID_CARD"},
		{"no number", `{` + good + `}`, "INVALID_CARD"},
		{"an empty object", `{}`, "INVALID_CARD"},
		{"a wrong number before a wrong code", `{"cardNumber":"1","cvv":"x"}`, "INVALID_CARD"},

		{"no code", `{"cardNumber":"` + visa + `","expiryMonth":12,"expiryYear":2030}`, "INVALID_CVV"},
		{"a null code", code(visa, "null"), "INVALID_CVV"},
		{"a code of two digits", code(visa, `"12"`), "INVALID_CVV"},
		{"a code of four digits on Visa", code(visa, `"1234"`), "INVALID_CVV"},
		{"a code of three digits on American Express", code(amex, `"123"`), "INVALID_CVV"},
		{"an integer of four digits on Visa", code(visa, `1234`), "INVALID_CVV"},
		{"a negative code", code(visa, `-12`), "INVALID_CVV"},
		{"a code with a fraction", code(visa, `12.0`), "INVALID_CVV"},
		{"a code with an exponent", code(visa, `1e2`), "INVALID_CVV"},
		{"a code of letters", code(visa, `"abc"`), "INVALID_CVV"},
		{"a code that is true", code(visa, `true`), "INVALID_CVV"},
		{"a code in an object", code(visa, `{"a":123}`), "INVALID_CVV"},
		{"a wrong code before a wrong month", `{"cardNumber":"` + visa + `","cvv":"x","expiryMonth":13,"expiryYear":2030}`, "INVALID_CVV"},

		{"no month", `{"cardNumber":"` + visa + `","cvv":"123","expiryYear":2030}`, "INVALID_EXPIRY"},
		{"no year", `{"cardNumber":"` + visa + `","cvv":"123","expiryMonth":12}`, "INVALID_EXPIRY"},
		{"month 0", expiry("0", "2030"), "INVALID_EXPIRY"},
		{"month 13", expiry("13", "2030"), "INVALID_EXPIRY"},
		{"a month of text", expiry(`"12"`, "2030"), "INVALID_EXPIRY"},
		{"a month with a fraction", expiry("12.0", "2030"), "INVALID_EXPIRY"},
		{"a two-digit year", expiry("12", "30"), "INVALID_EXPIRY"},
		{"a year past any integer", expiry("12", "99999999999999999999"), "INVALID_EXPIRY"},
		{"a month that ended", expiry("4", "2026"), "INVALID_EXPIRY"},
		{"more than 20 years ahead", expiry("6", "2046"), "INVALID_EXPIRY"},
		{"a wrong month before a wrong vendor", `{"cardNumber":"` + visa + `","cvv":"123","expiryMonth":13,"expiryYear":2030,"wireTransactionVendor":""}`, "INVALID_EXPIRY"},

		{"another brand", vendor(`"Mastercard"`), "VALIDATION_ERROR"},
		{"an empty vendor", vendor(`""`), "VALIDATION_ERROR"},
		{"a vendor that is a number", vendor(`1`), "VALIDATION_ERROR"},
		{"an unknown member", `{"cardNumber":"` + visa + `",` + good + `,"name":"x"}`, "VALIDATION_ERROR"},
		{"a member in another case", `{"cardnumber":"` + visa + `",` + good + `}`, "VALIDATION_ERROR"},
		{"a member twice", `{"cardNumber":"` + visa + `","cardNumber":"` + visa + `",` + good + `}`, "VALIDATION_ERROR"},
		{"an array", `[]`, "VALIDATION_ERROR"},
		{"half an object", `{"cardNumber":`, "VALIDATION_ERROR"},
	}
	w := newWorld(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want(t, w.do(call{method: "POST", path: "/api/customer/creditcard", as: "alice", body: tt.body}), 400, tt.code)
		})
	}
	if cards := w.list("alice"); len(cards) != 0 {
		t.Errorf("refused bodies left %d cards", len(cards))
	}
}

func TestAddTakesEveryFormOfAGoodBody(t *testing.T) {
	body := func(n, v, rest string) string {
		return `{"cardNumber":"` + n + `","cvv":` + v + `,"expiryMonth":4,"expiryYear":2046` + rest + `}`
	}
	tests := []struct{ name, body, vendor string }{
		{"an integer code gets its zeros back", body(visa, "7", ""), "Visa"},
		{"a code of zeros", body(visa2, "0", ""), "Visa"},
		{"an integer code of four", body(amex, "12", ""), "American Express"},
		{"Amex is American Express", body("371449635398431", `"0001"`, `,"wireTransactionVendor":"AMEX"`), "American Express"},
		{"a null vendor is absent", body(mastercard, `"001"`, `,"wireTransactionVendor":null`), "Mastercard"},
		{"escapes in the number", body(`\u0035105105105105100`, `"001"`, ""), "Mastercard"},
		{"nineteen digits", body("4111141011111111116", `"001"`, ""), "Visa"},
		{"fourteen digits", body("30569309025904", `"001"`, ""), "Diners Club"},
	}
	w := newWorld(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := w.do(call{method: "POST", path: "/api/customer/creditcard", as: "alice", body: tt.body})
			want(t, a, 201, "")
			if got := decode[object](t, a).WireTransactionVendor; got != tt.vendor {
				t.Errorf("vendor %q, want %q", got, tt.vendor)
			}
		})
	}
}

func TestEveryRouteAsksWhoIsThere(t *testing.T) {
	w := newWorld(t)
	routes := []call{
		addCall("", visa),
		{method: "POST", path: "/api/customer/creditcard", body: "not even JSON"},
		{method: "GET", path: "/api/customer/creditcard"},
		{method: "GET", path: "/api/creditcards"},
		{method: "DELETE", path: "/api/customer/creditcard/" + visa},
		{method: "PUT", path: "/api/customer/creditcard/1/toggle"},
		{method: "POST", path: "/api/customer/creditcard/1/restore"},
	}
	callers := []struct {
		token  string
		status int
		code   string
		tells  string // WWW-Authenticate, of RFC 6750
	}{
		{"", 401, "UNAUTHORIZED", "Bearer"},
		{"expired", 403, "TOKEN_EXPIRED", `Bearer error="invalid_token"`},
		{"unverified", 403, "UNVERIFIED_ACCOUNT", ""},
		{"account-only", 403, "FORBIDDEN", `Bearer error="insufficient_scope", scope="cards"`},
		{"firm", 403, "FORBIDDEN", `Bearer error="insufficient_scope", scope="cards"`},
	}
	for _, c := range routes {
		for _, who := range callers {
			t.Run(c.method+" "+c.path+" as "+who.token, func(t *testing.T) {
				c.as = who.token
				a := w.do(c)
				want(t, a, who.status, who.code)
				if got := a.header.Get("WWW-Authenticate"); got != who.tells {
					t.Errorf("WWW-Authenticate is %q, want %q", got, who.tells)
				}
			})
		}
	}
}

func TestTheListIsOldestFirstWithDisabledAndWithoutDeletedCards(t *testing.T) {
	w := newWorld(t)
	want(t, w.do(call{method: "GET", path: "/api/customer/creditcard", as: "alice"}), 404, "NO_CARDS")
	if a := w.do(call{method: "GET", path: "/api/creditcards", as: "alice"}); a.status != 200 || a.body != "[]" {
		t.Fatalf("got %d %s, want 200 []", a.status, a.body)
	}
	first, second, third := w.add("alice", visa), w.add("alice", mastercard), w.add("alice", amex)
	want(t, w.toggle("alice", first.id()), 200, "")
	want(t, w.delete("alice", second.id()), 200, "")
	first.Status = "disabled"
	if got := w.list("alice"); !reflect.DeepEqual(got, []object{first, third}) {
		t.Fatalf("got %+v", got)
	}
	want(t, w.delete("alice", first.Token), 200, "")
	want(t, w.delete("alice", third.Token), 200, "")
	want(t, w.do(call{method: "GET", path: "/api/customer/creditcard", as: "alice"}), 404, "NO_CARDS")
}

func TestDeleteToggleAndRestoreFollowTheContract(t *testing.T) {
	w := newWorld(t)
	want(t, w.delete("alice", visa), 404, "CARD_NOT_FOUND")
	want(t, w.toggle("alice", visa), 404, "CARD_NOT_FOUND")
	want(t, w.restore("alice", "1"), 404, "CARD_NOT_FOUND")
	c := w.add("alice", visa)
	want(t, w.do(addCall("alice", visa)), 409, "CARD_EXISTS")

	for _, status := range []string{"disabled", "enabled"} {
		a := w.toggle("alice", visa)
		want(t, a, 200, "")
		c.Status = status
		if got := decode[object](t, a); got != c {
			t.Fatalf("toggled %+v, want %+v", got, c)
		}
	}
	a := w.delete("alice", visa)
	want(t, a, 200, "")
	if decode[struct {
		Message string `json:"message"`
	}](t, a).Message == "" {
		t.Error("no message")
	}
	want(t, w.delete("alice", visa), 409, "ALREADY_DELETED")
	want(t, w.toggle("alice", visa), 409, "CARD_DELETED")

	w.clock.Advance(10*time.Minute - time.Millisecond)
	a = w.restore("alice", c.id())
	want(t, a, 200, "")
	if got := decode[object](t, a); got != c {
		t.Fatalf("restored %+v, want %+v", got, c)
	}
	want(t, w.restore("alice", c.Token), 200, "") // asked again
	want(t, w.delete("alice", visa), 200, "")
	w.clock.Advance(10 * time.Minute)
	want(t, w.restore("alice", c.id()), 409, "ALREADY_DELETED")
}

func TestADeletedNumberMayBeAddedAgainAsANewCard(t *testing.T) {
	w := newWorld(t)
	old := w.add("alice", visa)
	want(t, w.delete("alice", visa), 200, "")
	fresh := w.add("alice", visa)
	if fresh.Token == old.Token || fresh.CreditCardID == old.CreditCardID {
		t.Error("the new card has an id of the old one")
	}
	want(t, w.restore("alice", old.Token), 409, "CARD_EXISTS")
	want(t, w.delete("alice", visa), 200, "") // the newest with it
	want(t, w.restore("alice", old.Token), 200, "")
	if got := w.list("alice"); len(got) != 1 || got[0] != old {
		t.Fatalf("list %+v, want the old card", got)
	}
	want(t, w.toggle("alice", visa), 200, "") // the one that is not deleted
	want(t, w.restore("alice", fresh.Token), 409, "CARD_EXISTS")
}

func TestAHundredCardsAreTheMost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 99 {
		w.add("alice", visa)
		want(t, w.delete("alice", visa), 200, "")
	}
	kept := w.add("alice", visa)
	want(t, w.do(addCall("alice", mastercard)), 409, "CARD_LIMIT")
	want(t, w.do(addCall("alice", visa)), 409, "CARD_EXISTS")
	w.add("bob", mastercard)
	if got := w.list("alice"); len(got) != 1 || got[0] != kept {
		t.Errorf("list %+v", got)
	}
}

func TestTheFourthDifferentCodeIsRefusedAtTheDoor(t *testing.T) {
	w := newWorld(t)
	try := func(as, code string) answer {
		return w.do(call{method: "POST", path: "/api/customer/creditcard", as: as,
			body: fmt.Sprintf(`{"cardNumber":%q,"cvv":%q,"expiryMonth":12,"expiryYear":2030}`, visa, code)})
	}
	want(t, try("alice", "001"), 201, "")
	want(t, try("alice", "002"), 409, "CARD_EXISTS")
	want(t, try("bob", "003"), 201, "") // all cardholders are counted together
	a := try("alice", "004")
	want(t, a, 429, "TOO_MANY_REQUESTS")
	if a.header.Get("Retry-After") != "900" {
		t.Errorf("Retry-After %q, want 900", a.header.Get("Retry-After"))
	}
	want(t, try("carol", "004"), 429, "TOO_MANY_REQUESTS")
	want(t, try("carol", "003"), 201, "")
	w.clock.Advance(15 * time.Minute)
	want(t, try("alice", "004"), 409, "CARD_EXISTS")
	if n := len(w.audited("card.add", "refused", "too many different codes for card ************1111")); n != 2 {
		t.Errorf("%d refusals on record, want 2", n)
	}
}

func TestPathsNameCardsInThreeForms(t *testing.T) {
	w := newWorld(t)
	c := w.add("alice", visa)
	for _, ref := range []string{visa, "4111-1111-1111-1111", "4111%201111%201111%201111", "4111%2d1111-11111111", c.id(), c.Token} {
		want(t, w.toggle("alice", ref), 200, "")
	}
	bad := []string{
		"4111111111111112", "411111111111", "41111111111111111111111", "0" + c.id(), c.id() + "-", "-" + visa, visa + "-",
		"4111.1111.1111.1111", "tok_", strings.ToUpper(c.Token), "+" + c.id(), "0x1", "%D9%A1", "abc", "00000000000", "4111%2011",
	}
	for _, ref := range bad {
		t.Run(ref, func(t *testing.T) {
			for _, a := range []answer{w.toggle("alice", ref), w.delete("alice", ref), w.restore("alice", ref)} {
				want(t, a, 404, "CARD_NOT_FOUND")
			}
		})
	}
	want(t, w.restore("alice", visa), 404, "CARD_NOT_FOUND") // a number is no name for restore
}

func TestNumbersInPathsAreMaskedInAnswersAndNeverRedirected(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{
		"/api/customer/creditcard/" + visa, "/api/customer/creditcard/" + visa + "/", "/api/customer//creditcard/" + visa,
		"/api/customer/creditcard/" + visa + "/toggle/", "/api/customer/creditcard/./" + visa, "/api/customer/creditcard/4111%201111%201111%201111",
	} {
		for _, method := range []string{"DELETE", "PUT", "GET"} {
			a := w.do(call{method: method, path: path, as: "alice"})
			if a.status < 400 || a.header.Get("Location") != "" {
				t.Errorf("%s %s: %d, Location %q", method, path, a.status, a.header.Get("Location"))
			}
			if strings.Contains(a.body, "4111") || !strings.Contains(a.body, "1111") {
				t.Errorf("%s %s answers %s", method, path, a.body)
			}
		}
	}
}

func TestTheUsernameInTheDocumentFollowsTheAccount(t *testing.T) {
	w := newWorld(t)
	steps := []struct {
		name string
		do   func(as string)
	}{
		{"johndoe", func(as string) { w.add(as, visa) }},
		{"john", func(as string) { w.add(as, mastercard) }},
		{"jd", func(as string) { want(t, w.toggle(as, visa), 200, "") }},
		{"jdoe", func(as string) { want(t, w.delete(as, visa), 200, "") }},
	}
	for _, s := range steps {
		s.do("alice@" + s.name)
		if doc := w.document("alice"); !strings.Contains(doc, `"username": "`+s.name+`"`) {
			t.Errorf("after %s: %s", s.name, doc)
		}
	}
}

func TestABodyMustBeJSON(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewRequest("POST", "/api/customer/creditcard", strings.NewReader(cardBody(visa)))
	r.Header.Set("Authorization", "Bearer alice")
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	want(t, answer{rec.Code, rec.Header(), rec.Body.String()}, 415, "UNSUPPORTED_MEDIA_TYPE")
}

func TestTheDocumentHasTheContractsShape(t *testing.T) {
	w := newWorld(t)
	c := w.add("alice@johndoe", visa)
	cards, err := w.db.Collection(t.Context(), store.Spec{Name: "CreditCard", Ordered: []string{"deletedSince"}, Expires: "expiresAt"})
	must(t, err)
	d, err := cards.Get(t.Context(), "alice")
	must(t, err)
	var doc struct {
		Username string   `bson:"username"`
		Cards    []bson.M `bson:"creditcards"`
	}
	must(t, bson.Unmarshal(d.Body, &doc))
	if doc.Username != "johndoe" || len(doc.Cards) != 1 {
		t.Fatalf("document %v", doc)
	}
	got := doc.Cards[0]
	if cvv, there := got["cvv"]; !there || cvv != nil {
		t.Errorf("cvv is %v, want null", cvv)
	}
	for name, value := range map[string]any{
		"creditCardId": c.CreditCardID, "expiryMonth": int32(12), "expiryYear": int32(2030),
		"status": "enabled", "deleted": false, "wireTransactionVendor": "Visa", "token": c.Token, "last4": "1111",
	} {
		if !reflect.DeepEqual(got[name], value) {
			t.Errorf("%s is %T %v, want %v", name, got[name], got[name], value)
		}
	}
	sealed, _ := got["creditCardNumber"].(string)
	inner, ok := strings.CutPrefix(strings.TrimSuffix(sealed, "}"), "AES256{")
	if _, err := base64.StdEncoding.DecodeString(inner); !ok || err != nil {
		t.Errorf("creditCardNumber is %q", sealed)
	}
	ring, err := keyring.Open(t.Context(), keyring.Config{Root: w.root, DB: w.db, Now: w.clock.Now})
	must(t, err)
	number, err := vault.New(vault.Config{Keys: ring}).Open(t.Context(), vault.Place{Owner: "cardholders", Record: "alice/" + c.id(), Field: "number"}, sealed)
	must(t, err)
	if string(number.Reveal()) != visa {
		t.Error("the sealed number is not the one that was added")
	}
}
