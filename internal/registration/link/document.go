package link

import (
	"slices"
	"time"
)

// Kind is how a person comes to the page (decision D6).
type Kind string

// The kinds of links.
const (
	Redirect Kind = "redirect" // the firm's page sends him, and gets him back
	Embed    Kind = "embed"    // the page stands in a frame of the firm's
	Link     Kind = "link"     // he opens it from a mail or a message
)

// life is how long a link of a kind lives, 0 for a kind there is not.
func (k Kind) life() time.Duration {
	switch k {
	case Redirect, Embed:
		return 30 * time.Minute
	case Link:
		return 24 * time.Hour
	}
	return 0
}

// State is what may become of a link.
type State string

// The states of a link; only an open one can be submitted.
const (
	Ready   State = "open"
	Used    State = "used"
	Expired State = "expired"
	Revoked State = "revoked"
)

const (
	// lease is how long a submission may take. It is longer than any request
	// lives, so one whose lease ran out died.
	lease = 30 * time.Second
	// kept is how long a link can be looked at after its end.
	kept = 30 * 24 * time.Hour
)

// document is one document of the collection Link.
type document struct {
	Firm      string    `bson:"firm"`
	Mode      string    `bson:"mode"` // test or live
	Client    string    `bson:"client"`
	Kind      Kind      `bson:"kind"`
	Hash      string    `bson:"hash"`   // SHA-256 of the secret in the URL
	Listed    string    `bson:"listed"` // place in the firm's list
	Reference string    `bson:"reference,omitempty"`
	ReturnURL string    `bson:"returnUrl,omitempty"`
	Origin    string    `bson:"origin,omitempty"`
	CreatedAt time.Time `bson:"createdAt"`
	ExpiresAt time.Time `bson:"expiresAt"`
	UsedAt    time.Time `bson:"usedAt,omitempty"`
	RevokedAt time.Time `bson:"revokedAt,omitempty"`
	// Registration is the id that the submission under way has, or an earlier
	// one of which nobody knows how it ended, or the one that succeeded. There
	// is never another one while it may exist.
	Registration string    `bson:"registration,omitempty"`
	ClaimedUntil time.Time `bson:"claimedUntil,omitempty"`
	RemoveAt     time.Time `bson:"removeAt"`
}

// View is what a link says to the page behind it.
type View struct {
	ID        string
	FirmID    string
	ClientID  string
	Mode      string // test or live
	Kind      Kind
	State     State
	Reference string
	ReturnURL string // "" when none was given
	Origin    string // likewise
	ExpiresAt time.Time
	// RegistrationID is the registration a used link ended in.
	RegistrationID string
}

func (d document) view(id string, now time.Time) View {
	v := View{
		ID: id, FirmID: d.Firm, ClientID: d.Client, Mode: d.Mode, Kind: d.Kind, State: d.state(now),
		Reference: d.Reference, ReturnURL: d.ReturnURL, Origin: d.Origin, ExpiresAt: d.ExpiresAt,
	}
	if v.State == Used {
		v.RegistrationID = d.Registration
	}
	return v
}

func (d document) state(now time.Time) State {
	switch {
	case !d.UsedAt.IsZero():
		return Used
	case !d.RevokedAt.IsZero():
		return Revoked
	case !now.Before(d.ExpiresAt):
		return Expired
	}
	return Ready
}

// usable returns nil when the link may be submitted, else the refusal.
func (d document) usable(now time.Time) error {
	switch d.state(now) {
	case Used:
		return used()
	case Revoked:
		return revoked()
	case Expired:
		return expired()
	}
	return nil
}

// claim begins a submission under the id of an earlier one that may have
// succeeded, else under a fresh one. seen is the id the link had when it was
// known that nothing was registered under it.
func (d *document) claim(seen, fresh string, now time.Time) error {
	switch err := d.usable(now); {
	case err != nil:
		return err
	case now.Before(d.ClaimedUntil):
		return busy(d.ClaimedUntil.Sub(now))
	case d.Registration != seen:
		return busy(time.Second) // one began and ended meanwhile
	}
	if d.Registration == "" {
		d.Registration = fresh
	}
	d.ClaimedUntil = now.Add(lease)
	return nil
}

// settle notes that the submission with this id succeeded.
func (d *document) settle(registration string, now time.Time) {
	if d.UsedAt.IsZero() {
		d.UsedAt, d.Registration, d.ClaimedUntil = now, registration, time.Time{}
	}
}

// release ends a submission that did not succeed. Where it was refused nothing
// was made, and the next one begins anew.
func (d *document) release(registration string, refused bool) {
	if !d.UsedAt.IsZero() || d.Registration != registration {
		return
	}
	d.ClaimedUntil = time.Time{}
	if refused {
		d.Registration = ""
	}
}

// allowed reports whether the client, as it is now, may have this link.
func (c Client) allowed(d document) bool {
	return c.Active && c.FirmID == d.Firm && c.Mode == d.Mode &&
		(d.ReturnURL == "" || slices.Contains(c.ReturnURLs, d.ReturnURL)) &&
		(d.Origin == "" || slices.Contains(c.Origins, d.Origin))
}
