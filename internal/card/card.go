// Package card owns what a card number is: brands and their ranges, length,
// the Luhn check, expiry, verification code length, masking. It is pure: no
// store, no network, no clock of its own.
package card
