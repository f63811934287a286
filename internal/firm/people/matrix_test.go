package people

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ccms/internal/firm"
	"ccms/internal/httpserver"
)

// callers are the columns of the matrix: who asks about the firm of olga.
var callers = []string{"", "outsider", "vera", "adam", "olga", "stranger", "root", "client_X", "newcomer"}

// rows are all routes: what each caller is answered. A firm one has nothing to do
// with is 404 as if it were not there.
var rows = []struct {
	route, body string
	//      nobody outsider viewer admin owner stranger operator client unverified
	want [9]int
}{
	{"GET /api/firms", "", [9]int{401, 200, 200, 200, 200, 200, 200, 403, 403}},
	{"GET /api/firms?all", "", [9]int{401, 403, 403, 403, 403, 403, 200, 403, 403}},
	{"POST /api/firms", `{"name":"New"}`, [9]int{401, 403, 403, 403, 403, 403, 201, 403, 403}},
	{"GET /api/firms/{firm}", "", [9]int{401, 404, 200, 200, 200, 404, 200, 403, 403}},
	{"PUT /api/firms/{firm}", `{"name":"Acme Ltd"}`, [9]int{401, 404, 403, 200, 200, 404, 403, 403, 403}},
	{"POST /api/firms/{firm}/suspend", "", [9]int{401, 404, 403, 403, 403, 404, 200, 403, 403}},
	{"POST /api/firms/{firm}/resume", "", [9]int{401, 404, 403, 403, 403, 404, 200, 403, 403}},
	{"GET /api/firms/{firm}/audit", "", [9]int{401, 404, 403, 200, 200, 404, 200, 403, 403}},
	{"GET /api/firms/{firm}/members", "", [9]int{401, 404, 200, 200, 200, 404, 200, 403, 403}},
	{"POST /api/firms/{firm}/members", `{"email":"x@example.com","role":"viewer"}`, [9]int{401, 404, 403, 201, 201, 404, 201, 403, 403}},
	{"POST /api/firms/{firm}/members", `{"email":"y@example.com","role":"owner"}`, [9]int{401, 404, 403, 403, 201, 404, 201, 403, 403}},
	{"PATCH /api/firms/{firm}/members/victim", `{"role":"admin"}`, [9]int{401, 404, 403, 200, 200, 404, 200, 403, 403}},
	{"PATCH /api/firms/{firm}/members/victim", `{"role":"owner"}`, [9]int{401, 404, 403, 403, 200, 404, 200, 403, 403}},
	{"PATCH /api/firms/{firm}/members/oscar", `{"role":"viewer"}`, [9]int{401, 404, 403, 403, 200, 404, 200, 403, 403}},
	{"PATCH /api/firms/{firm}/members/stranger", `{"role":"viewer"}`, [9]int{401, 404, 403, 404, 404, 404, 404, 403, 403}},
	{"DELETE /api/firms/{firm}/members/victim", "", [9]int{401, 404, 403, 200, 200, 404, 200, 403, 403}},
	{"DELETE /api/firms/{firm}/members/oscar", "", [9]int{401, 404, 403, 403, 200, 404, 200, 403, 403}},
	{"DELETE /api/firms/{firm}/members/stranger", "", [9]int{401, 404, 403, 404, 404, 404, 404, 403, 403}},
	{"GET /api/firms/{firm}/clients", "", [9]int{401, 404, 200, 200, 200, 404, 403, 403, 403}},
	{"POST /api/firms/{firm}/clients", `{"name":"till"}`, [9]int{401, 404, 403, 201, 201, 404, 403, 403, 403}},
	{"GET /api/firms/{firm}/clients/{client}", "", [9]int{401, 404, 200, 200, 200, 404, 403, 403, 403}},
	{"PATCH /api/firms/{firm}/clients/{client}", `{"name":"desk"}`, [9]int{401, 404, 403, 200, 200, 404, 403, 403, 403}},
	{"POST /api/firms/{firm}/clients/{client}/rotate", `{}`, [9]int{401, 404, 403, 200, 200, 404, 403, 403, 403}},
	{"DELETE /api/firms/{firm}/clients/{client}", "", [9]int{401, 404, 403, 200, 200, 404, 403, 403, 403}},
	{"GET /api/firms/{firm}/clients/{another}", "", [9]int{401, 404, 404, 404, 404, 404, 403, 403, 403}},
	{"PATCH /api/firms/{firm}/clients/{another}", `{"name":"desk"}`, [9]int{401, 404, 403, 404, 404, 404, 403, 403, 403}},
	{"POST /api/firms/{firm}/clients/{another}/rotate", `{}`, [9]int{401, 404, 403, 404, 404, 404, 403, 403, 403}},
	{"DELETE /api/firms/{firm}/clients/{another}", "", [9]int{401, 404, 403, 404, 404, 404, 403, 403, 403}},
}

// town is a firm with all kinds of people around it.
type town struct {
	*house
	acme, other     firm.Firm
	another, client string
}

func newTown(t *testing.T) *town {
	h := open(t)
	n := &town{house: h, acme: h.firm("Acme", "olga"), other: h.firm("Other", "stranger")}
	h.member(n.acme, "vera", firm.Viewer)
	h.member(n.acme, "adam", firm.Admin)
	h.people.add("outsider")
	h.people.add("root")
	h.people.add("newcomer")
	h.people.alter("root", func(a *account) { a.marks = []string{"operator"} })
	h.people.alter("newcomer", func(a *account) { a.principal.Validated = false })
	c, text, err := h.firms.CreateClient(t.Context(), firm.Administrator(), firm.NewClient{FirmID: n.other.ID})
	if err != nil {
		t.Fatal(err)
	}
	text.Wipe()
	n.another = c.ID
	return n
}

// prepare puts back what a request may have changed, and returns its path.
func (n *town) prepare(route string) (method, path string) {
	ctx := n.t.Context()
	for id, role := range map[string]firm.Role{"victim": firm.Viewer, "oscar": firm.Owner} {
		w := firm.Standing{Firm: must(n.firms.Firm(ctx, n.acme.ID)), Operator: true}
		if strings.Contains(route, id) && w.Firm.Role(id) != role {
			if w.Firm.Role(id) != "" {
				must(n.firms.ChangeRole(ctx, firm.Administrator(), w, firm.RoleChange{Member: id, Role: role}))
			} else {
				n.member(n.acme, id, role)
			}
		}
	}
	if strings.Contains(route, "{client}") && (n.client == "" || must(n.firms.Client(ctx, n.client)).Revoked) {
		c, text, err := n.firms.CreateClient(ctx, firm.Administrator(), firm.NewClient{FirmID: n.acme.ID})
		if err != nil {
			n.t.Fatal(err)
		}
		text.Wipe()
		n.client = c.ID
	}
	must(n.firms.Suspend(ctx, firm.Administrator(), n.acme.ID, false))
	method, path, _ = strings.Cut(route, " ")
	return method, strings.NewReplacer("{firm}", n.acme.ID, "{client}", n.client, "{another}", n.another).Replace(path)
}

// state is everything a request could change.
func (n *town) state() string {
	ctx, text := n.t.Context(), ""
	for _, f := range []firm.Firm{n.acme, n.other} {
		now := must(n.firms.Firm(ctx, f.ID))
		text += fmt.Sprintf("%+v %+v %+v\n", now, must(n.firms.Clients(ctx, f.ID)), must(n.firms.Members(ctx, now)))
	}
	return text
}

var changing = regexp.MustCompile(`"(path|timestamp)":"[^"]*"`)

// TestEveryRouteForEveryCaller would fail if somebody could see or change what is
// not his, or a refusal told more than it should or changed anything.
func TestEveryRouteForEveryCaller(t *testing.T) {
	t.Parallel()
	n := newTown(t)
	for _, row := range rows {
		for i, as := range callers {
			method, path := n.prepare(row.route)
			before := n.state()
			a := n.ask(as, method, path, row.body)
			if a.status != row.want[i] {
				t.Errorf("%s as %q: %d, want %d: %s", row.route, as, a.status, row.want[i], a.raw)
			}
			if a.status < 400 {
				continue
			}
			if after := n.state(); after != before {
				t.Errorf("%s as %q is refused and changed\n%s\nto\n%s", row.route, as, before, after)
			}
			if a.status != http.StatusNotFound || !strings.Contains(row.route, "{firm}") {
				continue
			}
			none := n.ask(as, method, strings.Replace(path, n.acme.ID, "firm_AAAAAAAAAAAAAAAAAAAAAAAAAA", 1), row.body)
			if got, want := changing.ReplaceAllString(a.raw, ""), changing.ReplaceAllString(none.raw, ""); got != want {
				t.Errorf("%s as %q tells a firm from none:\n%s\n%s", row.route, as, got, want)
			}
		}
	}
}

// TestTheMatrixHasEveryRoute would fail if a route were added without a row.
func TestTheMatrixHasEveryRoute(t *testing.T) {
	t.Parallel()
	mux := httpserver.NewMux(nil)
	New(Config{}).Routes(mux)
	parameter := regexp.MustCompile(`(members|clients)/[^/?]+`)
	var tested []string
	for _, row := range rows {
		route, _, _ := strings.Cut(row.route, "?")
		tested = append(tested, parameter.ReplaceAllString(route, "$1/{}"))
	}
	for _, p := range mux.Patterns() {
		if !slices.Contains(tested, parameter.ReplaceAllString(p, "$1/{}")) {
			t.Errorf("no row for %s", p)
		}
	}
}

// TestASuspendedFirmCanBeSeenAndNotChanged is the same for its members.
func TestASuspendedFirmCanBeSeenAndNotChanged(t *testing.T) {
	t.Parallel()
	n := newTown(t)
	for _, row := range rows {
		if !strings.Contains(row.route, "{firm}") || strings.Contains(row.route, "suspend") || strings.Contains(row.route, "{another}") || strings.Contains(row.route, "stranger") {
			continue
		}
		method, path := n.prepare(row.route)
		must(n.firms.Suspend(t.Context(), firm.Administrator(), n.acme.ID, true))
		want := http.StatusForbidden
		if method == "GET" {
			want = http.StatusOK
		}
		n.want(want, "olga", method, path, row.body)
	}
	for _, subject := range []string{"olga", "vera"} {
		if a := n.want(http.StatusOK, "service", "GET", "/internal/firms/"+n.acme.ID+"/members/"+subject, ""); a.text("role") != "" {
			t.Errorf("a member of a suspended firm has a role elsewhere: %s", a.raw)
		}
	}
}

func TestInternalRoutesAreForOurServices(t *testing.T) {
	t.Parallel()
	n := newTown(t)
	n.prepare("{client}")
	paths := []string{"/internal/firms/" + n.acme.ID, "/internal/clients/" + n.client, "/internal/firms/" + n.acme.ID + "/members/olga"}
	for _, path := range paths {
		for _, as := range callers {
			n.want(http.StatusForbidden, as, "GET", path, "")
		}
		n.want(http.StatusOK, "service", "GET", path, "")
	}
}
