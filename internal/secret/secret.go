// Package secret owns values that must never be printed: passwords, card
// numbers, codes, keys and tokens. A Bytes shows as [redacted] under
// every verb, encoder and logger, also inside structs, maps and errors; only
// Reveal gives the content. It does not encrypt and it imports no logger.
//
// A value is a struct around a pointer to a pointer. fmt calls no methods on
// unexported fields; it prints the address such a field holds, where it would
// print the content of a string. One pointer is not enough: for a verb that
// does not fit, %s among them, fmt follows it to a slice or a struct.
package secret

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
)

const redacted = "[redacted]"

// errNotMarshalled stands for the refusal to encode a secret.
var errNotMarshalled = errors.New("secret: refusing to encode a secret")

// Bytes is a secret of bytes. The zero value is empty. Copies share content.
type Bytes struct{ p **[]byte }

// New takes ownership of b; the caller must not use b afterwards.
func New(b []byte) Bytes {
	p := &b
	return Bytes{&p}
}

// NewString copies s.
func NewString(s string) Bytes { return New([]byte(s)) }

// Reveal returns the content itself, not a copy; nil after Wipe.
func (s Bytes) Reveal() []byte {
	if s.p == nil {
		return nil
	}
	return **s.p
}

// Len is the number of bytes.
func (s Bytes) Len() int { return len(s.Reveal()) }

// Wipe overwrites the content of every copy with zeros and empties it.
func (s Bytes) Wipe() {
	if s.p == nil {
		return
	}
	b := *s.p
	clear((*b)[:cap(*b)])
	*b = nil
}

// Equal compares in constant time for equal lengths.
func (s Bytes) Equal(o Bytes) bool {
	return subtle.ConstantTimeCompare(s.Reveal(), o.Reveal()) == 1
}

// String implements fmt.Stringer.
func (Bytes) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Bytes) GoString() string { return redacted }

// Format implements fmt.Formatter for every verb.
func (Bytes) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler; slog and JSON use it.
func (Bytes) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalBinary refuses, so that no codec stores a secret by accident.
func (Bytes) MarshalBinary() ([]byte, error) { return nil, errNotMarshalled }

// UnmarshalText copies text, for settings and JSON strings.
func (s *Bytes) UnmarshalText(text []byte) error {
	*s = New(append(make([]byte, 0, len(text)), text...))
	return nil
}
