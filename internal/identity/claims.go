package identity

import (
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Claims is what a token says, under the names decision B11 gives (RFC 7519
// for the registered ones). Issue fills Issuer, Audience, IssuedAt, Expires
// and, when empty, TokenID.
type Claims struct {
	Issuer    string `json:"iss"`
	Audience  string `json:"aud"`
	Subject   string `json:"sub"` // opaque; a firm's client: its client_id (RFC 9068)
	IssuedAt  int64  `json:"iat"` // seconds since 1970
	NotBefore int64  `json:"nbf,omitzero"`
	Expires   int64  `json:"exp"`
	TokenID   string `json:"jti"`
	Session   string `json:"sid,omitzero"`
	Username  string `json:"username,omitzero"`
	Email     string `json:"email,omitzero"`
	Validated *bool  `json:"accountValidated,omitzero"` // nil in firms' tokens
	Scope     string `json:"scope,omitzero"`            // words with a space between
	FirmID    string `json:"firm_id,omitzero"`
	ClientID  string `json:"client_id,omitzero"`
	Mode      string `json:"mode,omitzero"` // test or live, firms' tokens only

	// Unknown takes what a later version may add, so that services of two
	// versions understand each other's tokens. Always empty when issued.
	Unknown map[string]jsontext.Value `json:",embed"`
}

// claimNames are the members of Claims, to find variants of them by case.
var claimNames = []string{
	"iss", "aud", "sub", "iat", "nbf", "exp", "jti", "sid", "username", "email",
	"accountValidated", "scope", "firm_id", "client_id", "mode",
}

// The refusals of a payload. They are causes for the log of a developer; the
// caller of the service learns NoToken and nothing else.
var (
	errClaimVariant = errors.New("claim name differs from a known one by case")
	errClaimMissing = errors.New("required claim missing")
	errClaimTimes   = errors.New("claims' times contradict each other")
)

// decodeClaims reads a payload: one JSON object without duplicate members, no
// member that differs from a known one by case alone, and the claims that every
// token of ours has.
func decodeClaims(payload []byte) (Claims, error) {
	var c Claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return c, err
	}
	for name := range c.Unknown {
		for _, known := range claimNames {
			if strings.EqualFold(name, known) {
				return c, errClaimVariant
			}
		}
	}
	if c.Issuer == "" || c.Audience == "" || c.Subject == "" || c.TokenID == "" {
		return c, errClaimMissing
	}
	if c.IssuedAt <= 0 || c.Expires <= 0 {
		return c, errClaimMissing
	}
	if c.Expires < c.IssuedAt || c.NotBefore < 0 {
		return c, errClaimTimes
	}
	return c, nil
}

// Principal is the caller c speaks of.
func (c Claims) Principal() Principal {
	return Principal{
		Subject:   c.Subject,
		Username:  c.Username,
		Email:     c.Email,
		Validated: c.Validated != nil && *c.Validated,
		Session:   c.Session,
		TokenID:   c.TokenID,
		FirmID:    c.FirmID,
		ClientID:  c.ClientID,
		Mode:      c.Mode,
		Scope:     strings.Fields(c.Scope),
		Expires:   time.Unix(c.Expires, 0).UTC(),
	}
}
