package login

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/text/unicode/norm"

	"ccms/internal/mail"
	"ccms/internal/store"
)

const (
	maxEmail      = 254 // RFC 5321 section 4.5.3.1.3
	maxName       = 100
	historyLength = 4 // the current password and the three before (PCI DSS 8.3.7)

	knownFor      = 30 * 24 * time.Hour // decision B5
	knownNetworks = 20
)

// name of a person, as the contract has it.
type name struct {
	First string `bson:"first" json:"first"`
	Last  string `bson:"last" json:"last"`
}

// customer is one document of the collection Customer: the contract's fields
// (section 6.1) first, ours behind. Its id is opaque and never used again.
type customer struct {
	Username         string `bson:"username"`
	Name             name   `bson:"name"`
	Email            string `bson:"email"`
	Password         string `bson:"password"` // bcrypt
	AccountValidated bool   `bson:"accountValidated"`
	// The contract's two fields have a type that holds nothing but null: only
	// hashes of one-time tokens are kept, elsewhere (decision B8).
	VerificationToken  bson.Null `bson:"verificationToken"`
	ResetPasswordToken bson.Null `bson:"resetPasswordToken"`
	// PasswordHistory begins with the current password.
	PasswordHistory []string `bson:"passwordHistory"`

	// UsernameKey and EmailKey are what is unique; an account that is being
	// erased has none, so that nothing finds it.
	UsernameKey       string    `bson:"usernameKey,omitempty"`
	EmailKey          string    `bson:"emailKey,omitempty"`
	CreatedAt         time.Time `bson:"createdAt"`
	PasswordChangedAt time.Time `bson:"passwordChangedAt"`
	// Roles are those of members and operators (decision B13), none for a
	// cardholder.
	Roles []string `bson:"roles,omitempty"`
	// Generation is raised with the password: a reset token of an older one is
	// dead.
	Generation int64 `bson:"generation"`
	// LockEpoch is part of the key under which failures are counted; a reset
	// raises it and so leaves every count and lock behind.
	LockEpoch int64 `bson:"lockEpoch"`
	// VerifiedBy is the hash of the token that verified the address.
	VerifiedBy string `bson:"verifiedBy,omitempty"`
	// Pending is the address that will replace Email once it is verified.
	Pending *pendingEmail `bson:"pending,omitempty"`
	// Networks are those the account logged in from lately.
	Networks []knownNetwork `bson:"networks,omitempty"`
	Sessions []session      `bson:"sessions,omitempty"`
	// UnverifiedUntil is when an account never verified is erased.
	UnverifiedUntil *time.Time `bson:"unverifiedUntil,omitempty"`
	// Erasing is set, and everything above gone, from the decision to erase the
	// account until its cards are erased too.
	Erasing *time.Time `bson:"erasing,omitempty"`
}

type pendingEmail struct {
	Email string `bson:"email"`
	Key   string `bson:"key"`
}

type knownNetwork struct {
	Network string    `bson:"network"`
	Seen    time.Time `bson:"seen"`
}

func customerSpec() store.Spec {
	return store.Spec{
		Name:    "Customer",
		Unique:  []string{"usernameKey", "emailKey"},
		Ordered: []string{"unverifiedUntil", "erasing"},
	}
}

// foldKey is how addresses and usernames are compared (decision G): variants
// by case, width or composition are one.
func foldKey(s string) string {
	return strings.TrimSpace(norm.NFKC.String(strings.ToLower(norm.NFKC.String(s))))
}

// checkEmail reports whether an address may be registered.
func checkEmail(address string) bool {
	if len(address) > maxEmail || !utf8.ValidString(address) {
		return false
	}
	_, err := mail.ParseAddress(address)
	return err == nil
}

// usernameShape is decision B1's, in both cases: a name is shown as given.
var usernameShape = regexp.MustCompile(`^[A-Za-z0-9._-]{3,64}$`)

// tidyName returns n without space around it and whether it may be kept: 1 to
// 100 printable characters each.
func tidyName(n name) (name, bool) {
	n = name{strings.TrimSpace(n.First), strings.TrimSpace(n.Last)}
	return n, goodName(n.First) && goodName(n.Last)
}

func goodName(s string) bool {
	count := utf8.RuneCountInString(s)
	return count >= 1 && count <= maxName && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// ownWords are what a password must not be (decision B6).
func (c *customer) ownWords() []string {
	local, _, _ := strings.Cut(c.Email, "@")
	return []string{c.Username, c.Email, local, c.Name.First, c.Name.Last, c.Name.First + c.Name.Last, c.Name.Last + c.Name.First}
}

// setPassword makes hash the password and ends all sessions, the reset tokens
// still out and a pending change of address: whoever is locked out by a new
// password must not come back by one of them.
func (c *customer) setPassword(hash string, now time.Time) {
	c.Password = hash
	c.PasswordHistory = slices.Insert(c.PasswordHistory, 0, hash)
	c.PasswordHistory = c.PasswordHistory[:min(len(c.PasswordHistory), historyLength)]
	c.PasswordChangedAt = now
	c.Generation++
	c.Sessions, c.Pending = nil, nil
}

// rehash replaces the current password's hash by one of another cost.
func (c *customer) rehash(hash string) {
	if len(c.PasswordHistory) > 0 && c.PasswordHistory[0] == c.Password {
		c.PasswordHistory[0] = hash
	}
	c.Password = hash
}

// validate marks the current address as confirmed.
func (c *customer) validate() {
	c.AccountValidated = true
	c.UnverifiedUntil = nil
}

// knows reports whether the account logged in from a network lately.
func (c *customer) knows(network string, now time.Time) bool {
	return slices.ContainsFunc(c.Networks, func(k knownNetwork) bool {
		return k.Network == network && now.Sub(k.Seen) < knownFor
	})
}

// meet remembers a login from a network.
func (c *customer) meet(network string, now time.Time) {
	c.Networks = slices.DeleteFunc(c.Networks, func(k knownNetwork) bool {
		return k.Network == network || now.Sub(k.Seen) >= knownFor
	})
	c.Networks = slices.Insert(c.Networks, 0, knownNetwork{network, now})
	c.Networks = c.Networks[:min(len(c.Networks), knownNetworks)]
}

// byEmail finds the account with an address; ok is false when there is none.
func (s *Service) byEmail(ctx context.Context, key string) (rec store.Record[customer], ok bool, err error) {
	return s.byKey(ctx, "emailKey", key)
}

func (s *Service) byKey(ctx context.Context, field, key string) (store.Record[customer], bool, error) {
	rec, err := s.customers.First(ctx, store.Query{Where: []store.Cond{{Field: field, Op: store.Eq, Value: key}}})
	if errors.Is(err, store.ErrNotFound) {
		return rec, false, nil
	}
	return rec, err == nil, err
}
