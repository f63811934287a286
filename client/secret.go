package client

import "fmt"

// redacted is what is shown instead of a secret.
const redacted = "[redacted]"

// Secret is a value that never prints: a card number, a code, a name, a
// client's secret. It shows as [redacted] under every verb, encoder and logger;
// Reveal alone gives the content. The zero value is empty; copies share their
// content. Wipe it when it is no longer needed.
type Secret struct {
	// Two pointers: fmt follows one to what it points at.
	content **[]byte
}

// NewSecret takes b over: the caller must not use it afterwards.
func NewSecret(b []byte) Secret { return Secret{content: new(&b)} }

// Text copies s into a secret. The string itself cannot be wiped, so it suits
// what is a string anyway.
func Text(s string) Secret { return NewSecret([]byte(s)) }

// Reveal is the content itself, not a copy; nil when empty or wiped.
func (s Secret) Reveal() []byte {
	if s.content == nil {
		return nil
	}
	return **s.content
}

// Len is the number of bytes.
func (s Secret) Len() int { return len(s.Reveal()) }

// Wipe overwrites the content, for all copies.
func (s Secret) Wipe() {
	if s.content != nil {
		clear(**s.content)
		**s.content = nil
	}
}

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// Format implements fmt.Formatter for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText implements encoding.TextMarshaler, so that no encoder writes the
// content by accident.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText implements encoding.TextUnmarshaler: it copies text.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(append([]byte(nil), text...))
	return nil
}

// appendQuoted appends text as a JSON string. Unlike encoding/json it leaves no
// copy behind.
func appendQuoted(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
