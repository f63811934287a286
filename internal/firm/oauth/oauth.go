// Package oauth owns the OAuth 2.0 endpoints for firms' and operators' clients
// (decision D1): tokens by client credentials (RFC 6749 section 4.4),
// introspection (RFC 7662), revocation (RFC 7009), the metadata that leads to
// them (RFC 8414), and the answer to the question whether a token of a client
// still counts.
//
// It does not own clients: whether one is active, its scopes, secrets and keys
// are package firm's, read live. It signs and verifies nothing of ours (package
// identity) and publishes no keys (package login does).
//
// # Where things are
//
//   - token.go, introspect.go, revoke.go, metadata.go: one file per endpoint
//   - client.go: who asks, by which of the three methods; assertion.go: the
//     third, private_key_jwt; form.go: the body and the header they come in
//   - check.go: whether a token still counts
//   - refusal.go: the errors of RFC 6749 section 5.2
//
// # How it holds together
//
// A token is a signed statement about a client, and nothing of it is stored. What
// is stored are the exceptions, each until it has expired by itself: tokens that
// were revoked, and assertions that were used. So a token costs one signature and
// its line in the record, which many tokens share a write for.
package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"ccms/internal/audit"
	"ccms/internal/firm"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/limit"
	"ccms/internal/store"
)

// TokenLife is how long a client's token lives (decision D1).
const TokenLife = 10 * time.Minute

// The paths of the endpoints (decision G).
const (
	tokenPath      = "/oauth2/token" // #nosec G101 -- a path
	introspectPath = "/oauth2/introspect"
	revokePath     = "/oauth2/revoke"
	metadataPath   = "/.well-known/oauth-authorization-server"
	keysPath       = "/.well-known/jwks.json"
)

// Clients are those of all firms and of the operators; *firm.Service is one.
type Clients interface {
	// Active returns the client as it is now; firm.ErrInactive when there is
	// none, it was revoked or its firm is suspended.
	Active(ctx context.Context, id string) (firm.Client, error)
	// Used notes that the client was there, if that is news.
	Used(ctx context.Context, c firm.Client) error
}

// Config is what Open needs.
type Config struct {
	DB       store.DB
	Clients  Clients
	Issuer   *identity.Issuer
	Verifier *identity.Verifier
	Audit    *audit.Log
	// Counters count failed authentications.
	Counters *limit.Counters
	// PublicURL is the issuer, and the base of the endpoints' URLs.
	PublicURL *url.URL
	// Audience is the aud of our tokens. Default ccms.
	Audience string
	// FailuresPerClient is how many failed authentications one client id may
	// have in five minutes; past it a failure is answered with 429 instead of
	// 401. A client that authenticates is never refused. Default 30.
	FailuresPerClient int
	// FailuresPerNetwork is the same of one network, /24 or /56. Default 300.
	FailuresPerNetwork int

	Log *slog.Logger     // default slog.Default()
	Now func() time.Time // default time.Now
}

// Service answers the OAuth 2.0 endpoints.
type Service struct {
	cfg     Config
	base    string // the issuer, without a slash at its end
	used    *store.Of[usedAssertion]
	revoked *store.Of[revokedToken]
	recent  *memory
}

// Open opens the collections UsedAssertion and RevokedToken.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	cfg.setDefaults()
	s := &Service{cfg: cfg, base: cfg.PublicURL.String(), recent: newMemory()}
	var err error
	if s.used, err = store.Open[usedAssertion](ctx, cfg.DB, store.Spec{Name: "UsedAssertion", Expires: "expires"}); err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	if s.revoked, err = store.Open[revokedToken](ctx, cfg.DB, store.Spec{Name: "RevokedToken", Expires: "expires"}); err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	return s, nil
}

func (c *Config) setDefaults() {
	if c.Audience == "" {
		c.Audience = "ccms"
	}
	if c.FailuresPerClient == 0 {
		c.FailuresPerClient = 30
	}
	if c.FailuresPerNetwork == 0 {
		c.FailuresPerNetwork = 300
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// Routes registers the endpoints.
func (s *Service) Routes(mux *httpserver.Mux) {
	mux.Handle("POST "+tokenPath, s.endpoint(s.postToken))
	mux.Handle("POST "+introspectPath, s.endpoint(s.postIntrospect))
	mux.Handle("POST "+revokePath, s.endpoint(s.postRevoke))
	mux.Handle("GET "+metadataPath, s.getMetadata)
}

// endpoint adapts f: it reads the form, and wipes it when f is done. Errors are
// those of RFC 6749 section 5.2.
func (s *Service) endpoint(f func(r *http.Request, in form) (any, error)) httpserver.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Pragma", "no-cache")
		in, err := readForm(w, r)
		if err != nil {
			return s.refuse(w, r, err)
		}
		defer in.wipe()
		out, err := f(r, in)
		if err != nil {
			return s.refuse(w, r, err)
		}
		return httpserver.WriteJSON(w, http.StatusOK, out)
	}
}

// digest stands for a value where the value itself should not be kept.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
