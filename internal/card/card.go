// Package card owns what a card number is: brands and their ranges, length,
// the Luhn check, expiry, verification code length, masking. It is pure: no
// store, no network, no clock of its own. Sealing a number is package vault's
// work, what may be done with a card the domains'.
//
// Digits live in buffers that can be wiped, and print masked.
package card

import (
	"strings"

	"ccms/internal/problem"
)

// The refusals, with the sentences and codes of contract section 3.1. The
// functions of this package return copies with their own details: compare with
// errors.Is.
var (
	ErrNumber error = badNumber("Send the card number as digits; spaces and hyphens may stand between them.")
	ErrExpiry error = badExpiry("Send the month (1 to 12) and the four-digit year printed on the card.")
	ErrCode   error = badCode("Send the verification code printed on the card.")
)

func badNumber(details string) error {
	return problem.New(problem.Invalid, "INVALID_CARD", "Invalid credit card number", details)
}

func badExpiry(details string) error {
	return problem.New(problem.Invalid, "INVALID_EXPIRY", "Invalid expiry date", details)
}

func badCode(details string) error {
	return problem.New(problem.Invalid, "INVALID_CVV", "Invalid CVV", details)
}

// Brand is a card scheme as the table describes it. Its slices belong to the
// table and must not be changed.
type Brand struct {
	ID         string   // "american-express"
	Name       string   // "American Express", for display
	Aliases    []string // further names callers use: "Amex"
	CodeName   string   // what the scheme calls its code: CVV, CVC, CID
	CodeLength int      // digits of the code
	Groups     []int    // digits per printed group; a longer number goes on in the last
}

// Named reports whether name means this brand: its name, its id or an alias,
// case ignored (decision C5).
func (b Brand) Named(name string) bool {
	if name == "" {
		return false
	}
	for _, own := range append([]string{b.Name, b.ID}, b.Aliases...) {
		if strings.EqualFold(own, name) {
			return true
		}
	}
	return false
}
