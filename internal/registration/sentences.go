package registration

import (
	"ccms/internal/card"
	"ccms/internal/problem"
)

// The failures of decisions D2 and D8; those of a number, a code and an
// expiry date are package card's. Each call returns a fresh value, so no caller
// can change another's.

func missingFields() *problem.Error {
	return problem.New(problem.Invalid, "VALIDATION_ERROR", "Missing required fields",
		"Send card_number, expiry_date, cvv and cardholder_name.")
}

// wrongMode says that a test number came in live mode, or the reverse. It is
// card.ErrNumber in other words.
func wrongMode(details string) *problem.Error {
	return problem.From(card.ErrNumber).With(details)
}

func invalidName() *problem.Error {
	return problem.Validation("Send cardholder_name as text of 1 to 255 characters, without control characters.")
}

func invalidReference() *problem.Error {
	return problem.Validation("Leave reference out, or send text of 1 to 255 characters, without control characters.")
}

func invalidMetadata() *problem.Error {
	return problem.Validation("Leave metadata out, or send an object of at most 20 members whose names have 1 to 40 and whose values, all text, at most 500 characters.")
}

func numberInText() *problem.Error {
	return problem.Validation("Card numbers belong into card_number alone, not into cardholder_name, reference or metadata.")
}
