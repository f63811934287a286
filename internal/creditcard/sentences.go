package creditcard

import "ccms/internal/problem"

// The failures of contract section 3 and decision C6; those of a number, a code
// and an expiry date are package card's. Each call returns a fresh value, so no
// caller can change another's.

func invalidVendor() *problem.Error {
	return problem.Validation("Leave wireTransactionVendor out, or name the brand of the card.")
}

func cardExists() *problem.Error {
	return problem.New(problem.Conflict, "CARD_EXISTS", "Credit card already exists",
		"The card is in your list already.")
}

func tooManyCards() *problem.Error {
	return problem.New(problem.Conflict, "CARD_LIMIT", "Too many cards",
		"At most 100 cards are kept, deleted ones included until they are erased.")
}

func noCards() *problem.Error {
	return problem.New(problem.NotFound, "NO_CARDS", "No credit cards found",
		"Add a card first.")
}

func cardNotFound() *problem.Error {
	return problem.New(problem.NotFound, "CARD_NOT_FOUND", "Credit card not found",
		"Name one of your cards by its number, creditCardId or token.")
}

func alreadyDeleted() *problem.Error {
	return problem.New(problem.Conflict, "ALREADY_DELETED", "Card already deleted",
		"A deletion can be undone for ten minutes.")
}

func cardDeleted() *problem.Error {
	return problem.New(problem.Conflict, "CARD_DELETED", "Cannot toggle deleted card",
		"Restore the card first, or add it again.")
}
