package link

import (
	"time"

	"ccms/internal/problem"
)

// The failures of links. Those of a submission are for the page. Each call
// returns a fresh value, so no caller can change another's.

func notFound() *problem.Error {
	return problem.NoResource().With("Name one of your firm's links by its id.")
}

// unknown is for a link that was never given out, altered, or removed.
func unknown() *problem.Error {
	return problem.NoResource().With("Use the whole link as it was sent, or ask for a new one.")
}

func used() *problem.Error {
	return problem.New(problem.Conflict, "LINK_USED", "This link has been used", "A card was registered with this link already.")
}

func expired() *problem.Error {
	return problem.New(problem.Conflict, "LINK_EXPIRED", "This link has expired", "Ask for a new link.")
}

func revoked() *problem.Error {
	return problem.New(problem.Conflict, "LINK_REVOKED", "This link is no longer valid", "Ask for a new link.")
}

// withdrawn is for a link whose firm or client is suspended or revoked, or whose
// return URL or origin was taken off the client's list.
func withdrawn() *problem.Error {
	return problem.New(problem.Conflict, "LINK_WITHDRAWN", "This link cannot be used at the moment", "Ask who sent it for another way.")
}

// busy is for who submits while another submission of the link is under way.
func busy(wait time.Duration) *problem.Error {
	return problem.New(problem.Conflict, "LINK_IN_USE", "This link is being used", "Wait a moment, then look whether the card was registered.").After(wait)
}
