package card

import (
	"bytes"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	redacted = "[redacted]"
	// maxCode bounds what a Code keeps of a value that cannot be one.
	maxCode = 16
)

// Code is a card verification code as the caller sent it, before the brand,
// and with it the length, is known. It never prints, and it is never written
// to disk in any form (PCI DSS 3.3.1, decision C11): check it, use it, Wipe it.
// The zero Code is an absent one. Copies share the digits.
type Code struct{ c **code }

type code struct {
	digits []byte
	number bool // sent as an integer, whose leading zeros are lost
	bad    bool
}

// NewCode copies a code typed into a form.
func NewCode(text string) Code {
	in := &code{digits: []byte(text[:min(len(text), maxCode)])}
	return Code{&in}
}

// UnmarshalJSON takes a JSON string or integer (decision C3). It never fails:
// a value of another type is a wrong code, which CheckCode reports in the
// contract's words.
func (c *Code) UnmarshalJSON(value []byte) error {
	in := &code{}
	c.c = &in
	switch {
	case bytes.Equal(value, []byte("null")):
		c.c = nil
	case len(value) > 0 && value[0] == '"':
		text, err := jsontext.AppendUnquote(nil, value)
		in.digits, in.bad = text[:min(len(text), maxCode)], err != nil
	default:
		in.digits, in.number = bytes.Clone(value[:min(len(value), maxCode)]), true
	}
	return nil
}

// CheckCode returns the digits of the code, an integer padded with leading
// zeros to the brand's length; a code of another length or with anything but
// ASCII digits is an ErrCode. The caller wipes what it gets.
func CheckCode(c Code, b Brand) ([]byte, error) {
	if c.c == nil || (*c.c).bad || len((*c.c).digits) == 0 {
		return nil, ErrCode
	}
	digits := bytes.Clone((*c.c).digits)
	if missing := b.CodeLength - len(digits); (*c.c).number && missing > 0 {
		digits = append(bytes.Repeat([]byte{'0'}, missing), digits...)
	}
	if len(digits) != b.CodeLength || !allDigits(digits) {
		clear(digits)
		return nil, badCode(fmt.Sprintf("A %s card has a code of %d digits.", b.Name, b.CodeLength))
	}
	return digits, nil
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

// Wipe overwrites the digits of every copy with zeros and forgets them.
func (c Code) Wipe() {
	if c.c == nil {
		return
	}
	clear((*c.c).digits)
	(*c.c).digits = nil
}

// String implements fmt.Stringer.
func (Code) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Code) GoString() string { return redacted }

// Format implements fmt.Formatter for every verb.
func (Code) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler; slog and JSON use it.
func (Code) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalBinary refuses, so that no codec stores a code by accident.
func (Code) MarshalBinary() ([]byte, error) { return nil, errNotEncoded }
