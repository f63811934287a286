package firmcard

import "ccms/internal/problem"

// The failures of the routes for firms' cards. A card that is not there, that
// is another firm's or of the other mode, and that was deleted look alike
// (decision D1). Each call returns a fresh value, so no caller can change
// another's.

func notFound() *problem.Error {
	return problem.NoResource().With("Name one of your firm's cards by its token.")
}

// alreadyDeleted is for who deletes a card twice; once its tombstone is gone
// too, the card was never there.
func alreadyDeleted() *problem.Error {
	return problem.New(problem.Conflict, "ALREADY_DELETED", "Card already deleted",
		"Nothing is left of the card; register it again to use it.")
}

func disabled() *problem.Error {
	return problem.New(problem.Conflict, "CARD_DISABLED", "Card is disabled",
		"Enable the card before its number is asked for.")
}

func wrongStatus() *problem.Error {
	return problem.Validation("Send the status enabled or disabled.")
}

func wrongReason() *problem.Error {
	return problem.Validation("Send a reason of 1 to 200 printable characters, without a card number.")
}

func wrongFilter() *problem.Error {
	return problem.Validation("Filter by status enabled or disabled, by a brand's name, by four digits as last4, and by expiring_before as YYYY-MM.")
}
