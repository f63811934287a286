package firm

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"time"

	"ccms/internal/firm/credential"
)

// Role is what a member may do in a firm (decision B13).
type Role string

// The roles of members.
const (
	Viewer Role = "viewer" // looks
	Admin  Role = "admin"  // looks after clients, viewers and admins
	Owner  Role = "owner"  // looks after owners too
)

// Rank orders the roles, from 1 for Viewer; 0 is none, and what is no role.
func (r Role) Rank() int { return 1 + slices.Index([]Role{Viewer, Admin, Owner}, r) }

// The modes of clients (decision D8).
const (
	Test = "test"
	Live = "live"
)

// firmPrefix and clientPrefix begin ids, so that nobody takes one for the
// other.
const (
	firmPrefix   = "firm_"
	clientPrefix = "client_"
)

// NewID returns an id for a firm.
func NewID() string { return firmPrefix + rand.Text() }

func newClientID() string { return clientPrefix + rand.Text() }

// Firm is one document.
type Firm struct {
	ID        string    `bson:"-"`
	Name      string    `bson:"name"`
	Suspended bool      `bson:"suspended"`
	Members   []Member  `bson:"members"`
	CreatedAt time.Time `bson:"createdAt"`
}

// Member is an account with a role in a firm.
type Member struct {
	Subject string    `bson:"subject"` // id of the account
	Role    Role      `bson:"role"`
	Since   time.Time `bson:"since"`
}

// member returns the member with an account's id, nil when there is none. What
// is changed through it is changed in the firm.
func (f *Firm) member(subject string) *Member {
	at := slices.IndexFunc(f.Members, func(m Member) bool { return m.Subject == subject })
	if at < 0 {
		return nil
	}
	return &f.Members[at]
}

// Role is that of an account in the firm, "" for none.
func (f *Firm) Role(subject string) Role {
	if m := f.member(subject); m != nil {
		return m.Role
	}
	return ""
}

// Client is a machine that acts for a firm, or, without one, for the operators.
// It is one document.
type Client struct {
	ID     string   `bson:"-"`
	FirmID string   `bson:"firmId"` // "" for an operators' client
	Name   string   `bson:"name"`
	Mode   string   `bson:"mode,omitempty"` // Test or Live, "" for an operators' client
	Scopes []string `bson:"scopes"`
	// Secrets are those that live or lived; the newest stands first, and at most
	// two are good at a time.
	Secrets []Secret `bson:"secrets,omitempty"`
	// Keys are public keys for private_key_jwt as a JSON Web Key Set (RFC 7517);
	// nil for none.
	Keys []byte `bson:"keys,omitempty"`
	// AcceptTokenURL lets assertions name the token URL as audience beside the
	// issuer, for older libraries (decision D1).
	AcceptTokenURL bool       `bson:"acceptTokenUrl,omitempty"`
	ReturnURLs     []string   `bson:"returnUrls,omitempty"` // where one-time links may lead back to
	Origins        []string   `bson:"origins,omitempty"`    // which pages may embed the form
	Operator       bool       `bson:"operator,omitempty"`
	Revoked        bool       `bson:"revoked,omitempty"`
	CreatedAt      time.Time  `bson:"createdAt"`
	LastUsed       *time.Time `bson:"lastUsed,omitempty"` // to the hour
}

// Secret is what is kept of a client's secret.
type Secret struct {
	Hash      []byte     `bson:"hash"` // SHA-256: 256 random bits need no slow hash
	CreatedAt time.Time  `bson:"createdAt"`
	ExpiresAt *time.Time `bson:"expiresAt,omitempty"` // nil: never
}

// Live reports whether the secret is good.
func (s Secret) Live(now time.Time) bool { return s.ExpiresAt == nil || now.Before(*s.ExpiresAt) }

// Matches reports whether text is a secret of the client that is good now. It
// compares with every one, in constant time.
func (c Client) Matches(text []byte, now time.Time) bool {
	digest, ok := credential.Parse(text)
	match := 0
	for _, s := range c.Secrets {
		if s.Live(now) {
			match |= subtle.ConstantTimeCompare(digest[:], s.Hash)
		}
	}
	return ok && match == 1
}

// invitation waits for an account with a confirmed address (see members.go). Its
// id follows from firm and address, so there is one at a time.
type invitation struct {
	Firm      string    `bson:"firm"`
	Email     string    `bson:"email"` // as it was given
	Key       string    `bson:"key"`   // how it is compared
	Role      Role      `bson:"role"`
	CreatedAt time.Time `bson:"createdAt"`
	ExpiresAt time.Time `bson:"expiresAt"`
}

// invitePrefix tells the id of an invitation from that of an account.
const invitePrefix = "invite_"

func invitationID(firm, key string) string {
	sum := sha256.Sum256([]byte(firm + "\x00" + key))
	return invitePrefix + hex.EncodeToString(sum[:16])
}
