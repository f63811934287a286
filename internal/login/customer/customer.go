// Package customer owns the document of an account, the contract's Customer
// (section 6.1), with its rules: what a username, a name and an address look
// like and which of them are the same, what a new password ends, which networks
// are known, which sessions go on, when an address counts as confirmed.
//
// It does not decide who may change an account, hashes no password (packages
// gate and password), makes no token (session, onetime) and sends no mail. Its
// rules are on values alone: whoever changes an account does so by one
// conditional write of a Collection, and may apply a rule again when it lost a
// race.
package customer

import (
	"errors"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Customer is one document: the contract's fields first, ours behind. Its id is
// opaque and never used again.
type Customer struct {
	Username         string `bson:"username"`
	Name             Name   `bson:"name"`
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
	Pending *PendingEmail `bson:"pending,omitempty"`
	// Networks are those the account logged in from lately.
	Networks []KnownNetwork `bson:"networks,omitempty"`
	Sessions []Session      `bson:"sessions,omitempty"`
	// UnverifiedUntil is when an account never verified is erased.
	UnverifiedUntil *time.Time `bson:"unverifiedUntil,omitempty"`
	// Erasing is set, and everything above gone, from the decision to erase the
	// account until its cards are erased too.
	Erasing *time.Time `bson:"erasing,omitempty"`
}

// Name is a person's, as the contract has it.
type Name struct {
	First string `bson:"first" json:"first"`
	Last  string `bson:"last" json:"last"`
}

// PendingEmail is an address not confirmed yet, and its key.
type PendingEmail struct {
	Email string `bson:"email"`
	Key   string `bson:"key"`
}

// KnownNetwork is a /24 or /56 the account logged in from.
type KnownNetwork struct {
	Network string    `bson:"network" json:"network"`
	Seen    time.Time `bson:"seen" json:"seen"`
}

const (
	historyLength = 4 // the current password and the three before (PCI DSS 8.3.7)

	knownFor      = 30 * 24 * time.Hour // decision B5
	knownNetworks = 20
)

// OwnWords are what the password must not be (decision B6).
func (c *Customer) OwnWords() []string {
	local, _, _ := strings.Cut(c.Email, "@")
	return []string{c.Username, c.Email, local, c.Name.First, c.Name.Last, c.Name.First + c.Name.Last, c.Name.Last + c.Name.First}
}

// SetPassword makes hash the password and ends all sessions, the reset tokens
// still out and a pending change of address: whoever is locked out by a new
// password must not come back by one of them.
func (c *Customer) SetPassword(hash string, now time.Time) {
	c.Password = hash
	c.PasswordHistory = slices.Insert(c.PasswordHistory, 0, hash)
	c.PasswordHistory = c.PasswordHistory[:min(len(c.PasswordHistory), historyLength)]
	c.PasswordChangedAt = now
	c.Generation++
	c.Sessions, c.Pending = nil, nil
}

// Rehash replaces the current password's hash by one of another cost.
func (c *Customer) Rehash(hash string) {
	if len(c.PasswordHistory) > 0 && c.PasswordHistory[0] == c.Password {
		c.PasswordHistory[0] = hash
	}
	c.Password = hash
}

// Validate marks the current address as confirmed.
func (c *Customer) Validate() {
	c.AccountValidated = true
	c.UnverifiedUntil = nil
}

// What Confirm says when there is nothing to confirm.
var (
	ErrConfirmed = errors.New("customer: confirmed before by the same token")
	ErrUnasked   = errors.New("customer: not an address to confirm")
)

// Confirm applies a verification token, known by its hash, for the address with
// this key. The token counts again while it lives (ErrConfirmed); another one for
// an address verified meanwhile does not (ErrUnasked; decisions B8 and G).
func (c *Customer) Confirm(address, token string) error {
	switch {
	case c.Pending != nil && address == c.Pending.Key:
		c.Email, c.EmailKey, c.Pending = c.Pending.Email, c.Pending.Key, nil
	case address != c.EmailKey:
		return ErrUnasked
	case c.AccountValidated && (c.VerifiedBy == "" || c.VerifiedBy == token):
		return ErrConfirmed
	case c.AccountValidated:
		return ErrUnasked
	}
	c.Validate()
	c.VerifiedBy = token
	return nil
}

// Erase leaves nothing of the person. The document stays, for what has to
// follow, and its tokens are dead.
func (c *Customer) Erase(now time.Time) {
	*c = Customer{CreatedAt: c.CreatedAt, Generation: c.Generation + 1, Erasing: &now}
}

// Knows reports whether the account logged in from a network lately.
func (c *Customer) Knows(network string, now time.Time) bool {
	return slices.ContainsFunc(c.Networks, func(k KnownNetwork) bool {
		return k.Network == network && now.Sub(k.Seen) < knownFor
	})
}

// Meet remembers a login from a network.
func (c *Customer) Meet(network string, now time.Time) {
	c.Networks = slices.DeleteFunc(c.Networks, func(k KnownNetwork) bool {
		return k.Network == network || now.Sub(k.Seen) >= knownFor
	})
	c.Networks = slices.Insert(c.Networks, 0, KnownNetwork{network, now})
	c.Networks = c.Networks[:min(len(c.Networks), knownNetworks)]
}
