package oauth

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"time"

	"ccms/internal/audit"
	"ccms/internal/firm"
	"ccms/internal/identity"
)

// granted is the answer of RFC 6749 section 5.1.
type granted struct {
	Token   string `json:"access_token"`
	Type    string `json:"token_type"`
	Expires int    `json:"expires_in"` // seconds
	Scope   string `json:"scope"`
}

// postToken issues a token by client credentials (RFC 6749 section 4.4). What is
// wrong with the request alone is said before anybody is authenticated.
func (s *Service) postToken(r *http.Request, in form) (any, error) {
	if !in.has("grant_type") {
		return nil, malformed("Send grant_type=client_credentials.")
	}
	if in.text("grant_type") != "client_credentials" {
		return nil, badGrant()
	}
	c, method, err := s.authenticate(r, in, s.cfg.Clients.Active)
	if err != nil {
		return nil, err
	}
	scope, err := scopeFor(c, in.text("scope"))
	if err != nil {
		if err := s.note(r, c, act{"token.issue", audit.Refused, err.Error()}); err != nil {
			return nil, err
		}
		return nil, err
	}
	return s.issue(r, c, method, scope)
}

// issue makes the token and puts it on record before anybody has it. The record
// names the token by the hash of its id.
func (s *Service) issue(r *http.Request, c firm.Client, method, scope string) (granted, error) {
	id := rand.Text()
	token, err := s.cfg.Issuer.Issue(r.Context(), identity.Claims{
		Subject: c.ID, ClientID: c.ID, FirmID: c.FirmID, Mode: c.Mode, Scope: scope, TokenID: id,
	}, TokenLife)
	if err != nil {
		return granted{}, err
	}
	reason := method + " jti=" + digest(id) + " scope=" + scope
	if err := s.note(r, c, act{"token.issue", audit.Success, reason}); err != nil {
		return granted{}, err
	}
	return granted{token, "Bearer", int(TokenLife / time.Second), scope}, nil
}

// scopeFor returns the scope a client gets that asks for some: what it asks for,
// all of its own when it asks for none; anything beyond its own is refused
// (RFC 6749 section 3.3).
func scopeFor(c firm.Client, asked string) (string, error) {
	words := slices.Clone(c.Scopes)
	if asked != "" {
		words = strings.Split(asked, " ")
	}
	slices.Sort(words)
	words = slices.Compact(words)
	for _, word := range words {
		if !slices.Contains(c.Scopes, word) {
			return "", badScope("Ask for scopes of this client only, with one space between them.")
		}
	}
	if len(words) == 0 {
		return "", badScope("This client has no scope.")
	}
	return strings.Join(words, " "), nil
}
