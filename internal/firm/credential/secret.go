// Package credential owns what a client proves itself with: the form of a secret
// and what is kept of it, and which public keys are accepted for private_key_jwt
// (decision D1). It knows no client and keeps nothing.
package credential

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"

	"ccms/internal/secret"
)

// A client's secret is a prefix, 32 random bytes and four bytes of checksum in
// base64url. The prefix lets scanners find one that leaked, the checksum lets
// them tell it from what only looks like one; it keeps no secret.
const (
	secretPrefix = "ccms_secret_"
	randomBytes  = 32
	sumBytes     = 4
	secretText   = (randomBytes + sumBytes) / 3 * 4 // characters behind the prefix
)

// NewSecret makes a secret and what is kept of it.
func NewSecret() (secret.Bytes, [sha256.Size]byte) {
	b := make([]byte, randomBytes, randomBytes+sumBytes)
	_, _ = rand.Read(b) // never fails (Go 1.24)
	b = append(b, checksum(b)...)
	defer clear(b)
	text := make([]byte, len(secretPrefix)+secretText)
	base64.RawURLEncoding.Encode(text[copy(text, secretPrefix):], b)
	return secret.New(text), sha256.Sum256(text)
}

// Parse returns the SHA-256 of text, and whether text has the form of a
// secret: prefix, length, alphabet and checksum.
func Parse(text []byte) (digest [sha256.Size]byte, ok bool) {
	digest = sha256.Sum256(text)
	rest, found := bytes.CutPrefix(text, []byte(secretPrefix))
	if !found || len(rest) != secretText {
		return digest, false
	}
	var b [randomBytes + sumBytes]byte
	defer clear(b[:])
	// A decoder skips line ends, so what it wrote shows whether all was taken.
	n, err := base64.RawURLEncoding.Strict().Decode(b[:], rest)
	return digest, err == nil && n == len(b) && bytes.Equal(checksum(b[:randomBytes]), b[randomBytes:])
}

func checksum(b []byte) []byte {
	sum := sha256.Sum256(append([]byte("ccms client secret\x00"), b...))
	return sum[:sumBytes]
}

// Once is a fresh secret on its way to its owner: it shows itself as JSON once,
// and then it is gone. Everywhere else it is redacted.
type Once struct{ secret.Bytes }

var errShown = errors.New("credential: the secret was shown before")

// MarshalJSON writes the secret as a string, whose letters need no escape, and
// wipes it.
func (o Once) MarshalJSON() ([]byte, error) {
	if o.Len() == 0 {
		return nil, errShown
	}
	defer o.Wipe()
	return slices.Concat([]byte{'"'}, o.Reveal(), []byte{'"'}), nil
}
