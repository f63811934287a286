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
	"bytes"
	"cmp"
	"context"
	"errors"
	"time"

	"ccms/internal/card"
	"ccms/internal/secret"
	"ccms/internal/webhook"
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
	// Client calls firms' endpoints. Required.
	Client *webhook.Client
	// Secret is what firms' signing secrets are derived from, at least 32 bytes;
	// all instances have the same. New takes a copy. Required.
	Secret secret.Bytes
	// PerFirm is how many calls to one firm's endpoint are under way at once,
	// for each mode; default 8. Those who call Ask should be a few times as many.
	PerFirm int
	// Codes bounds how many security codes wait in memory, default 32,768
	// (about 12 MB). Past it the oldest goes: it is the one whose endpoint does
	// not answer.
	Codes int
	// Clients bounds how many clients, and ClientBINs how many pairs of client
	// and BIN, are remembered; default 10,000 and 20,000 (at most 10 and 14 MB).
	// Past it the ones that lie furthest back are forgotten, which errs on the
	// side of letting through.
	Clients, ClientBINs int
	// Now is the clock, by default time.Now.
	Now func() time.Time
}

// Pipeline decides over registrations; safe for concurrent use.
type Pipeline struct {
	now     func() time.Time
	client  *webhook.Client
	secret  secret.Bytes
	pace    *pace
	walk    *walk
	codes   *codes
	gate    *gate
	metrics metrics
}

// New returns a Pipeline that has seen nothing yet.
func New(c Config) (*Pipeline, error) {
	if c.Client == nil || c.Secret.Len() < 32 {
		return nil, errors.New("verification: a client and a secret of 32 bytes are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	p := &Pipeline{
		now:    c.Now,
		client: c.Client,
		secret: secret.New(bytes.Clone(c.Secret.Reveal())),
		pace:   newPace(cmp.Or(c.Clients, 10_000)),
		walk:   newWalk(cmp.Or(c.ClientBINs, 20_000)),
		codes:  newCodes(cmp.Or(c.Codes, 1<<15)),
		gate:   newGate(cmp.Or(c.PerFirm, 8)),
	}
	p.metrics = newMetrics(p.codes.held)
	return p, nil
}

// Run forgets in time what the pipeline holds, until ctx ends; then it forgets
// every code and holds no more.
func (p *Pipeline) Run(ctx context.Context) error {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			p.codes.close()
			return nil
		case <-t.C:
			// What would be past its time before the next sweep goes now.
			p.codes.expire(p.now().Add(sweepEvery))
			p.gate.expire(p.now())
		}
	}
}
