package registration_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ccms/internal/identity"
)

// route is one of the firms' routes, as it succeeds in the hands of who may.
type route struct {
	name  string
	scope string
	call  call
	ok    int
	// one says that the route needs a mode, which a member must name.
	one bool
	// thing says that the call names a registration of firm_a in test mode, so
	// that to others it is a 404.
	thing bool
}

func routesOf(id string) []route {
	bulk := call{method: "POST", path: "/v1/registrations/bulk", body: cardBody(visa), media: "application/x-ndjson"}
	return []route{
		{"register", identity.ScopeRegister, call{method: "POST", path: "/register", body: cardBody(visa)}, 201, true, false},
		{"bulk", identity.ScopeRegister, bulk, 200, true, false},
		{"status", identity.ScopeRead, call{method: "GET", path: "/status/" + id}, 200, false, true},
		{"status by query", identity.ScopeRead, call{method: "GET", path: "/status?registration_id=" + id}, 200, false, true},
		{"list", identity.ScopeRead, call{method: "GET", path: "/v1/registrations"}, 200, false, false},
		{"delete", identity.ScopeManage, call{method: "DELETE", path: "/v1/registrations/" + id}, 200, false, true},
		{"settings", identity.ScopeRead, call{method: "GET", path: "/v1/settings"}, 200, true, false},
		{"change of settings", identity.ScopeManage, call{method: "PUT", path: "/v1/settings", body: `{"verification":{"velocity":"flag"}}`}, 200, true, false},
	}
}

// person is who sends a request of the matrix.
type person struct {
	name, token, firm, mode string
	scopes                  []string // none: refused whatever the scope
	refused                 string   // code instead of FORBIDDEN
	stranger                bool     // of another firm, or in the other mode
	modeless                bool
}

func people() []person {
	all := strings.Split(allScopes, ",")
	read, write := []string{identity.ScopeRead}, all
	list := []person{
		{name: "nobody", refused: "UNAUTHORIZED"},
		{name: "a cardholder", token: "member holder@nowhere"},
		{name: "a cardholder who names the firm", token: "member holder@nowhere", firm: "firm_a", mode: "test"},
		{name: "the firm's client", token: client("firm_a", "test"), scopes: all},
		{name: "the firm's client in the other mode", token: client("firm_a", "live"), scopes: all, stranger: true},
		{name: "another firm's client", token: client("firm_b", "test"), scopes: all, stranger: true},
		{name: "another firm's client that names this one", token: client("firm_b", "test"), firm: "firm_a"},
		{name: "another firm's owner", token: "member owner@firm_b", firm: "firm_a", mode: "test"},
		{name: "another firm's owner at home", token: "member owner@firm_b", firm: "firm_b", mode: "test", scopes: write, stranger: true},
		{name: "a viewer", token: "member viewer@firm_a", firm: "firm_a", mode: "test", scopes: read},
		{name: "an admin", token: "member admin@firm_a", firm: "firm_a", mode: "test", scopes: write},
		{name: "an owner", token: "member owner@firm_a", firm: "firm_a", mode: "test", scopes: write},
		{name: "an owner who names no mode", token: "member owner@firm_a", firm: "firm_a", scopes: write, modeless: true},
		{name: "an owner in the other mode", token: "member owner@firm_a", firm: "firm_a", mode: "live", scopes: write, stranger: true},
	}
	for _, missing := range all {
		rest := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == missing })
		list = append(list, person{name: "the client without " + missing, token: "client firm_a test " + strings.Join(rest, ","), scopes: rest})
	}
	return list
}

// wants is the status, and the code of a refusal, that a person gets on a route.
func (p person) wants(r route) (int, string) {
	switch {
	case p.refused != "":
		return 401, p.refused
	case !slices.Contains(p.scopes, r.scope):
		return 403, "FORBIDDEN"
	case p.modeless && r.one:
		return 400, "VALIDATION_ERROR"
	case p.stranger && r.thing:
		return 404, "NOT_FOUND"
	case r.name == "register" && inLive(p):
		return 400, "INVALID_CARD" // a test number
	}
	return r.ok, ""
}

func inLive(p person) bool {
	return p.mode == "live" || strings.HasPrefix(p.token, "client") && strings.Fields(p.token)[2] == "live"
}

// TestEveryRouteForEveryone is the matrix of routes, roles and tenants. It would
// fail if anyone read or changed what is not his.
func TestEveryRouteForEveryone(t *testing.T) {
	w := newWorld(t)
	owner := client("firm_a", "test")
	for _, p := range people() {
		for i := range routesOf("") {
			r := routesOf(w.register(owner, visa, member{"reference", `"firm_a's own"`}))[i]
			t.Run(p.name+" "+r.name, func(t *testing.T) {
				c := r.call
				c.as, c.firm, c.mode = p.token, p.firm, p.mode
				a := w.do(c)
				status, code := p.wants(r)
				want(t, a, status, code)
				if p.stranger && strings.Contains(a.body, "firm_a's own") {
					t.Errorf("a stranger got %s", a.body)
				}
				if id := strings.TrimPrefix(c.path, "/v1/registrations/"); r.name == "delete" && status != 200 {
					w.statusOf(owner, id)
				}
			})
		}
	}
	foreign := w.do(call{method: "GET", path: "/v1/settings", as: client("firm_b", "live")})
	want(t, foreign, 200, "")
	if got := fmt.Sprint(foreign.body); got != `{"verification":{"velocity":"flag","bin_walk":"flag"}}` {
		t.Errorf("settings of one firm and mode reached another: %s", got)
	}
}
