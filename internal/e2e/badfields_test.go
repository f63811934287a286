package e2e

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// form is a body that is good, and its members.
type form struct {
	method, url string
	header      []string
	good        string
	fields      []field
}

// field is a member of a body, by its dotted path. Its kind says which values
// are bad, codes which errors they may get beside VALIDATION_ERROR.
type field struct {
	path, kind string
	required   bool
	codes      []string
}

// canary is in every bad value, and must be in no answer and no log line.
type canary struct{ word, digits string }

func newCanary() canary {
	text := strings.ToLower(rand.Text())
	digits := strings.Map(func(r rune) rune { return '1' + r%9 }, text[:9])
	return canary{"kanarie" + text, digits}
}

// values are the bad values for a kind, as JSON, by what is wrong with them.
func (c canary) values(kind string) map[string]string {
	quoted := func(text string) string { return `"` + text + `"` }
	object, array := `{"`+c.word+`":`+c.digits+`}`, `["`+c.word+`",`+c.digits+`]`
	all := map[string]string{"an object": object, "NUL": quoted(c.word + `\u0000`), "half a surrogate": quoted(c.word + `\ud83d`), "too long": quoted(strings.Repeat(c.word, 100))}
	switch kind {
	case "text", "name":
		maps.Copy(all, map[string]string{"a number": c.digits, "an array": array, "true": "true"})
		if kind == "name" {
			all["empty"] = `""`
		}
	case "word", "digits", "choice":
		maps.Copy(all, map[string]string{"a number": c.digits, "an array": array, "true": "true", "empty": `""`, "a word": quoted(c.word), "an emoji": quoted("💳" + c.word),
			"right to left": quoted(`\u202e` + c.word), "Arabic digits": quoted("٤١١١" + c.word), "a newline": quoted(c.word + `\r\nX: y`), "markup": quoted("<b>" + c.word)})
		if kind == "choice" { // which may be left out
			delete(all, "empty")
		}
	case "list of words":
		maps.Copy(all, map[string]string{"a number": c.digits, "a word": quoted(c.word), "words nobody knows": quotedList(c.word), "numbers": "[" + c.digits + "]", "nulls": "[null]", "lists": "[" + array + "]", "many": quotedList(slices.Repeat([]string{c.word}, 100)...)})
	case "object":
		maps.Copy(all, map[string]string{"a number": c.digits, "an array": array, "a word": quoted(c.word)})
	case "bool":
		maps.Copy(all, map[string]string{"a number": c.digits, "an array": array, "a word": quoted(c.word)})
	case "integer":
		maps.Copy(all, map[string]string{"an array": array, "a word": quoted(c.word), "a text": quoted(c.digits), "a fraction": "0." + c.digits, "below zero": "-" + c.digits, "huge": strings.Repeat(c.digits, 3), "true": "true"})
	}
	return all
}

func quotedList(words ...string) string {
	b, _ := json.Marshal(words)
	return string(b)
}

// with is the body with another value at the path, or without it when value is
// "".
func (f form) with(t *testing.T, path, value string) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(f.good), &all); err != nil {
		t.Fatalf("%s %s: %v", f.method, f.url, err)
	}
	at, names := all, strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		at = at[name].(map[string]any)
	}
	last := names[len(names)-1]
	if delete(at, last); value == "" {
		return encode(t, all)
	}
	at[last] = "PLACE"
	return strings.Replace(encode(t, all), `"PLACE"`, value, 1)
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// forms are the bodies of the firms' routes.
func (w *world) forms() []form {
	all, firm := w.all.auth(), w.Login+"/api/firms/"+w.objects["firm"]
	owner, hook := w.owner.auth(), w.CreditCard+"/v1/webhooks/"+w.objects["webhook"]
	member := append(w.owner.auth(), "CCMS-Firm", w.objects["firm"], "CCMS-Mode", "test")
	text, number := field{path: "reference", kind: "text"}, []string{"INVALID_CARD"}
	client := []field{{path: "name", kind: "name"}, {path: "scopes", kind: "list of words"}, {path: "keys", kind: "object"},
		{path: "accept_token_url", kind: "bool"}, {path: "return_urls", kind: "list of words"}, {path: "origins", kind: "list of words"}}
	return []form{
		{"POST", w.CreditCard + "/register", all, `{"card_number":"4111111111111111","expiry_date":"12/35","cvv":"123","cardholder_name":"Ann","reference":"r","metadata":{"k":"v"}}`, []field{
			{"card_number", "digits", true, number}, {"expiry_date", "digits", true, []string{"INVALID_EXPIRY"}}, {"cvv", "digits", true, []string{"INVALID_CVV"}},
			{path: "cardholder_name", kind: "name", required: true}, text, {path: "metadata", kind: "object"}, {path: "metadata.k", kind: "text"}}},
		{"PATCH", w.CreditCard + "/v1/cards/" + w.objects["token"], all, `{"status":"enabled"}`, []field{{path: "status", kind: "word", required: true}}},
		{"POST", w.CreditCard + "/v1/cards/" + w.objects["token"] + "/reveal", all, `{"reason":"chargeback"}`, []field{{path: "reason", kind: "name", required: true}}},
		{"POST", w.CreditCard + "/v1/links", member, `{"mode":"link","reference":"r","expires_in":60,"client_id":"` + w.all.id + `"}`, []field{
			{path: "mode", kind: "word", required: true}, text, {path: "expires_in", kind: "integer"}, {path: "client_id", kind: "word", required: true}}},
		{"POST", w.CreditCard + "/v1/links", all, `{"mode":"redirect","return_url":"https://shop.example.com/back"}`, []field{{path: "return_url", kind: "word", required: true}}},
		{"POST", w.CreditCard + "/v1/links", all, `{"mode":"embed","origin":"https://shop.example.com"}`, []field{{path: "origin", kind: "word", required: true}}},
		{"PUT", w.CreditCard + "/v1/settings", all, `{"verification":{"brands":["Visa","Mastercard"],"bin_allow":["411111","555555"],"bin_deny":["511111"],"velocity":"flag","bin_walk":"flag"}}`, []field{
			{path: "verification", kind: "object", required: true}, {path: "verification.brands", kind: "list of words"}, {path: "verification.bin_allow", kind: "list of words"},
			{path: "verification.bin_deny", kind: "list of words"}, {path: "verification.velocity", kind: "choice"}, {path: "verification.bin_walk", kind: "choice"}, {path: "verification.endpoint", kind: "object"}}},
		{"POST", w.CreditCard + "/v1/webhooks", all, `{"url":"https://hooks.acme.invalid/2","events":["registration.verified"]}`, []field{
			{path: "url", kind: "word", required: true}, {path: "events", kind: "list of words"}}},
		{"PATCH", hook, all, `{"url":"https://hooks.acme.invalid/3","events":["registration.verified"],"status":"enabled"}`, []field{
			{path: "url", kind: "word"}, {path: "events", kind: "list of words"}, {path: "status", kind: "word"}}},
		{"POST", hook + "/rotate", all, `{"expires_in":60}`, []field{{path: "expires_in", kind: "integer"}}},
		{"POST", hook + "/replay", all, `{"since":"2026-01-01T00:00:00Z"}`, []field{{path: "since", kind: "word", required: true}}},
		{"POST", w.Login + "/api/firms", w.operator.auth(), `{"name":"Third Ltd","owner":"third@example.com"}`, []field{{path: "name", kind: "name", required: true}, {path: "owner", kind: "text"}}},
		{"PUT", firm, owner, `{"name":"Acme Ltd"}`, []field{{path: "name", kind: "name", required: true}}},
		{"POST", firm + "/members", owner, `{"email":"fred@example.com","role":"viewer"}`, []field{{path: "email", kind: "word", required: true}, {path: "role", kind: "word", required: true}}},
		{"PATCH", firm + "/members/" + w.objects["member"], owner, `{"role":"viewer"}`, []field{{path: "role", kind: "word", required: true}}},
		{"POST", firm + "/clients", owner, `{"name":"till","mode":"test","scopes":["cards:read"],"keys":null,"accept_token_url":true,"return_urls":[],"origins":[]}`, append(client, field{path: "mode", kind: "choice"})},
		{"PATCH", firm + "/clients/" + w.live.id, owner, `{"name":"till","scopes":` + quotedList(strings.Split(allScopes, ",")...) + `,"accept_token_url":true,"return_urls":[],"origins":[]}`, client},
		{"POST", firm + "/clients/" + w.live.id + "/rotate", owner, `{"overlap":3600}`, []field{{path: "overlap", kind: "integer"}}},
	}
}

func TestWhatIsNoGoodIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "--reveal.per-hour", "100000")
	t.Run("because of a field", w.refusesBadFields)
	t.Run("because it is gone or of others", w.refusesWhatIsGone)
	t.Run("because it expired", w.refusesWhatExpired)
}

// refusesBadFields gives each member of each body of the
// firms' routes every bad value. It would fail if one were taken, if its error
// had another shape or code, or if the value were in the answer or the log.
func (w *world) refusesBadFields(t *testing.T) {
	c, sent := newCanary(), 0
	refused := func(what string, f form, body string, codes ...string) {
		t.Helper()
		sent++
		what += ": " + f.method + " " + f.url
		status, answer, err := w.c.send(f.method, f.url, body, f.header...)
		if err != nil || status != http.StatusBadRequest {
			t.Errorf("%s: %d %s %v", what, status, answer, err)
			return
		}
		if code := checkShape(t, what, answer); code != "VALIDATION_ERROR" && !slices.Contains(codes, code) {
			t.Errorf("%s: %s", what, code)
		}
		w.untold(t, what, c, answer)
	}
	for _, f := range w.forms() {
		status, answer, err := w.c.send(f.method, f.url, f.good, f.header...)
		if err != nil || status >= 300 {
			t.Errorf("%s %s: the good body gets %d %s %v", f.method, f.url, status, answer, err)
		}
		refused("unknown member", f, strings.Replace(f.good, "{", `{"`+c.word+`":1,`, 1))
		for _, of := range f.fields {
			if of.required {
				refused("no "+of.path, f, f.with(t, of.path, ""), of.codes...)
				refused("null "+of.path, f, f.with(t, of.path, "null"), of.codes...)
			}
			for what, value := range c.values(of.kind) {
				refused(of.path+" is "+what, f, f.with(t, of.path, value), of.codes...)
			}
			body := f.with(t, of.path, `"`+c.word+`"`)
			refused("twice "+of.path, f, strings.Replace(body, `:"`+c.word+`"`, `:"`+c.word+`","`+last(of.path)+`":"`+c.word+`"`, 1))
		}
	}
	w.untold(t, "log", c, []byte(w.output.String()))
	t.Logf("%d requests", sent)
}

func last(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// untold checks that nothing of the canary is in a text.
func (w *world) untold(t *testing.T, what string, c canary, text []byte) {
	t.Helper()
	for _, value := range []string{c.word, c.digits} {
		if at := bytes.Index(text, []byte(value)); at >= 0 {
			t.Errorf("%s tells the value: …%s…", what, around(text, at))
		}
	}
}

// TestBadLinesOfABulkAreRefusedOneByOne does the same for the lines of a bulk.
func TestBadLinesOfABulkAreRefusedOneByOne(t *testing.T) {
	t.Parallel()
	p, h, c := start(t), newClient(t), newCanary()
	w := world{process: p, c: h, all: newFirm(t, h, p)}
	f := w.forms()[0]
	var body strings.Builder
	var what []string
	line := func(name, text string) { what = append(what, name); body.WriteString(text + "\n") }
	for _, of := range f.fields {
		for name, value := range c.values(of.kind) {
			line(of.path+" is "+name, f.with(t, of.path, value))
		}
		if of.required {
			line("no "+of.path, f.with(t, of.path, ""))
		}
	}
	line("unknown member", `{"`+c.word+`":1}`)
	line("an array", `["`+c.word+`"]`)
	line("half", `{"card_number":"`+c.word)
	line("good", f.good)
	status, answer, err := w.c.send("POST", w.CreditCard+"/v1/registrations/bulk", body.String(), append(w.all.auth(), "Content-Type", "application/x-ndjson")...)
	if err != nil || status != 200 {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	lines := strings.Split(strings.TrimSpace(string(answer)), "\n")
	if len(lines) != len(what) {
		t.Fatalf("%d answers to %d lines: %s", len(lines), len(what), answer)
	}
	for i, text := range lines {
		want := 400
		if what[i] == "good" {
			want = 201
		}
		if !strings.Contains(text, fmt.Sprintf(`"line":%d,"code":%d,`, i+1, want)) {
			t.Errorf("%s: %s", what[i], text)
		}
	}
	w.untold(t, "answer", c, answer)
	w.untold(t, "log", c, []byte(w.output.String()))
}

// pathShape is what an error repeats of the request.
var pathShape = regexp.MustCompile(`"path":"[^"]*"`)

// call is a request and the error it gets.
type call struct {
	what, method, url string
	in                any
	header            []string
	status            int
	code              string
}

func (w *world) expect(t *testing.T, c canary, calls []call) {
	t.Helper()
	for _, q := range calls {
		status, answer, err := w.c.send(q.method, q.url, q.in, q.header...)
		if err != nil || status != q.status {
			t.Errorf("%s: %d %s %v, want %d", q.what, status, answer, err, q.status)
			continue
		}
		if code := checkShape(t, q.what, answer); code != q.code {
			t.Errorf("%s: %s, want %s", q.what, code, q.code)
		}
		w.untold(t, q.what, c, pathShape.ReplaceAll(answer, nil))
	}
	w.untold(t, "log", c, []byte(w.output.String()))
}

// refusesWhatIsGone names objects of another firm, deleted ones and those of
// another kind, and repeats keys with other bodies.
func (w *world) refusesWhatIsGone(t *testing.T) {
	c := newCanary()
	all, owner := w.all.auth(), w.owner.auth()
	member := append(w.owner.auth(), "CCMS-Firm", w.objects["firm"], "CCMS-Mode", "test")
	firm, cards, registrations := w.Login+"/api/firms/"+w.objects["firm"], w.CreditCard+"/v1/cards/", w.CreditCard+"/v1/registrations"
	id, token := register(t, w.c, w.process, w.all, newRegistration("5555555555554444", "123", "Ann"))
	w.c.must(t, 200, "DELETE", registrations+"/"+id, nil, nil, all...)
	w.c.must(t, 200, "DELETE", cards+token, nil, nil, all...)
	w.c.must(t, 200, "DELETE", firm+"/members/"+w.objects["member"], nil, nil, owner...)
	theirID, theirs := register(t, w.c, w.process, w.other, newRegistration("5555555555554444", "123", "Ann"))
	key := []string{"Idempotency-Key", "key of " + w.all.id}
	w.c.must(t, 201, "POST", w.CreditCard+"/register", newRegistration("4111111111111111", "123", "Ann"), nil, append(all, key...)...)
	w.c.must(t, 201, "POST", firm+"/members", `{"email":"fred@example.com","role":"viewer"}`, nil, append(owner, key...)...)
	link := func(client string) string { return `{"mode":"link","client_id":"` + client + `"}` }
	calls := []call{
		{"a deleted registration", "GET", w.CreditCard + "/status/" + id, nil, all, 404, "NOT_FOUND"},
		{"a deleted registration again", "DELETE", registrations + "/" + id, nil, all, 404, "NOT_FOUND"},
		{"another firm's registration", "GET", w.CreditCard + "/status/" + theirID, nil, all, 404, "NOT_FOUND"},
		{"another firm's registration to delete", "DELETE", registrations + "/" + theirID, nil, all, 404, "NOT_FOUND"},
		{"a deleted card", "GET", cards + token, nil, all, 404, "NOT_FOUND"},
		{"a deleted card to switch", "PATCH", cards + token, `{"status":"disabled"}`, all, 404, "NOT_FOUND"},
		{"a deleted card to reveal", "POST", cards + token + "/reveal", `{"reason":"x"}`, all, 404, "NOT_FOUND"},
		{"a deleted card again", "DELETE", cards + token, nil, all, 409, "ALREADY_DELETED"},
		{"another firm's card", "GET", cards + theirs, nil, all, 404, "NOT_FOUND"},
		{"another firm's card to reveal", "POST", cards + theirs + "/reveal", `{"reason":"x"}`, all, 404, "NOT_FOUND"},
		{"another firm's card to delete", "DELETE", cards + theirs, nil, all, 404, "NOT_FOUND"},
		{"a registration for a card", "GET", cards + w.objects["registration"], nil, all, 404, "NOT_FOUND"},
		{"a number for a token", "GET", cards + acmesCard, nil, all, 404, "NOT_FOUND"},
		{"a client of another firm", "POST", w.CreditCard + "/v1/links", link(w.other.id), member, 400, "VALIDATION_ERROR"},
		{"a revoked client", "POST", w.CreditCard + "/v1/links", link(w.revoked.id), member, 400, "VALIDATION_ERROR"},
		{"a client that is not there", "POST", w.CreditCard + "/v1/links", link("client_" + c.word), member, 400, "VALIDATION_ERROR"},
		{"a link that is not there", "DELETE", w.CreditCard + "/v1/links/link_" + strings.Repeat("a", 26), nil, all, 404, "NOT_FOUND"},
		{"another firm's client", "GET", firm + "/clients/" + w.other.id, nil, owner, 404, "NOT_FOUND"},
		{"another firm's client to rotate", "POST", firm + "/clients/" + w.other.id + "/rotate", "{}", owner, 404, "NOT_FOUND"},
		{"a revoked client to rotate", "POST", firm + "/clients/" + w.revoked.id + "/rotate", "{}", owner, 400, "VALIDATION_ERROR"},
		{"a member who went", "PATCH", firm + "/members/" + w.objects["member"], `{"role":"admin"}`, owner, 404, "NOT_FOUND"},
		{"the firm of one who went", "GET", firm, nil, w.viewer.auth(), 404, "NOT_FOUND"},
		{"a firm that is not there", "GET", w.Login + "/api/firms/firm_" + strings.Repeat("A", 26), nil, owner, 404, "NOT_FOUND"},
		{"a key with another card", "POST", w.CreditCard + "/register", newRegistration("5555555555554444", "123", "Ann"), append(all, key...), 422, "IDEMPOTENCY_MISMATCH"},
		{"a key with another name", "POST", w.CreditCard + "/register", newRegistration("4111111111111111", "123", c.word), append(all, key...), 422, "IDEMPOTENCY_MISMATCH"},
		{"a key with another person", "POST", firm + "/members", `{"email":"` + c.word + `@example.com","role":"viewer"}`, append(owner, key...), 422, "IDEMPOTENCY_MISMATCH"},
		{"a key that is too long", "POST", w.CreditCard + "/register", newRegistration("4111111111111111", "123", "Ann"), append(all, "Idempotency-Key", strings.Repeat(c.word, 20)), 400, "VALIDATION_ERROR"},
		{"a key that is no ASCII", "POST", w.CreditCard + "/register", newRegistration("4111111111111111", "123", "Ann"), append(all, "Idempotency-Key", "💳"+c.word), 400, "VALIDATION_ERROR"},
		{"a live number in test", "POST", w.CreditCard + "/register", newRegistration(randomCard(t), "123", "Ann"), all, 400, "INVALID_CARD"},
		{"a test number in live", "POST", w.CreditCard + "/register", newRegistration("4111111111111111", "123", "Ann"), w.live.auth(), 400, "INVALID_CARD"},
		{"a member who names no mode", "POST", w.CreditCard + "/register", newRegistration("4111111111111111", "123", "Ann"), member[:4], 400, "VALIDATION_ERROR"},
		{"a mode there is not", "GET", registrations, nil, append(member[:4:4], "CCMS-Mode", c.word), 400, "VALIDATION_ERROR"},
		{"the seed's own sample", "POST", w.CreditCard + "/register", `{"card_number":"1234567812345678","expiry_date":"12/24","cvv":"123","cardholder_name":"John Doe"}`, all, 400, "INVALID_CARD"},
		{"a number in a name", "POST", w.CreditCard + "/register", newRegistration("4111111111111111", "123", "Ann 4111 1111 1111 1111"), all, 400, "VALIDATION_ERROR"},
		{"a number in a reason", "POST", cards + w.objects["token"] + "/reveal", `{"reason":"4111111111111111"}`, all, 400, "VALIDATION_ERROR"},
	}
	for _, parameter := range []string{"limit", "cursor", "status", "last4", "from", "to", "mode", c.word} {
		calls = append(calls, call{"a bad " + parameter, "GET", registrations + "?" + parameter + "=" + c.word, nil, all, 400, "VALIDATION_ERROR"})
	}
	for _, parameter := range []string{"from", "to", "format", "group", "mode", c.word} {
		calls = append(calls, call{"a bad " + parameter, "GET", w.CreditCard + "/v1/reports/registrations?" + parameter + "=" + c.word, nil, all, 400, "VALIDATION_ERROR"})
	}
	for _, parameter := range []string{"limit", "cursor", "status", "last4", "expiring_before", c.word} {
		calls = append(calls, call{"a bad " + parameter, "GET", w.CreditCard + "/v1/cards?" + parameter + "=" + c.word, nil, all, 400, "VALIDATION_ERROR"})
	}
	w.expect(t, c, calls)
}

// refusesWhatExpired restarts the product with tokens that expire at once:
// authentic, but of no use (contract section 3.2).
func (w *world) refusesWhatExpired(t *testing.T) {
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	p, err := up(w.dir, "--login.token-ttl", "1ms")
	if err != nil {
		t.Fatal(err)
	}
	*w.process = *p // for who stops it
	w.owner.token = logIn(t, w.c, p, w.owner)
	member := append(w.owner.auth(), "CCMS-Firm", w.objects["firm"], "CCMS-Mode", "test")
	var calls []call
	for route, r := range rules {
		if r.needs != "nothing" && r.needs != "proof" && route != "POST /api/customer/logout" {
			method, path, _ := strings.Cut(route, " ")
			path, _, _ = strings.Cut(path, " ")
			calls = append(calls, call{route, method, r.url(w, path), nil, member, 403, "TOKEN_EXPIRED"})
		}
	}
	w.expect(t, newCanary(), calls)
}

// TestABadFormIsRefusedAsOAuthSays gives the OAuth endpoints what is wrong in
// the ways RFC 6749 section 5.2 names, and what it forbids to repeat.
func TestABadFormIsRefusedAsOAuthSays(t *testing.T) {
	t.Parallel()
	p, http := start(t), newClient(t)
	c, m, w := newCanary(), newFirm(t, http, p), world{process: p, c: http}
	who := "client_id=" + m.id + "&client_secret=" + url.QueryEscape(m.secret)
	const grant = "grant_type=client_credentials"
	for _, q := range []struct {
		what, path, body string
		status           int
		code             string
	}{
		{"nothing", "token", "", 400, "invalid_request"},
		{"no grant", "token", who, 400, "invalid_request"},
		{"another grant", "token", who + "&grant_type=" + c.word, 400, "unsupported_grant_type"},
		{"the grant twice", "token", who + "&" + grant + "&" + grant, 400, "invalid_request"},
		{"another scope", "token", who + "&" + grant + "&scope=" + c.word, 400, "invalid_scope"},
		{"a scope the client lacks", "token", who + "&" + grant + "&scope=cards:reveal", 400, "invalid_scope"},
		{"an operators' scope", "token", who + "&" + grant + "&scope=actuator:read", 400, "invalid_scope"},
		{"another client", "token", grant + "&client_id=client_" + c.word + "&client_secret=" + c.word, 401, "invalid_client"},
		{"another secret", "token", grant + "&client_id=" + m.id + "&client_secret=" + c.word, 401, "invalid_client"},
		{"the secret twice", "token", who + "&" + grant + "&client_secret=" + c.word, 400, "invalid_request"},
		{"an assertion that is none", "token", grant + "&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion=" + c.word, 401, "invalid_client"},
		{"half an escape", "token", who + "&" + grant + "&scope=" + c.word + "%", 400, "invalid_request"},
		{"too much", "token", who + "&" + grant + "&x=" + strings.Repeat(c.word, 1000), 413, "invalid_request"},
		{"no token", "introspect", who, 400, "invalid_request"},
		{"nobody's question", "introspect", "token=" + c.word, 401, "invalid_client"},
		{"no token to revoke", "revoke", who, 400, "invalid_request"},
	} {
		status, answer, err := http.send("POST", p.Login+"/oauth2/"+q.path, q.body, "Content-Type", "application/x-www-form-urlencoded")
		var object map[string]jsontext.Value
		if err != nil || status != q.status || json.Unmarshal(answer, &object) != nil || string(object["error"]) != `"`+q.code+`"` {
			t.Errorf("%s: %d %s %v, want %d %s", q.what, status, answer, err, q.status, q.code)
		}
		w.untold(t, q.what, c, answer)
	}
	w.untold(t, "log", c, []byte(p.output.String()))
}
