package firmcard_test

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ccms/internal/registration/firmcard"
)

// object is a card as a firm reads it.
type object struct {
	Token     string    `json:"token"`
	Mode      string    `json:"mode"`
	Status    string    `json:"status"`
	Brand     string    `json:"brand"`
	BIN       string    `json:"bin"`
	Last4     string    `json:"last4"`
	Expiry    string    `json:"expiry"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

type page struct {
	Data []object `json:"data"`
	Next *string  `json:"next_cursor"`
}

func TestACardIsShownWithoutItsNumberAndName(t *testing.T) {
	w := newWorld(t)
	c := w.put(acme, "test", visa)
	for _, as := range []string{acmeTest, acmeMember, acme + " test client_9 cards:read"} {
		got := decode[object](t, w.do(as, "GET", "/v1/cards/"+c.Token, ""))
		if got != (object{c.Token, "test", "enabled", "Visa", "411111", "1111", "12/2030", w.now(), w.now()}) {
			t.Errorf("%s: got %+v", as, got)
		}
	}
}

func TestACardIsSwitchedOffAndOn(t *testing.T) {
	w := newWorld(t)
	c := w.put(acme, "test", visa)
	for _, tt := range []struct{ as, status string }{
		{acmeTest, "disabled"}, {acmeTest, "disabled"}, {acmeMember, "enabled"}, {acmeTest, "enabled"},
	} {
		a := w.do(tt.as, "PATCH", "/v1/cards/"+c.Token, `{"status":"`+tt.status+`"}`)
		want(t, a, 200, "")
		if got := decode[object](t, a); got.Status != tt.status || got.Token != c.Token {
			t.Errorf("got %+v, want %s", got, tt.status)
		}
	}
	if d, e := len(w.audited("card.disable", "success")), len(w.audited("card.enable", "success")); d != 2 || e != 2 {
		t.Errorf("%d and %d acts on record, want 2 and 2", d, e)
	}
}

func TestAStatusThereIsNotIsRefused(t *testing.T) {
	w := newWorld(t)
	c := w.put(acme, "test", visa)
	for _, body := range []string{
		`{}`, `{"status":""}`, `{"status":"deleted"}`, `{"status":"Enabled"}`, `{"status":null}`, `{"status":1}`, `{"status":["enabled"]}`,
		`{"status":"enabled","brand":"Visa"}`, `{"Status":"enabled"}`, `{"status":"enabled","status":"disabled"}`, `[]`, ``, `"enabled"`,
	} {
		want(t, w.do(acmeTest, "PATCH", "/v1/cards/"+c.Token, body), 400, "VALIDATION_ERROR")
	}
}

func TestAnothersCardLooksLikeNone(t *testing.T) {
	w := newWorld(t)
	c, erased := w.put(acme, "test", visa), w.put(acme, "test", mastercard)
	want(t, w.do(acmeTest, "DELETE", "/v1/cards/"+erased.Token, ""), 200, "")
	same := regexp.MustCompile(`"timestamp":"[^"]*"|"path":"[^"]*"`)
	for _, as := range []string{otherTest, acmeLive, other + " - member" + all, acme + " live member" + all} {
		for _, r := range []request{
			{as, "GET", "", ""}, {as, "PATCH", "", `{"status":"disabled"}`}, {as, "DELETE", "", ""}, {as, "POST", "/reveal", `{"reason":"x"}`},
		} {
			if strings.Contains(as, "member") && r.method == "POST" {
				continue // people never see a number
			}
			var bodies []string
			for _, token := range []string{c.Token, erased.Token, "tok_aaaaaaaaaaaaaaaaaaaaaaaaaa", visa, "x"} {
				a := w.do(as, r.method, "/v1/cards/"+token+r.path, r.body)
				want(t, a, 404, "NOT_FOUND")
				bodies = append(bodies, same.ReplaceAllString(a.body, ""))
			}
			if len(slices.Compact(bodies)) != 1 {
				t.Errorf("%s as %s: the answers differ: %q", r.method, as, bodies)
			}
		}
	}
	if got := decode[object](t, w.do(acmeTest, "GET", "/v1/cards/"+c.Token, "")); got.Status != "enabled" {
		t.Errorf("the card was changed: %+v", got)
	}
}

func TestEveryRouteNeedsItsScope(t *testing.T) {
	w := newWorld(t)
	c := w.put(acme, "test", visa)
	routes := map[string][]request{
		"cards:read":   {{method: "GET", path: "/v1/cards"}, {method: "GET", path: "/v1/cards/" + c.Token}},
		"cards:reveal": {{method: "POST", path: "/v1/cards/" + c.Token + "/reveal", body: `{"reason":"x"}`}},
		"cards:manage": {
			{method: "PATCH", path: "/v1/cards/" + c.Token, body: `{"status":"enabled"}`}, {method: "DELETE", path: "/v1/cards/" + c.Token},
		},
	}
	for needed, list := range routes {
		for _, r := range list {
			for _, scope := range []string{"cards:read", "cards:reveal", "cards:manage", "cards:register"} {
				if scope != needed {
					want(t, w.do(acme+" test client_1 "+scope, r.method, r.path, r.body), 403, "FORBIDDEN")
				}
			}
			want(t, w.do("", r.method, r.path, r.body), 401, "UNAUTHORIZED")
		}
	}
	for _, needed := range []string{"cards:read", "cards:reveal", "cards:manage"} {
		for _, r := range routes[needed] {
			want(t, w.do(acme+" test client_1 "+needed, r.method, r.path, r.body), 200, "")
		}
	}
}

func TestADeletedCardIsGoneAtOnce(t *testing.T) {
	w := newWorld(t)
	c, kept := w.put(acme, "test", visa), w.put(acme, "test", mastercard)
	before := w.raw(c.Token)
	for _, part := range []string{"AES256{", "f1.", "411111", `"1111"`, "Visa"} {
		if !strings.Contains(before, part) {
			t.Errorf("%s is not in %s: the check below could not fail", part, before)
		}
	}
	w.clock.Advance(time.Minute)
	a := w.do(acmeMember, "DELETE", "/v1/cards/"+c.Token, "")
	want(t, a, 200, "")
	after := w.raw(c.Token)
	for _, part := range []string{"AES256{", "f1.", "411111", `"1111"`, "Visa", "2030"} {
		if strings.Contains(after, part) {
			t.Errorf("%s is still in %s", part, after)
		}
	}
	want(t, w.do(acmeTest, "GET", "/v1/cards/"+c.Token, ""), 404, "NOT_FOUND")
	want(t, w.do(acmeTest, "PATCH", "/v1/cards/"+c.Token, `{"status":"enabled"}`), 404, "NOT_FOUND")
	want(t, w.reveal(acmeTest, c.Token), 404, "NOT_FOUND")
	want(t, w.do(acmeTest, "DELETE", "/v1/cards/"+c.Token, ""), 409, "ALREADY_DELETED")
	want(t, w.do(otherTest, "DELETE", "/v1/cards/"+c.Token, ""), 404, "NOT_FOUND")
	if _, err := w.service.Card(t.Context(), acme, c.Token); err == nil {
		t.Error("the deleted card is there for others")
	}
	if got := decode[page](t, w.do(acmeTest, "GET", "/v1/cards", "")); len(got.Data) != 1 || got.Data[0].Token != kept.Token {
		t.Errorf("listed: %+v", got)
	}
	if lines := w.audited("card.delete", "success"); len(lines) != 1 || lines[0].Object != c.Token || lines[0].Owner != acme || lines[0].Actor != "ann" {
		t.Errorf("on record: %+v", lines)
	}
}

func TestAListGoesThroughAllCardsNewestFirst(t *testing.T) {
	w := newWorld(t)
	var tokens []string
	for i := range 7 {
		tokens = append(tokens, w.put(acme, []string{"test", "live"}[i%2], []string{visa, visa2, mastercard, amex}[i/2]).Token)
		w.clock.Advance(time.Millisecond * time.Duration(i%3)) // some at the same time
	}
	w.put(other, "test", visa)
	slices.Reverse(tokens)
	for _, limit := range []int{1, 2, 3, 7, 100} {
		var got []string
		for path := fmt.Sprintf("/v1/cards?limit=%d", limit); path != ""; {
			p := decode[page](t, w.do(acmeMember, "GET", path, ""))
			if len(p.Data) > limit {
				t.Fatalf("%d cards, want at most %d", len(p.Data), limit)
			}
			for _, c := range p.Data {
				got = append(got, c.Token)
			}
			path = ""
			if p.Next != nil {
				path = fmt.Sprintf("/v1/cards?limit=%d&cursor=%s", limit, *p.Next)
			}
		}
		slices.Sort(got)
		if wanted := slices.Sorted(slices.Values(tokens)); !slices.Equal(got, wanted) {
			t.Errorf("limit %d: got %q, want %q", limit, got, wanted)
		}
	}
	p := decode[page](t, w.do(acmeMember, "GET", "/v1/cards", ""))
	if !slices.IsSortedFunc(p.Data, func(a, b object) int { return b.CreatedAt.Compare(a.CreatedAt) }) || p.Next != nil {
		t.Errorf("got %+v", p)
	}
	for _, c := range decode[page](t, w.do(acmeLive, "GET", "/v1/cards", "")).Data {
		if c.Mode != "live" {
			t.Errorf("a live client sees %+v", c)
		}
	}
	if p := decode[page](t, w.do("firm_NEW test client_8 cards:read", "GET", "/v1/cards", "")); len(p.Data) != 0 || p.Data == nil || p.Next != nil {
		t.Errorf("a firm without cards sees %+v", p)
	}
}

func TestAListIsFiltered(t *testing.T) {
	w := newWorld(t)
	short := func(number string, month, year int) firmcard.Card {
		d := deposit(t, acme, "test", number)
		d.Expiry.Month, d.Expiry.Year = month, year
		c, err := w.service.Put(t.Context(), d)
		must(t, err)
		return c
	}
	names := map[string]string{
		short(visa, 5, 2026).Token: "visa", short(visa2, 6, 2026).Token: "visa2",
		short(mastercard, 12, 2027).Token: "mastercard", short(amex, 1, 2028).Token: "amex",
	}
	for token, name := range names {
		if name == "amex" {
			want(t, w.do(acmeTest, "PATCH", "/v1/cards/"+token, `{"status":"disabled"}`), 200, "")
		}
	}
	for _, tt := range []struct {
		filter string
		want   []string
	}{
		{"", []string{"amex", "mastercard", "visa", "visa2"}},
		{"status=disabled", []string{"amex"}},
		{"status=enabled&brand=visa", []string{"visa", "visa2"}},
		{"brand=" + url.QueryEscape("American Express"), []string{"amex"}},
		{"brand=amex", []string{"amex"}},
		{"last4=4242", []string{"visa2"}},
		{"last4=9999", nil},
		{"expiring_before=2026-06", []string{"visa"}},
		{"expiring_before=2027-12", []string{"visa", "visa2"}},
		{"expiring_before=2028-01", []string{"mastercard", "visa", "visa2"}},
	} {
		var got []string
		for _, c := range decode[page](t, w.do(acmeTest, "GET", "/v1/cards?"+tt.filter, "")).Data {
			got = append(got, names[c.Token])
		}
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.filter, got, tt.want)
		}
	}
	for _, bad := range []string{
		"status=deleted", "status=x", "brand=Nobody", "last4=42", "last4=424a", "expiring_before=05/2026", "expiring_before=2026-13",
		"limit=0", "limit=101", "limit=x", "limit=-1", "cursor=x", "cursor=%2F", "cursor=YQ", "number=1", "status=enabled&status=disabled",
		"cursor=" + strings.Repeat("YWEv", 200),
	} {
		want(t, w.do(acmeTest, "GET", "/v1/cards?"+bad, ""), 400, "VALIDATION_ERROR")
	}
}

func TestACursorShowsNothingOfAnotherFirm(t *testing.T) {
	w := newWorld(t)
	for _, n := range []string{visa, visa2, mastercard} {
		w.put(acme, "test", n)
		w.put(other, "test", n)
	}
	p := decode[page](t, w.do(acmeTest, "GET", "/v1/cards?limit=1", ""))
	want(t, w.do(otherTest, "GET", "/v1/cards?cursor="+*p.Next, ""), 400, "VALIDATION_ERROR")
}
