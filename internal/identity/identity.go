// Package identity owns who a caller is: the Principal behind a request, the
// tokens that carry it (issue and verify, JWKS) and the proof our own services
// give each other (decision A8). It does not know passwords or sessions
// (package login) and opens no connection.
package identity

import (
	"context"
	"slices"
	"time"
)

// Principal is an authenticated caller: a person (Subject set) or a firm's
// client (ClientID set).
type Principal struct {
	Subject   string // opaque account id
	Username  string
	Email     string
	Validated bool   // the e-mail address was confirmed
	Session   string // sid
	TokenID   string // jti
	FirmID    string
	ClientID  string
	Mode      string // test or live, of firms' clients
	Scope     []string
	Expires   time.Time
}

// The scopes of a cardholder's token (decision B11).
const (
	ScopeAccount = "account"
	ScopeCards   = "cards"
)

// The scopes of firms' clients and, the last one, of operators' (decision D1).
const (
	ScopeRegister = "cards:register"
	ScopeRead     = "cards:read"
	ScopeReveal   = "cards:reveal"
	ScopeManage   = "cards:manage"
	ScopeReports  = "reports:read"
	ScopeWebhooks = "webhooks:manage"
	ScopeActuator = "actuator:read"
)

// The purposes of a proof between our services (decision A8). It travels in the
// header ProofHeader.
const (
	ProofHeader     = "CCMS-Proof"
	PurposeForward  = "forward"  // vouches for the client's address
	PurposeInternal = "internal" // opens /internal/**
	PurposeRegistry = "registry" // writes reserved names in the registry
)

// Has reports whether the principal holds a scope.
func (p Principal) Has(scope string) bool { return slices.Contains(p.Scope, scope) }

type contextKey struct{}

// NewContext returns a context that carries p.
func NewContext(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// FromContext returns the principal put in by NewContext; the zero Principal
// when there is none.
func FromContext(ctx context.Context) Principal {
	p, _ := ctx.Value(contextKey{}).(Principal)
	return p
}
