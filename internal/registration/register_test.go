package registration_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestARegisteredCardIsVerified(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	a := w.do(registerCall(as, visa))
	want(t, a, 201, "")
	if !regexp.MustCompile(`^\{"registration_id":"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}","status":"pending"\}$`).MatchString(a.body) {
		t.Errorf("answered %s", a.body)
	}
	id := decode[status](t, a).ID
	got := w.statusOf(as, id)
	if got.ID != id || got.Status != "verified" || got.Brand != "Visa" || got.Last4 != "1111" || got.Expiry != "12/2030" ||
		got.CVVStatus != "unchecked" || !regexp.MustCompile(`^tok_[a-z2-7]{26}$`).MatchString(got.Token) {
		t.Errorf("got %+v", got)
	}
}

func TestTheSeedsOwnSampleIsRefused(t *testing.T) {
	w := newWorld(t)
	sample := `{"card_number": "1234567812345678", "expiry_date": "12/24", "cvv": "123", "cardholder_name": "John Doe"}`
	want(t, w.do(call{method: "POST", path: "/register", as: client("firm_a", "test"), body: sample}), 400, "INVALID_CARD")
}

func TestBodiesThatAreTaken(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name, number string
		changed      []member
		brand, month string
	}{
		{"the month as MM/YY", visa, []member{{"expiry_date", `"07/31"`}}, "Visa", "07/2031"},
		{"the month as MM/YYYY", visa, []member{{"expiry_date", `"07/2031"`}}, "Visa", "07/2031"},
		{"the month as YYYY-MM", visa, []member{{"expiry_date", `"2031-07"`}}, "Visa", "07/2031"},
		{"this month", visa, []member{{"expiry_date", `"05/26"`}}, "Visa", "05/2026"},
		{"twenty years ahead", visa, []member{{"expiry_date", `"05/46"`}}, "Visa", "05/2046"},
		{"spaces in the number", "5555 5555 5555 4444", nil, "Mastercard", "12/2030"},
		{"hyphens in the number", "5555-5555-5555-4444", nil, "Mastercard", "12/2030"},
		{"fifteen digits", amex, nil, "American Express", "12/2030"},
		{"the code as an integer", visa, []member{{"cvv", `12`}}, "Visa", "12/2030"},
		{"a name of one character", visa, []member{{"cardholder_name", `"X"`}}, "Visa", "12/2030"},
		{"a name of 255 characters", visa, []member{{"cardholder_name", quote("é", 255)}}, "Visa", "12/2030"},
		{"a name of another alphabet", visa, []member{{"cardholder_name", `"山田 太郎"`}}, "Visa", "12/2030"},
		{"a reference", visa, []member{{"reference", `"order 42"`}}, "Visa", "12/2030"},
		{"a reference of 255 characters", visa, []member{{"reference", quote("ß", 255)}}, "Visa", "12/2030"},
		{"a reference that is null", visa, []member{{"reference", `null`}}, "Visa", "12/2030"},
		{"metadata", visa, []member{{"metadata", `{"a.b":"","$c":"d"}`}}, "Visa", "12/2030"},
		{"empty metadata", visa, []member{{"metadata", `{}`}}, "Visa", "12/2030"},
		{"metadata that is null", visa, []member{{"metadata", `null`}}, "Visa", "12/2030"},
		{"metadata of twenty members", visa, []member{{"metadata", metadata(20, 40, 500)}}, "Visa", "12/2030"},
		{"a long number that is no card's", visa, []member{{"reference", `"4111111111111112"`}}, "Visa", "12/2030"},
		{"a UUID for reference", visa, []member{{"reference", `"a1b2c3d4-0000-4000-8000-630400000000"`}}, "Visa", "12/2030"},
	} {
		t.Run(c.name, func(t *testing.T) {
			as := client("firm_a", "test")
			got := w.statusOf(as, w.register(as, c.number, c.changed...))
			if got.Status != "verified" || got.Brand != c.brand || got.Expiry != c.month {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// quote is a JSON string of so many times the same.
func quote(s string, times int) string { return fmt.Sprintf("%q", strings.Repeat(s, times)) }

// metadata is an object of so many members with names and values of a length.
func metadata(members, name, value int) string {
	var all []string
	for i := range members {
		key := fmt.Sprintf("%02d", i) + strings.Repeat("k", name-2)
		all = append(all, fmt.Sprintf("%q:%q", key, strings.Repeat("v", value)))
	}
	return "{" + strings.Join(all, ",") + "}"
}

// TestBadInput is every field of the body: missing, null, of the wrong type, too
// long, of the wrong alphabet. No answer and no log line may hold what was sent.
func TestBadInput(t *testing.T) {
	const canary = "Zq7canary"
	w := newWorld(t)
	as := client("firm_a", "test")
	missing, invalid := "VALIDATION_ERROR missing", "VALIDATION_ERROR"
	type row struct{ name, value, code string }
	fields := map[string][]row{
		"card_number": {
			{"is missing", "", missing}, {"is null", "null", missing}, {"is empty", `""`, "INVALID_CARD"},
			{"is an integer", visa, "INVALID_CARD"}, {"is true", "true", "INVALID_CARD"}, {"is an object", `{"n":"` + visa + `"}`, "INVALID_CARD"},
			{"is an array", `["` + visa + `"]`, "INVALID_CARD"}, {"is too short", `"41111111111"`, "INVALID_CARD"},
			{"is too long", `"41111111111111111111"`, "INVALID_CARD"}, {"fails the Luhn check", `"4111111111111112"`, "INVALID_CARD"},
			{"is of no brand", `"0000000000000000"`, "INVALID_CARD"}, {"has letters", `"4111` + canary + `11111111"`, "INVALID_CARD"},
			{"has other digits", `"４１１１１１１１１１１１１１１１"`, "INVALID_CARD"}, {"has dots", `"4111.1111.1111.1111"`, "INVALID_CARD"},
			{"is endless", quote("4", 60000), "INVALID_CARD"}, {"is live", `"` + anyNumber() + `"`, "INVALID_CARD"},
		},
		"expiry_date": {
			{"is missing", "", missing}, {"is null", "null", missing}, {"is empty", `""`, "INVALID_EXPIRY"},
			{"is an integer", "1230", "INVALID_EXPIRY"}, {"is an object", `{"month":12}`, "INVALID_EXPIRY"},
			{"has no such month", `"13/30"`, "INVALID_EXPIRY"}, {"has month zero", `"00/30"`, "INVALID_EXPIRY"},
			{"has passed", `"12/24"`, "INVALID_EXPIRY"}, {"passed last month", `"04/26"`, "INVALID_EXPIRY"},
			{"is too far ahead", `"06/46"`, "INVALID_EXPIRY"}, {"has another form", `"12-30"`, "INVALID_EXPIRY"},
			{"has a day", `"2030-12-01"`, "INVALID_EXPIRY"}, {"has other digits", `"１２/３０"`, "INVALID_EXPIRY"},
			{"is a word", `"` + canary + `"`, "INVALID_EXPIRY"}, {"is endless", quote("9", 60000), "INVALID_EXPIRY"},
		},
		"cvv": {
			{"is missing", "", missing}, {"is null", "null", missing}, {"is empty", `""`, "INVALID_CVV"},
			{"is too short", `"12"`, "INVALID_CVV"}, {"is too long", `"1234"`, "INVALID_CVV"}, {"has a letter", `"12x"`, "INVALID_CVV"},
			{"has other digits", `"１２３"`, "INVALID_CVV"}, {"is negative", "-12", "INVALID_CVV"}, {"is no integer", "12.0", "INVALID_CVV"},
			{"is an object", `{"c":"123"}`, "INVALID_CVV"}, {"is true", "true", "INVALID_CVV"},
			{"is a word", `"` + canary + `"`, "INVALID_CVV"}, {"is endless", quote("1", 60000), "INVALID_CVV"},
		},
		"cardholder_name": {
			{"is missing", "", missing}, {"is null", "null", missing}, {"is empty", `""`, invalid}, {"is blank", `"  "`, invalid},
			{"is an integer", "5", invalid}, {"is an array", `["` + canary + `"]`, invalid}, {"is too long", quote("é", 256), invalid},
			{"has a line", `"` + canary + `\n"`, ""}, {"has a line in it", `"` + canary + `\nDoe"`, invalid}, {"has a NUL", `"` + canary + `\u0000Doe"`, invalid},
			{"has a line separator", `"` + canary + `\u2028Doe"`, invalid},
			{"holds a number", `"John ` + visa + `"`, invalid}, {"holds a number in its groups", `"4111 1111 1111 1111 Doe"`, invalid},
			{"holds Amex in its groups", `"3782-822463-10005"`, invalid},
		},
		"reference": {
			{"is empty", `""`, invalid}, {"is an integer", "7", invalid}, {"is too long", quote("r", 256), invalid},
			{"is an object", `{"a":"` + canary + `"}`, invalid}, {"has a tab", `"` + canary + `\t"`, invalid}, {"holds a number", `"x` + mastercard + `x"`, invalid},
		},
		"metadata": {
			{"is a text", `"` + canary + `"`, invalid}, {"is an array", `[]`, invalid}, {"has too many members", metadata(21, 4, 1), invalid},
			{"has a value that is no text", `{"a":1}`, invalid}, {"has a value that is null", `{"a":null}`, invalid},
			{"is nested", `{"a":{"b":"` + canary + `"}}`, invalid}, {"has an empty name", `{"":"a"}`, invalid},
			{"has a long name", metadata(1, 41, 1), invalid}, {"has a long value", metadata(1, 4, 501), invalid},
			{"has a name with a NUL", `{"a\u0000":"a"}`, invalid}, {"has a value with a NUL", `{"a":"\u0000"}`, invalid},
			{"holds a number", `{"a":"` + visa + `"}`, invalid}, {"has a number for a name", `{"` + visa + `":"a"}`, invalid},
			{"repeats a name", `{"a":"1","a":"2"}`, invalid},
		},
	}
	for field, rows := range fields {
		for _, c := range rows {
			t.Run(field+" "+c.name, func(t *testing.T) {
				a := w.do(registerCall(as, visa, member{field, c.value}))
				if c.code == "" {
					want(t, a, 201, "")
					return
				}
				want(t, a, 400, c.code)
				w.secretive(t, a, visa, mastercard, canary)
			})
		}
	}
}

// secretive would fail if an answer or a log line held one of the words.
func (w *world) secretive(t *testing.T, a answer, words ...string) {
	t.Helper()
	for _, word := range words {
		if strings.Contains(a.body, word) || strings.Contains(w.logged.String(), word) {
			t.Errorf("%q came back in %s or in the log", word, a.body)
		}
	}
}

func TestBodiesOfAnotherShape(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	for _, c := range []struct {
		name, body, media string
		status            int
		code              string
	}{
		{"no body", "", "application/json", 400, "VALIDATION_ERROR"},
		{"no JSON", "card_number=" + visa, "application/json", 400, "VALIDATION_ERROR"},
		{"an array", "[" + cardBody(visa) + "]", "application/json", 400, "VALIDATION_ERROR"},
		{"two objects", cardBody(visa) + cardBody(visa), "application/json", 400, "VALIDATION_ERROR"},
		{"an unknown member", cardBody(visa, member{"token", `"x"`}), "application/json", 400, "VALIDATION_ERROR"},
		{"a member in other letters", cardBody(visa, member{"CVV", `"123"`}), "application/json", 400, "VALIDATION_ERROR"},
		{"a member twice", strings.Replace(cardBody(visa), "{", `{"cvv":"123",`, 1), "application/json", 400, "VALIDATION_ERROR"},
		{"bytes that are no UTF-8", cardBody(visa, member{"cardholder_name", "\"\xff\""}), "application/json", 400, "VALIDATION_ERROR"},
		{"nothing of it", "{}", "application/json", 400, "VALIDATION_ERROR missing"},
		{"a form", cardBody(visa), "application/x-www-form-urlencoded", 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"too much", cardBody(visa, member{"reference", quote("x", 70000)}), "application/json", 413, "PAYLOAD_TOO_LARGE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.do(call{method: "POST", path: "/register", as: as, body: c.body, media: c.media})
			want(t, a, c.status, c.code)
			w.secretive(t, a, visa)
		})
	}
}

func TestTestAndLiveTakeEachTheirOwnNumbers(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		mode, number string
		status       int
	}{
		{"test", visa, 201}, {"test", anyNumber(), 400}, {"live", anyNumber(), 201}, {"live", visa, 400}, {"live", amex, 400},
	} {
		a := w.do(registerCall(client("firm_a", c.mode), c.number))
		if a.status != c.status {
			t.Errorf("%s client: got %d %s, want %d", c.mode, a.status, a.body, c.status)
		}
		if c.status == 400 {
			want(t, a, 400, "INVALID_CARD")
		}
	}
}

func TestAMemberSaysInWhichModeHeRegisters(t *testing.T) {
	w := newWorld(t)
	c := registerCall("member admin@firm_a", visa)
	c.firm = "firm_a"
	want(t, w.do(c), 400, "VALIDATION_ERROR")
	c.mode = "test"
	a := w.do(c)
	want(t, a, 201, "")
	id := decode[status](t, a).ID
	if got := w.do(call{method: "GET", path: "/status/" + id, as: c.as, firm: c.firm}); got.status != 200 {
		t.Errorf("both modes: %d %s", got.status, got.body)
	}
	live := w.do(call{method: "GET", path: "/status/" + id, as: c.as, firm: c.firm, mode: "live"})
	want(t, live, 404, "NOT_FOUND")
}

func TestStatus(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	id := w.register(as, visa, member{"expiry_date", `"06/26"`})
	get := func(as, path string) answer { return w.do(call{method: "GET", path: path, as: as}) }

	for _, path := range []string{"/status/" + id, "/status/" + strings.ToUpper(id), "/status?registration_id=" + id} {
		if a := get(as, path); a.status != 200 || decode[status](t, a).ID != id {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	unknown := "0190a3b4-0000-7000-8000-0190a3b40000"
	for name, c := range map[string][2]string{
		"an unknown id":            {as, "/status/" + unknown},
		"an unknown id in a query": {as, "/status?registration_id=" + unknown},
		"another firm's":           {client("firm_b", "test"), "/status/" + id},
		"the other mode's":         {client("firm_a", "live"), "/status/" + id},
		"a word":                   {as, "/status/word"},
		"a card number":            {as, "/status/" + visa},
		"an id without hyphens":    {as, "/status/" + strings.ReplaceAll(id, "-", "")},
		"the firm before it":       {as, "/status/firm_a%2Ftest%2F" + id},
	} {
		t.Run(name, func(t *testing.T) { want(t, get(c[0], c[1]), 404, "NOT_FOUND") })
	}
	want(t, get(as, "/status"), 400, "VALIDATION_ERROR")

	w.clock.Advance(70 * 24 * time.Hour) // into July
	if got := w.statusOf(as, id); got.Status != "expired" || got.Token == "" || got.Expiry != "06/2026" {
		t.Errorf("past its month it is %+v", got)
	}
	want(t, w.do(call{method: "DELETE", path: "/v1/registrations/" + id, as: as}), 200, "")
	want(t, get(as, "/status/"+id), 404, "NOT_FOUND")
	want(t, w.do(call{method: "DELETE", path: "/v1/registrations/" + id, as: as}), 404, "NOT_FOUND")
}

func TestTheSameCardKeepsItsToken(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	first, second := w.register(as, visa), w.register(as, visa, member{"reference", `"again"`})
	if first == second {
		t.Error("two registrations have one id")
	}
	a, b := w.statusOf(as, first), w.statusOf(as, second)
	if a.Token != b.Token {
		t.Errorf("tokens %s and %s", a.Token, b.Token)
	}
	want(t, w.do(call{method: "DELETE", path: "/v1/registrations/" + first, as: as}), 200, "")
	if got := w.statusOf(as, second); got.Token != a.Token {
		t.Errorf("when the first was deleted, the second has %+v", got)
	}
	if third := w.statusOf(as, w.register(as, visa)); third.Token != a.Token {
		t.Error("a card whose registration was deleted lost its token")
	}
}

func TestTheFourthCodeForACardIsRefused(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	for i := range 3 {
		w.register(as, visa, member{"cvv", fmt.Sprintf("%q", fmt.Sprint(100+i))})
	}
	fourth := registerCall(as, visa, member{"cvv", `"103"`})
	fourth.key = "k" // at the door, before the key is looked at
	a := w.do(fourth)
	want(t, a, 429, "TOO_MANY_REQUESTS")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.register(as, visa, member{"cvv", `"102"`})
	w.register(client("firm_b", "test"), visa, member{"cvv", `"103"`}) // counted by firm
	if got := w.acts(t, "registration.create", "refused"); len(got) != 1 || got[0].Owner != "firm_a" || !strings.Contains(got[0].Reason, "************1111") {
		t.Errorf("recorded %+v", got)
	}
	w.clock.Advance(15 * time.Minute)
	want(t, w.do(fourth), 201, "")
}
