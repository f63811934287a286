package oauth

import (
	"errors"
	"net/http"
	"strings"

	"ccms/internal/identity"
	"ccms/internal/problem"
)

// inactive is all that is said of a token the caller may not see, or that does
// not count (RFC 7662 section 2.2).
type inactive struct {
	Active bool `json:"active"` // false
}

// introspection is what is said of a token that counts.
type introspection struct {
	Active   bool   `json:"active"` // true
	Scope    string `json:"scope"`
	ClientID string `json:"client_id"`
	Type     string `json:"token_type"`
	Expires  int64  `json:"exp"`
	IssuedAt int64  `json:"iat"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Issuer   string `json:"iss"`
	TokenID  string `json:"jti"`
	FirmID   string `json:"firm_id,omitzero"`
	Mode     string `json:"mode,omitzero"`
}

// postIntrospect says what a token is worth (RFC 7662). A client sees the tokens
// of its own firm's clients, an operators' client those of the operators' own.
// token_type_hint is ignored: there is one type.
func (s *Service) postIntrospect(r *http.Request, in form) (any, error) {
	if !in.has("token") {
		return nil, malformed("Send the token as token.")
	}
	c, _, err := s.authenticate(r, in, s.client, s.cfg.Clients.Active)
	if err != nil {
		return nil, err
	}
	p, err := s.standing(r.Context(), in.text("token"))
	if isNo(err) || err == nil && p.FirmID != c.FirmID {
		return inactive{}, nil
	}
	if err != nil {
		return nil, err
	}
	return s.describe(p), nil
}

// isNo reports whether err says that a token does not count, other than that this
// could not be found out.
func isNo(err error) bool {
	return err != nil && (errors.Is(err, problem.NoToken()) || errors.Is(err, problem.ExpiredToken()))
}

func (s *Service) describe(p identity.Principal) introspection {
	return introspection{
		Active: true, Scope: strings.Join(p.Scope, " "), ClientID: p.ClientID, Type: "Bearer",
		Expires: p.Expires.Unix(), IssuedAt: p.Expires.Add(-TokenLife).Unix(), Subject: p.Subject,
		Audience: s.cfg.Audience, Issuer: s.base, TokenID: p.TokenID, FirmID: p.FirmID, Mode: p.Mode,
	}
}
