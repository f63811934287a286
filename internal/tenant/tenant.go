// Package tenant owns who may do what on firms' routes of the card service
// (decisions B13, D1, D6): a firm's client by the scopes of its token, a member
// by the role the firm gives him now. It does not check tokens (package bearer
// does), keeps no roles (the login service does, and package directory
// remembers them for 0.9 s), and leaves it to the domains which scope a route
// needs.
package tenant

import (
	"context"
	"net/http"

	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/problem"
)

// The headers by which a member says for which firm and in which mode he acts.
const (
	FirmHeader = "CCMS-Firm"
	ModeHeader = "CCMS-Mode"
)

// The modes of decision D8.
const (
	Test = "test"
	Live = "live"
)

// The roles of a firm's members (decision B13).
const (
	Owner  = "owner"
	Admin  = "admin"
	Viewer = "viewer"
)

// Config is what New needs.
type Config struct {
	// Authenticate finds out whose token came with a request.
	Authenticate httpserver.Authenticate
	// Role tells the role of an account in a firm now: "" or a problem.NotFound
	// when it has none. Other errors are answered as they are.
	Role func(ctx context.Context, firm, subject string) (string, error)
}

// Guard stands before firms' routes.
type Guard struct{ c Config }

// New returns a Guard.
func New(c Config) *Guard { return &Guard{c} }

// Require returns what authenticates the caller of a route that needs scope.
//
// The Principal has FirmID, Scope and Mode set. A client's are those of its
// token; one that names another firm or mode in a header is refused rather than
// misunderstood. A member names his firm with CCMS-Firm and may name a mode
// with CCMS-Mode; without it Mode is "", which means both where something is
// read (see OneMode). His scopes follow from his role: a viewer reads, an admin
// or owner also registers and manages, and nobody reveals a number.
//
// Its errors are those of Authenticate and Role, 403 UNVERIFIED_ACCOUNT, 403
// FORBIDDEN and, for a mode there is not, 400 VALIDATION_ERROR.
func (g *Guard) Require(scope string) httpserver.Authenticate {
	return func(r *http.Request) (identity.Principal, error) {
		p, err := g.c.Authenticate(r)
		if err != nil {
			return identity.Principal{}, err
		}
		if p.ClientID != "" {
			err = client(r, p, scope)
		} else {
			p, err = g.member(r, p, scope)
		}
		if err != nil {
			return identity.Principal{}, err
		}
		return p, nil
	}
}

// client refuses a token without the scope, an operator's client, which belongs
// to no firm, and headers that contradict the token.
func client(r *http.Request, p identity.Principal, scope string) error {
	if !p.Has(scope) {
		return problem.NeedsScope(scope)
	}
	if p.FirmID == "" || p.Mode != Test && p.Mode != Live {
		return problem.Denied("This path is for firms and their clients.")
	}
	if contradicts(r, FirmHeader, p.FirmID) || contradicts(r, ModeHeader, p.Mode) {
		return problem.Denied("A client acts for its own firm and in its own mode; leave " + FirmHeader + " and " + ModeHeader + " out.")
	}
	return nil
}

func contradicts(r *http.Request, header, own string) bool {
	for _, v := range r.Header.Values(header) {
		if v != own {
			return true
		}
	}
	return false
}

// member gives an account the scopes of its role in the firm it names. An
// unknown firm and one the account is no member of look alike. No other token
// would help where the role does not reach, so that is no insufficient_scope.
func (g *Guard) member(r *http.Request, p identity.Principal, scope string) (identity.Principal, error) {
	firm := r.Header.Values(FirmHeader)
	switch {
	case len(firm) != 1 || firm[0] == "" || p.Subject == "":
		return p, problem.Denied("This path is for firms; a member names his firm with " + FirmHeader + ".")
	case !p.Validated:
		return p, problem.Unverified()
	}
	role, err := g.c.Role(r.Context(), firm[0], p.Subject)
	if err != nil && problem.From(err).Kind != problem.NotFound {
		return p, err
	}
	scopes := scopesOf(role)
	if err != nil || scopes == nil {
		return p, problem.Denied("The account is no member of this firm.")
	}
	p.FirmID, p.Scope = firm[0], scopes
	if p.Mode, err = mode(r); err == nil && !p.Has(scope) {
		err = problem.Denied("This path needs a role with the scope " + scope + ".")
	}
	return p, err
}

func mode(r *http.Request) (string, error) {
	switch v := r.Header.Values(ModeHeader); {
	case len(v) == 0:
		return "", nil
	case len(v) == 1 && (v[0] == Test || v[0] == Live):
		return v[0], nil
	}
	return "", problem.Validation("Send " + ModeHeader + " as test or live.")
}

// scopesOf is what a role may do, nil for a role there is not.
func scopesOf(role string) []string {
	read := []string{identity.ScopeRead, identity.ScopeReports}
	switch role {
	case Viewer:
		return read
	case Admin, Owner:
		return append(read, identity.ScopeRegister, identity.ScopeManage, identity.ScopeWebhooks)
	}
	return nil
}

// OneMode returns the mode of a caller who is about to make or change something
// that lives in one; 400 VALIDATION_ERROR when a member did not name it.
func OneMode(p identity.Principal) (string, error) {
	if p.Mode == "" {
		return "", problem.Validation("Say with " + ModeHeader + " whether test or live is meant.")
	}
	return p.Mode, nil
}

// Modes are the modes that a caller of this one reads: its own, or both.
func Modes(mode string) []string {
	if mode == "" {
		return []string{Live, Test}
	}
	return []string{mode}
}

// Actor is the id under which a caller stands in the record: the client, or
// the member's account.
func Actor(p identity.Principal) string {
	if p.ClientID != "" {
		return p.ClientID
	}
	return p.Subject
}
