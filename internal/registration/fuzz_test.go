package registration

import (
	"bytes"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"golang.org/x/text/unicode/norm"

	"ccms/internal/card"
	"ccms/internal/problem"
)

// FuzzRead would fail if a body crashed the parser, got a refusal of no kind, or
// brought in what must not come in.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"card_number":"4111111111111111","expiry_date":"12/30","cvv":"123","cardholder_name":"John Doe"}`))
	f.Add([]byte(`{"card_number":"3782 822463 10005","expiry_date":"2030-12","cvv":1234,"cardholder_name":"Jose\u0301","reference":"r","metadata":{"a":"b"}}`))
	f.Add([]byte(`{"card_number":null,"expiry_date":5,"cvv":{},"cardholder_name":["x"],"metadata":{"a":{}}}`))
	s := &Service{brands: card.Default(), now: func() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }}
	f.Fuzz(func(t *testing.T, text []byte) {
		var in line
		if json.Unmarshal(text, &in, json.RejectUnknownMembers(true)) != nil {
			return
		}
		defer in.wipe()
		d, err := s.read(&in.body, "test")
		defer d.wipe()
		if err != nil {
			if e := problem.From(err); e.Kind != problem.Invalid || e.Details == "" {
				t.Errorf("%q is refused with %v", text, err)
			}
			return
		}
		name := d.name.Reveal()
		if n := utf8.RuneCount(name); n < 1 || n > maxName || !norm.NFC.IsNormal(name) || bytes.ContainsAny(name, "\x00\n\r\t") {
			t.Errorf("%q gave the name %q", text, name)
		}
		if !card.IsTest(d.number) || len(d.code) != d.number.Brand().CodeLength || d.expiry.Month < 1 || d.expiry.Month > 12 {
			t.Errorf("%q gave %v", text, d)
		}
		if !bytes.Equal(d.content(), d.content()) || bytes.Contains(d.content(), append([]byte{0, 0, 0, 3}, d.code...)) && len(d.metadata) == 0 && len(d.reference) != 3 && len(name) != 3 {
			t.Errorf("%q: what makes it the same request is not fixed, or has the code in it", text)
		}
		for _, e := range d.metadata {
			if s.brands.Within(e.Name) || s.brands.Within(e.Value) {
				t.Errorf("%q let a number in", text)
			}
		}
	})
}

// TestContentKeepsFieldsApart would fail if two different bodies could be taken
// for one request.
func TestContentKeepsFieldsApart(t *testing.T) {
	s := &Service{brands: card.Default(), now: func() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }}
	content := func(rest string) string {
		var in body
		text := `{"card_number":"4111111111111111","expiry_date":"12/30","cvv":"123",` + rest + `}`
		if err := json.Unmarshal([]byte(text), &in); err != nil {
			t.Fatal(err)
		}
		d, err := s.read(&in, "test")
		if err != nil {
			t.Fatal(err)
		}
		return string(d.content())
	}
	seen := map[string]string{}
	for _, rest := range []string{
		`"cardholder_name":"ab"`, `"cardholder_name":"a","reference":"b"`, `"cardholder_name":"a","metadata":{"b":""}`,
		`"cardholder_name":"a","metadata":{"b":"c"}`, `"cardholder_name":"a","metadata":{"bc":""}`, `"cardholder_name":"a","reference":"b","metadata":{"c":"d"}`,
		`"cardholder_name":"a","metadata":{"b":"","c":"d"}`,
	} {
		c := content(rest)
		if other, ok := seen[c]; ok {
			t.Errorf("%s and %s are one request", rest, other)
		}
		seen[c] = rest
	}
	if content(`"cardholder_name":"a","metadata":{"x":"1","y":"2"}`) != content(`"metadata":{"y":"2","x":"1"},"cardholder_name":" a "`) {
		t.Error("the order of members makes another request")
	}
}
