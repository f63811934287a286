package tenant_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/tenant"
)

var errStore = errors.New("store")

// guard takes everyone for p, whose role in firm_a is role.
func guard(p identity.Principal, role string) *tenant.Guard {
	return tenant.New(tenant.Config{
		Authenticate: func(*http.Request) (identity.Principal, error) {
			if p.Session == "none" {
				return identity.Principal{}, problem.NoToken()
			}
			return p, nil
		},
		Role: func(_ context.Context, firm, _ string) (string, error) {
			switch {
			case role == "broken":
				return "", problem.Database(errStore)
			case role == "absent" || firm != "firm_a":
				return "", problem.New(problem.NotFound, "NOT_FOUND", "Resource not found", "There is no such member.")
			}
			return role, nil
		},
	})
}

func TestRequire(t *testing.T) {
	client := identity.Principal{FirmID: "firm_a", ClientID: "c", Mode: "test", Scope: []string{identity.ScopeRead}}
	member := identity.Principal{Subject: "acc", Validated: true, Scope: []string{identity.ScopeAccount, identity.ScopeCards, identity.ScopeReveal}}
	operator := identity.Principal{ClientID: "o", Scope: []string{identity.ScopeActuator, identity.ScopeRead}}
	unverified := identity.Principal{Subject: "acc", Scope: []string{identity.ScopeAccount}}
	modeless := client
	modeless.Mode = ""
	for _, c := range []struct {
		name       string
		who        identity.Principal
		role       string
		firm, mode []string // headers
		scope      string
		want       string // code of the error
		gets       string // mode
	}{
		{"a client with the scope", client, "", nil, nil, identity.ScopeRead, "", "test"},
		{"a client without the scope", client, "", nil, nil, identity.ScopeManage, "FORBIDDEN", ""},
		{"a client that names its own firm and mode", client, "", []string{"firm_a"}, []string{"test"}, identity.ScopeRead, "", "test"},
		{"a client that names another firm", client, "", []string{"firm_b"}, nil, identity.ScopeRead, "FORBIDDEN", ""},
		{"a client that names its own firm and another", client, "", []string{"firm_a", "firm_b"}, nil, identity.ScopeRead, "FORBIDDEN", ""},
		{"a client that names the other mode", client, "", nil, []string{"live"}, identity.ScopeRead, "FORBIDDEN", ""},
		{"a client whose token names no mode", modeless, "", nil, nil, identity.ScopeRead, "FORBIDDEN", ""},
		{"an operator's client", operator, "", nil, nil, identity.ScopeRead, "FORBIDDEN", ""},
		{"an operator's client that names a firm", operator, "", []string{"firm_a"}, nil, identity.ScopeRead, "FORBIDDEN", ""},
		{"a cardholder", member, "", nil, nil, identity.ScopeRead, "FORBIDDEN", ""},
		{"a cardholder who names a firm", member, "", []string{"firm_a"}, nil, identity.ScopeRead, "FORBIDDEN", ""},
		{"a cardholder the firm does not know", member, "absent", []string{"firm_a"}, nil, identity.ScopeRead, "FORBIDDEN", ""},
		{"a cardholder who names an empty firm", member, "owner", []string{""}, nil, identity.ScopeRead, "FORBIDDEN", ""},
		{"a member who names two firms", member, "owner", []string{"firm_a", "firm_a"}, nil, identity.ScopeRead, "FORBIDDEN", ""},
		{"a member of another firm", member, "owner", []string{"firm_b"}, nil, identity.ScopeRead, "FORBIDDEN", ""},
		{"a member with an unverified account", unverified, "owner", []string{"firm_a"}, nil, identity.ScopeRead, "UNVERIFIED_ACCOUNT", ""},
		{"a member with a role there is not", member, "king", []string{"firm_a"}, nil, identity.ScopeRead, "FORBIDDEN", ""},
		{"a viewer who reads", member, "viewer", []string{"firm_a"}, nil, identity.ScopeRead, "", ""},
		{"a viewer who reads reports", member, "viewer", []string{"firm_a"}, []string{"live"}, identity.ScopeReports, "", "live"},
		{"a viewer who registers", member, "viewer", []string{"firm_a"}, []string{"test"}, identity.ScopeRegister, "FORBIDDEN", ""},
		{"a viewer who manages", member, "viewer", []string{"firm_a"}, nil, identity.ScopeManage, "FORBIDDEN", ""},
		{"an admin who registers", member, "admin", []string{"firm_a"}, []string{"test"}, identity.ScopeRegister, "", "test"},
		{"an admin who manages webhooks", member, "admin", []string{"firm_a"}, nil, identity.ScopeWebhooks, "", ""},
		{"an owner who manages", member, "owner", []string{"firm_a"}, nil, identity.ScopeManage, "", ""},
		{"an owner who reveals", member, "owner", []string{"firm_a"}, nil, identity.ScopeReveal, "FORBIDDEN", ""},
		{"an owner in a mode there is not", member, "owner", []string{"firm_a"}, []string{"prod"}, identity.ScopeRead, "VALIDATION_ERROR", ""},
		{"an owner in two modes", member, "owner", []string{"firm_a"}, []string{"test", "live"}, identity.ScopeRead, "VALIDATION_ERROR", ""},
		{"a member whose role cannot be read", member, "broken", []string{"firm_a"}, nil, identity.ScopeRead, "DATABASE_ERROR", ""},
		{"nobody", identity.Principal{Session: "none"}, "", nil, nil, identity.ScopeRead, "UNAUTHORIZED", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/x", nil)
			r.Header["Ccms-Firm"], r.Header["Ccms-Mode"] = c.firm, c.mode
			p, err := guard(c.who, c.role).Require(c.scope)(r)
			if c.want != "" {
				if err == nil || problem.From(err).Code != c.want || p.FirmID != "" {
					t.Errorf("got %+v, %v, want %s", p, err, c.want)
				}
				return
			}
			if err != nil || p.FirmID != "firm_a" || p.Mode != c.gets || !p.Has(c.scope) || p.Subject != "" && p.Has(identity.ScopeReveal) {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
}

// TestTheRoleOfNowCounts would fail if a role lived on after it was taken away.
func TestTheRoleOfNowCounts(t *testing.T) {
	role := tenant.Owner
	g := tenant.New(tenant.Config{
		Authenticate: func(*http.Request) (identity.Principal, error) {
			return identity.Principal{Subject: "acc", Validated: true}, nil
		},
		Role: func(context.Context, string, string) (string, error) { return role, nil },
	})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/x", nil)
	r.Header.Set(tenant.FirmHeader, "firm_a")
	check := g.Require(identity.ScopeManage)
	if _, err := check(r); err != nil {
		t.Fatal(err)
	}
	for _, role = range []string{tenant.Viewer, ""} {
		if _, err := check(r); err == nil {
			t.Errorf("the role %q manages", role)
		}
	}
}

// TestOnlyALackingScopeIsToldAsSuch would fail if a client could not see from
// the challenge which scope to ask for (RFC 6750 section 3.1), or if a person
// were sent for a token that would not help.
func TestOnlyALackingScopeIsToldAsSuch(t *testing.T) {
	reads := []string{identity.ScopeRead}
	for _, c := range []struct {
		name string
		who  identity.Principal
		want string
	}{
		{"a client without the scope", identity.Principal{FirmID: "firm_a", ClientID: "c", Mode: "test", Scope: reads}, identity.ScopeManage},
		{"an operator's client", identity.Principal{ClientID: "o", Scope: []string{identity.ScopeActuator}}, identity.ScopeManage},
		{"a client of another firm", identity.Principal{FirmID: "firm_b", ClientID: "c", Mode: "test", Scope: []string{identity.ScopeManage}}, ""},
		{"a viewer", identity.Principal{Subject: "acc", Validated: true}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/x", nil)
			r.Header.Set(tenant.FirmHeader, "firm_a")
			_, err := guard(c.who, "viewer").Require(identity.ScopeManage)(r)
			if e := problem.From(err); e.Code != "FORBIDDEN" || e.Scope != c.want {
				t.Errorf("got %v with the scope %q, want %q", err, e.Scope, c.want)
			}
		})
	}
}

func TestModes(t *testing.T) {
	if got := tenant.Modes(""); !slices.Equal(got, []string{"live", "test"}) {
		t.Errorf("without a mode: %q", got)
	}
	if got := tenant.Modes("test"); !slices.Equal(got, []string{"test"}) {
		t.Errorf("in test: %q", got)
	}
	if _, err := tenant.OneMode(identity.Principal{}); err == nil {
		t.Error("no mode is taken for one")
	}
	if m, err := tenant.OneMode(identity.Principal{Mode: "live"}); err != nil || m != "live" {
		t.Errorf("got %q, %v", m, err)
	}
	if tenant.Actor(identity.Principal{ClientID: "c", Subject: "s"}) != "c" || tenant.Actor(identity.Principal{Subject: "s"}) != "s" {
		t.Error("the actor is somebody else")
	}
}
