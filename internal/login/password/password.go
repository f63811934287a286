// Package password owns what a password must be and how it is kept: the
// policy, the list of common passwords, and the bcrypt rules of decision B6.
// It is pure: it holds no account, counts no attempt and bounds no work
// (packages login and hashpool do).
package password

import (
	"bytes"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/text/unicode/norm"

	"ccms/internal/secret"
)

// The bounds of a password and of its cost (decision B6).
const (
	MinRunes = 12
	MaxBytes = 72 // bcrypt ignores what follows
	MinCost  = 10
	MaxCost  = 15 // a stored hash that costs more is refused, it would be a CPU bomb
)

// WeakError says why a password is refused. Its text holds nothing of it and
// may be shown.
type WeakError struct{ Reason string }

// Error implements error.
func (e *WeakError) Error() string { return e.Reason }

// Check applies the policy: 12 characters to 72 bytes, letters and digits, no
// NUL, not common, and not one of words (the account's own name and address).
// The error is a *WeakError.
func Check(p secret.Bytes, words ...string) error {
	b := norm.NFC.Bytes(p.Reveal())
	defer wipeCopy(b, p)
	var letters, digits bool
	for r := range runes(b) {
		letters = letters || unicode.IsLetter(r)
		digits = digits || unicode.IsDigit(r)
	}
	switch {
	case utf8.RuneCount(b) < MinRunes:
		return &WeakError{fmt.Sprintf("Use at least %d characters.", MinRunes)}
	case len(b) > MaxBytes:
		return &WeakError{fmt.Sprintf("Use at most %d bytes.", MaxBytes)}
	case bytes.IndexByte(b, 0) >= 0 || !utf8.Valid(b):
		return &WeakError{"Leave out characters that cannot be typed."}
	case !letters || !digits:
		return &WeakError{"Use letters and digits."}
	case common(b):
		return &WeakError{"Choose a password that is not among the most common ones."}
	case own(b, words):
		return &WeakError{"Choose a password that is not your name or e-mail address."}
	}
	return nil
}

// Reused is the refusal of a password that was in use before.
func Reused() error {
	return &WeakError{"Choose a password that was not one of the last four."}
}

// Hash returns the bcrypt hash of p. The policy was checked before: a password
// bcrypt would cut is an error.
func Hash(p secret.Bytes, cost int) (string, error) {
	b := norm.NFC.Bytes(p.Reveal())
	defer wipeCopy(b, p)
	if len(b) > MaxBytes || bytes.IndexByte(b, 0) >= 0 {
		return "", errors.New("password: too long or with a NUL")
	}
	var h []byte
	var err error
	secret.Do(func() { h, err = bcrypt.GenerateFromPassword(b, cost) }) // bcrypt copies b and keeps the copy
	if err != nil {
		return "", fmt.Errorf("password: hash: %w", err)
	}
	return string(h), nil
}

// Match reports whether hash is p's. It always computes one bcrypt, also for a
// password that cannot match: bcrypt would cut at 72 bytes and take "a" and
// "a\x00a" for equal, so these are refused after the work, in the same time.
func Match(hash string, p secret.Bytes) bool {
	b := norm.NFC.Bytes(p.Reveal())
	defer wipeCopy(b, p)
	possible := len(b) > 0 && len(b) <= MaxBytes && bytes.IndexByte(b, 0) < 0
	var same bool
	secret.Do(func() { same = bcrypt.CompareHashAndPassword([]byte(hash), b[:min(len(b), MaxBytes)]) == nil })
	return same && possible
}

// Cost is the cost of a stored hash, 0 when it is none this package would
// compute.
func Cost(hash string) int {
	c, err := bcrypt.Cost([]byte(hash))
	if err != nil || c > MaxCost {
		return 0
	}
	return c
}

// wipeCopy wipes b if normalising made a copy of p.
func wipeCopy(b []byte, p secret.Bytes) {
	own := p.Reveal()
	if len(b) > 0 && (len(own) == 0 || &b[0] != &own[0]) {
		clear(b)
	}
}

// runes ranges over text without making a string of it.
func runes(b []byte) func(func(rune) bool) {
	return func(yield func(rune) bool) {
		for len(b) > 0 {
			r, n := utf8.DecodeRune(b)
			if !yield(r) {
				return
			}
			b = b[n:]
		}
	}
}
