package oauth

import (
	"errors"
	"net/http"
	"time"

	"ccms/internal/audit"
	"ccms/internal/firm"
	"ccms/internal/identity"
	"ccms/internal/store"
)

// revokedToken is the mark that a token was revoked, kept until the token has
// expired by itself. Its id stands for the token's.
type revokedToken struct {
	Client  string    `bson:"client"`
	Expires time.Time `bson:"expires"`
}

// done is the empty answer of RFC 7009 section 2.2.
type done struct{}

// postRevoke ends a token (RFC 7009). Unknown, expired and foreign tokens look
// alike; a token of another client of the same firm is refused (section 2.1).
func (s *Service) postRevoke(r *http.Request, in form) (any, error) {
	if !in.has("token") {
		return nil, malformed("Send the token as token.")
	}
	c, _, err := s.authenticate(r, in, s.cfg.Clients.Active)
	if err != nil {
		return nil, err
	}
	token := in.text("token")
	p, err := s.cfg.Verifier.Verify(r.Context(), token)
	if isNo(err) || err == nil && (p.ClientID == "" || p.FirmID != c.FirmID) {
		return done{}, nil
	}
	if err != nil {
		return nil, err
	}
	if p.ClientID != c.ID {
		return nil, notYours()
	}
	defer s.forget(token)
	return done{}, s.revoke(r, c, p)
}

// revoke marks a token of c: on record before it happens. A token that is marked
// already stays so.
func (s *Service) revoke(r *http.Request, c firm.Client, p identity.Principal) error {
	id := digest(p.TokenID)
	return s.cfg.Audit.Do(r.Context(), entry(r, c, "token.revoke", "jti="+id), func(*audit.Act) error {
		err := s.revoked.Insert(r.Context(), id, revokedToken{c.ID, p.Expires})
		if errors.Is(err, store.ErrExists) {
			return nil
		}
		return err
	})
}
