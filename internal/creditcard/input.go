package creditcard

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/card"
)

// minNumber is how many digits make a path value a card number (decision C10);
// maxNumber is the length of the longest (ISO/IEC 7812).
const (
	minNumber = 12
	maxNumber = 19
)

// addBody is the body of contract section 3.1. Its members are taken as they
// come, because a wrong type has the member's own error code (decision G).
type addBody struct {
	Number      jsontext.Value `json:"cardNumber"`
	CVV         card.Code      `json:"cvv"`
	ExpiryMonth jsontext.Value `json:"expiryMonth"`
	ExpiryYear  jsontext.Value `json:"expiryYear"`
	Vendor      jsontext.Value `json:"wireTransactionVendor"`
}

func (b addBody) wipe() {
	clear(b.Number)
	b.CVV.Wipe()
}

// details is what a valid body says.
type details struct {
	number card.Number
	code   []byte // ASCII digits, as many as the brand has
	expiry card.Expiry
	vendor string // as given, "" when absent
}

func (d details) wipe() {
	d.number.Wipe()
	clear(d.code)
}

// content is what makes two bodies the same request (decision D5): all but the
// code, in one form. The caller wipes it.
func (d details) content() []byte {
	b := make([]byte, 0, 64+len(d.vendor))
	b = append(b, d.number.Digits()...)
	b = append(b, '/')
	b = strconv.AppendInt(b, int64(d.expiry.Month), 10)
	b = append(b, '/')
	b = strconv.AppendInt(b, int64(d.expiry.Year), 10)
	b = append(b, '/')
	return append(b, d.vendor...)
}

// read checks the body in the order number, code, expiry, vendor. The caller
// wipes what it returns, also with an error.
func (s *Service) read(b addBody) (d details, err error) {
	text, ok := unquote(b.Number)
	defer clear(text)
	if !ok {
		return d, card.ErrNumber
	}
	if d.number, err = s.brands.Parse(text); err != nil {
		return d, err
	}
	if d.code, err = card.CheckCode(b.CVV, d.number.Brand()); err != nil {
		return d, err
	}
	month, okMonth := integer(b.ExpiryMonth)
	year, okYear := integer(b.ExpiryYear)
	if !okMonth || !okYear {
		return d, card.ErrExpiry
	}
	if d.expiry, err = card.ParseExpiry(month, year, s.now()); err != nil {
		return d, err
	}
	if d.vendor, ok = readVendor(b.Vendor, d.number.Brand()); !ok {
		return d, invalidVendor()
	}
	return d, nil
}

// integer reads a JSON number written as digits alone; 12.0 and 1e2 are none.
func integer(v jsontext.Value) (int, bool) {
	if v.Kind() != '0' || !digitsOnly(v) {
		return 0, false
	}
	n, err := strconv.Atoi(string(v))
	return n, err == nil
}

// readVendor reports whether v is absent, null or a name of the brand
// (decision C5).
func readVendor(v jsontext.Value, brand card.Brand) (string, bool) {
	if len(v) == 0 || v.Kind() == 'n' {
		return "", true
	}
	name, ok := unquote(v)
	return string(name), ok && brand.Named(string(name))
}

// unquote returns the text of a JSON string.
func unquote(v jsontext.Value) ([]byte, bool) {
	if v.Kind() != '"' {
		return nil, false
	}
	text, err := jsontext.AppendUnquote(make([]byte, 0, len(v)), v)
	return text, err == nil
}

// pathValue is a card as a path names it, before a number became its look-up
// value. One field is set.
type pathValue struct {
	id     int64
	token  string
	number []byte
}

// parsePath tells the three forms of a path value apart: twelve digits or more,
// also with spaces and hyphens between them, are a number, fewer a
// creditCardId, and tok_… is a token (decision C10). It reports whether v is one
// of them.
func parsePath(v string) (pathValue, bool) {
	if strings.HasPrefix(v, "tok_") {
		return pathValue{token: v}, true
	}
	digits, ok := joinDigits(v)
	switch {
	case !ok || len(digits) > maxNumber:
		return pathValue{}, false
	case len(digits) >= minNumber:
		return pathValue{number: digits}, true
	case len(digits) != len(v) || digits[0] == '0' && len(digits) > 1:
		return pathValue{}, false // an id has one way to be written
	}
	id, err := strconv.ParseInt(v, 10, 64)
	return pathValue{id: id}, err == nil
}

// joinDigits returns the digits of v when it has nothing else but spaces and
// hyphens between them (decision C2).
func joinDigits(v string) ([]byte, bool) {
	digits := make([]byte, 0, len(v))
	for i := range len(v) {
		switch c := v[i]; {
		case '0' <= c && c <= '9':
			digits = append(digits, c)
		case c != ' ' && c != '-', i == 0, i == len(v)-1:
			return nil, false
		}
	}
	return digits, len(digits) > 0
}

func digitsOnly(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}
