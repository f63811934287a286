package registration

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/unicode/norm"

	"ccms/internal/card"
	"ccms/internal/registration/ledger"
	"ccms/internal/secret"
	"ccms/internal/tenant"
)

// Limits of what a firm says about a card, in characters.
const (
	maxName      = 255 // decision D2
	maxReference = 255
	maxMetadata  = 20 // members
	maxMember    = 40
	maxValue     = 500
)

// body is the body of POST /register. Its members are taken as they come,
// because a wrong type has the member's own error code (decision G).
type body struct {
	Number    jsontext.Value `json:"card_number"`
	Expiry    jsontext.Value `json:"expiry_date"`
	CVV       card.Code      `json:"cvv"`
	Name      jsontext.Value `json:"cardholder_name"`
	Reference jsontext.Value `json:"reference"`
	Metadata  jsontext.Value `json:"metadata"`
}

func (b *body) wipe() {
	clear(b.Number)
	b.CVV.Wipe()
	clear(b.Name)
}

// incomplete reports whether a required member is absent or null.
func (b *body) incomplete() bool {
	return absent(b.Number) || absent(b.Expiry) || b.CVV == card.Code{} || absent(b.Name)
}

func absent(v jsontext.Value) bool { return len(v) == 0 || v.Kind() == 'n' }

// details is what a valid body says.
type details struct {
	number    card.Number
	code      []byte // ASCII digits, as many as the brand has
	expiry    card.Expiry
	name      secret.Bytes // UTF-8, NFC
	reference string       // "" when absent
	metadata  ledger.Metadata
}

func (d *details) wipe() {
	d.number.Wipe()
	clear(d.code)
	d.name.Wipe()
}

// content is what makes two bodies the same request (decision D5): all but the
// code, in one form, each part with its length before it. The caller wipes it.
func (d *details) content() []byte {
	b := make([]byte, 0, 512)
	part := func(p []byte) { b = append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...) }
	part(d.number.Digits())
	part([]byte(d.expiry.String()))
	part(d.name.Reveal())
	part([]byte(d.reference))
	for _, e := range d.metadata {
		part([]byte(e.Name))
		part([]byte(e.Value))
	}
	return b
}

// read checks the body of a caller in a mode: what is missing first, then
// number, mode, code, expiry, name, reference, metadata. The caller wipes what
// it returns, also with an error.
func (s *Service) read(b *body, mode string) (d details, err error) {
	if b.incomplete() {
		return d, missingFields()
	}
	number, ok := unquote(b.Number)
	defer clear(number)
	if !ok {
		return d, card.ErrNumber
	}
	if d.number, err = s.brands.Parse(number); err != nil {
		return d, err
	}
	if err := fits(d.number, mode); err != nil {
		return d, err
	}
	if d.code, err = card.CheckCode(b.CVV, d.number.Brand()); err != nil {
		return d, err
	}
	month, ok := unquote(b.Expiry)
	if !ok {
		return d, card.ErrExpiry
	}
	if d.expiry, err = card.ParseExpiryText(string(month), s.now()); err != nil {
		return d, err
	}
	return d, s.readTexts(b, &d)
}

// fits keeps test and live apart (decision D8).
func fits(n card.Number, mode string) error {
	switch test := card.IsTest(n); {
	case mode == tenant.Test && !test:
		return wrongMode("In test mode only published test numbers are taken.")
	case mode != tenant.Test && test:
		return wrongMode("A published test number is no card; use a client in test mode.")
	}
	return nil
}

// readTexts reads what may hold anything, and therefore must not hold a number.
func (s *Service) readTexts(b *body, d *details) error {
	raw, ok := unquote(b.Name)
	defer clear(raw)
	if !ok {
		return invalidName()
	}
	name := norm.NFC.Append(nil, bytes.TrimSpace(raw)...)
	d.name = secret.New(name)
	if !plain(name, maxName) {
		return invalidName()
	}
	if d.reference, ok = readReference(b.Reference); !ok {
		return invalidReference()
	}
	if d.metadata, ok = readMetadata(b.Metadata); !ok {
		return invalidMetadata()
	}
	var named bool
	secret.Do(func() { named = s.brands.Within(string(name)) }) // a copy that cannot be wiped
	if named || s.brands.Within(d.reference) || s.anyNumber(d.metadata) {
		return numberInText()
	}
	return nil
}

func (s *Service) anyNumber(m ledger.Metadata) bool {
	return slices.ContainsFunc(m, func(e ledger.Entry) bool { return s.brands.Within(e.Name) || s.brands.Within(e.Value) })
}

// readReference reads a text that may be absent or null.
func readReference(v jsontext.Value) (string, bool) {
	if absent(v) {
		return "", true
	}
	text, ok := unquote(v)
	return string(text), ok && plain(text, maxReference)
}

// readMetadata reads a flat object of texts, which may be absent or null.
func readMetadata(v jsontext.Value) (ledger.Metadata, bool) {
	if absent(v) {
		return nil, true
	}
	var members map[string]jsontext.Value
	if v.Kind() != '{' || json.Unmarshal(v, &members) != nil || len(members) > maxMetadata {
		return nil, false
	}
	all := make(ledger.Metadata, 0, len(members))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value, ok := unquote(members[name])
		if !ok || !plain([]byte(name), maxMember) || len(value) > 0 && !plain(value, maxValue) {
			return nil, false
		}
		all = append(all, ledger.Entry{Name: name, Value: string(value)})
	}
	return all, true
}

// plain reports whether text has 1 to limit characters, none of which controls
// anything or ends a line.
func plain(text []byte, limit int) bool {
	n := 0
	for i := 0; i < len(text); n++ {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 || unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) {
			return false
		}
		i += size
	}
	return 1 <= n && n <= limit
}

// unquote returns the text of a JSON string.
func unquote(v jsontext.Value) ([]byte, bool) {
	if v.Kind() != '"' {
		return nil, false
	}
	text, err := jsontext.AppendUnquote(make([]byte, 0, len(v)), v)
	return text, err == nil
}
