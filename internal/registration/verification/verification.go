// Package verification owns what decides over a registration (decision D4): the
// built-in rules, which judge in memory within the request, and the firm's own
// endpoint, which is asked afterwards; the security code that waits for that
// call, in memory alone (decision C11b); and fairness between firms whose
// endpoints are slow. It stores nothing, keeps no card number, and does not
// know the registration's document: its caller records the verdict, audits its
// flags, and asks again later when there was no answer. Signing and the guarded
// call are package webhook's.
package verification

import (
	"context"
	"errors"
	"time"

	"ccms/internal/card"
)

// What a Verdict says of a registration (decision D3).
const (
	Verified = "verified"
	Rejected = "rejected"
	Pending  = "pending" // the firm's endpoint has to be asked
)

// Why a registration is rejected, beside the words a firm's endpoint gives. The
// last three are also what a registration is flagged with.
const (
	BrandNotAccepted = "brand_not_accepted" // not one of Rules.Brands
	BINDenied        = "bin_denied"         // under a prefix of Rules.BINDeny
	BINNotAllowed    = "bin_not_allowed"    // Rules.BINAllow is set, and this is under none of it
	Declined         = "declined"           // by the firm's endpoint, which gave no reason
	VelocityCard     = "velocity_card"      // the card was registered 10 times today (decision G)
	VelocityClient   = "velocity_client"    // the client registered 100 cards within a minute (decision G)
	BINWalk          = "bin_walk"           // the client tries number after number of one BIN
)

// What is known of the security code (decision C11).
const (
	CodeUnchecked   = "unchecked"   // nobody asked for it
	CodeMatched     = "matched"     // the firm's endpoint says so
	CodeMismatched  = "mismatched"  // likewise
	CodeUnavailable = "unavailable" // a restart or a time-out came in between, or the endpoint does not say
)

// Case is a registration to decide over.
type Case struct {
	RegistrationID, FirmID, ClientID string
	Mode                             string // "test" or "live"
	Token                            string // of the firm's card
	BIN, Last4, Brand, Expiry        string // Expiry is MM/YYYY
	Reference                        string
	// Number is for Judge alone, which keeps nothing of it: Ask has none. The
	// caller wipes it.
	Number card.Number
	// RegisteredToday is how often the firm registered this card today, this
	// time included. For Judge alone.
	RegisteredToday int
	Rules           Rules
}

// Verdict is what was decided.
type Verdict struct {
	Status    string   // Verified, Rejected or Pending
	Reason    string   // when Rejected: one of the words above, or the endpoint's
	Flags     []string // what the rules noticed, to be audited, whatever the status
	CVVStatus string   // one of the words above
}

// Config is what New needs.
type Config struct {
	// Now is the clock, by default time.Now.
	Now func() time.Time
	// Clients bounds how many clients, and ClientBINs how many pairs of client
	// and BIN, are remembered; default 10,000 and 20,000 (at most 10 and 14 MB).
	// Past it the ones that lie furthest back are forgotten, which errs on the
	// side of letting through.
	Clients, ClientBINs int
}

// Pipeline decides over registrations; safe for concurrent use.
type Pipeline struct {
	now  func() time.Time
	pace *pace
	walk *walk
}

// New returns a Pipeline that has seen nothing yet.
func New(c Config) (*Pipeline, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Clients < 0 || c.ClientBINs < 0 {
		return nil, errors.New("verification: a bound below zero")
	}
	if c.Clients == 0 {
		c.Clients = 10_000
	}
	if c.ClientBINs == 0 {
		c.ClientBINs = 20_000
	}
	return &Pipeline{now: c.Now, pace: newPace(c.Clients), walk: newWalk(c.ClientBINs)}, nil
}

// Run forgets in time what the pipeline remembers, until ctx ends.
func (p *Pipeline) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
