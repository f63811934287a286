package people

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ccms/internal/audit"
	"ccms/internal/firm"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

func (h *house) marks(id string) []string {
	_, marks, _ := h.people.ByID(h.t.Context(), id)
	return marks
}

// shown are the members as somebody sees them: address, role, status.
func (h *house) shown(as, firmID string) []string {
	h.t.Helper()
	var all []string
	data, _ := h.want(http.StatusOK, as, "GET", "/api/firms/"+firmID+"/members", "").body["data"].([]any)
	for _, m := range data {
		m := m.(map[string]any)
		all = append(all, fmt.Sprint(m["email"], " ", m["role"], " ", m["status"]))
	}
	return all
}

func TestAnInvitationDoesNotTellWhetherThereIsAnAccount(t *testing.T) {
	t.Parallel()
	h := open(t)
	f := h.firm("Acme", "olga")
	h.people.add("ann")
	at := "/api/firms/" + f.ID + "/members"
	known := h.want(http.StatusCreated, "olga", "POST", at, `{"email":"ann@example.com","role":"viewer"}`)
	unknown := h.want(http.StatusCreated, "olga", "POST", at, `{"email":"bob@example.com","role":"viewer"}`)
	for _, a := range []answer{known, unknown} {
		for _, key := range []string{"member_id", "email", "since", "expires_at"} {
			if a.text(key) == "" {
				t.Errorf("no %s: %s", key, a.raw)
			}
			delete(a.body, key)
		}
	}
	if a, b := fmt.Sprint(known.body), fmt.Sprint(unknown.body); a != b {
		t.Errorf("%s and %s", a, b)
	}
	if got := h.shown("olga", f.ID); len(got) != 3 || !slices.Contains(got, "ann@example.com viewer invited") || !slices.Contains(got, "bob@example.com viewer invited") {
		t.Errorf("shown %q", got)
	}
}

func TestAnInvitationTakesEffectForTheConfirmedAddress(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(h *house, f firm.Firm) string{
		"when the person looks at his firms": func(h *house, f firm.Firm) string { return "GET /api/firms" },
		"when he opens the firm":             func(h *house, f firm.Firm) string { return "GET /api/firms/" + f.ID },
		"when he opens a part of it":         func(h *house, f firm.Firm) string { return "GET /api/firms/" + f.ID + "/clients" },
		"when another service asks for him":  func(h *house, f firm.Firm) string { return "GET /internal/firms/" + f.ID + "/members/bob" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			f := h.firm("Acme", "olga")
			h.want(http.StatusCreated, "olga", "POST", "/api/firms/"+f.ID+"/members", `{"email":"Bob@Example.com","role":"admin"}`)
			h.people.add("bob")
			h.people.alter("bob", func(a *account) { a.principal.Validated = false })
			method, path, _ := strings.Cut(ask(h, f), " ")
			as := "bob"
			if strings.HasPrefix(path, "/internal/") {
				as = "service"
			}
			h.ask(as, method, path, "")
			if len(h.marks("bob")) > 0 || len(h.shown("olga", f.ID)) != 2 {
				t.Error("an address that was not confirmed brought him in")
			}
			h.people.alter("bob", func(a *account) { a.principal.Validated = true })
			a := h.want(http.StatusOK, as, method, path, "")
			if got := h.shown("olga", f.ID); !slices.Equal(got, []string{"olga@example.com owner active", "bob@example.com admin active"}) {
				t.Errorf("shown %q after %s", got, a.raw)
			}
			if got := h.marks("bob"); !slices.Equal(got, []string{f.ID}) {
				t.Errorf("marked %q", got)
			}
			if a := h.want(http.StatusOK, "bob", "GET", "/api/firms", ""); strings.Count(a.raw, f.ID) != 1 {
				t.Error(a.raw)
			}
		})
	}
}

func TestAnInvitationEnds(t *testing.T) {
	t.Parallel()
	h := open(t)
	f := h.firm("Acme", "olga")
	at := "/api/firms/" + f.ID + "/members"
	first := h.want(http.StatusCreated, "olga", "POST", at, `{"email":"bob@example.com","role":"admin"}`)
	again := h.want(http.StatusCreated, "olga", "POST", at, `{"email":"bob@example.com","role":"viewer"}`)
	if first.text("member_id") != again.text("member_id") || len(h.shown("olga", f.ID)) != 2 {
		t.Error("a second invitation does not replace the first")
	}
	h.want(http.StatusOK, "olga", "DELETE", at+"/"+again.text("member_id"), "")
	h.want(http.StatusNotFound, "olga", "DELETE", at+"/"+again.text("member_id"), "")
	h.people.add("bob")
	h.want(http.StatusNotFound, "bob", "GET", "/api/firms/"+f.ID, "")

	g := h.firm("Bolt", "oscar")
	other := h.want(http.StatusCreated, "oscar", "POST", "/api/firms/"+g.ID+"/members", `{"email":"bob@example.com","role":"viewer"}`)
	h.want(http.StatusNotFound, "olga", "DELETE", at+"/"+other.text("member_id"), "")
	h.want(http.StatusOK, "bob", "GET", "/api/firms/"+g.ID, "")
}

func TestAFirmKeepsAnOwnerWhoseAccountIsThere(t *testing.T) {
	t.Parallel()
	h := open(t)
	f := h.firm("Acme", "olga")
	at := "/api/firms/" + f.ID + "/members/"
	alone := func() {
		t.Helper()
		h.want(http.StatusBadRequest, "olga", "DELETE", at+"olga", "")
		h.want(http.StatusBadRequest, "olga", "PATCH", at+"olga", `{"role":"viewer"}`)
	}
	alone()
	h.member(f, "oscar", firm.Owner)
	h.people.alter("oscar", nil) // he closed his account
	alone()
	if got := h.shown("olga", f.ID); len(got) != 1 {
		t.Errorf("shown %q", got)
	}
	h.member(f, "omar", firm.Owner)
	h.want(http.StatusOK, "olga", "PATCH", at+"olga", `{"role":"viewer"}`)
	h.want(http.StatusOK, "olga", "DELETE", at+"olga", "")
	h.want(http.StatusNotFound, "olga", "GET", "/api/firms/"+f.ID, "")
	if got := h.marks("olga"); len(got) > 0 {
		t.Errorf("marked %q", got)
	}
	h.want(http.StatusOK, "omar", "DELETE", at+"oscar", "") // whose account is gone
}

func TestOwnersWhoRemoveEachOtherLeaveOne(t *testing.T) {
	t.Parallel()
	h := open(t)
	f := h.firm("Acme", "olga")
	owners := []string{"olga", "oscar", "omar", "otto"}
	for _, o := range owners[1:] {
		h.member(f, o, firm.Owner)
	}
	var all sync.WaitGroup
	for i, o := range owners {
		all.Go(func() { h.ask(o, "DELETE", "/api/firms/"+f.ID+"/members/"+owners[(i+1)%len(owners)], "") })
		all.Go(func() { h.ask(o, "DELETE", "/api/firms/"+f.ID+"/members/"+o, "") })
	}
	all.Wait()
	if f := must(h.firms.Firm(t.Context(), f.ID)); !slices.ContainsFunc(f.Members, func(m firm.Member) bool { return m.Role == firm.Owner }) {
		t.Errorf("no owner is left: %+v", f)
	}
}

func TestAJoinThatWasCutOffIsFinished(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]storetest.Rule{
		"before the membership":           {Collection: "Firm", Op: storetest.Replace, Times: 1},
		"after it, before the invitation": {Collection: "Invitation", Op: storetest.Delete, Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			f := h.firm("Acme", "olga")
			h.people.add("bob")
			h.want(http.StatusCreated, "olga", "POST", "/api/firms/"+f.ID+"/members", `{"email":"bob@example.com","role":"admin"}`)
			rule.Err = store.ErrClosed
			h.db.Add(rule)
			h.want(http.StatusServiceUnavailable, "bob", "GET", "/api/firms/"+f.ID, "")
			h.db.Clear()
			h.want(http.StatusOK, "bob", "GET", "/api/firms/"+f.ID, "")
			if got := h.shown("olga", f.ID); len(got) != 2 || got[1] != "bob@example.com admin active" {
				t.Errorf("shown %q", got)
			}
			h.want(http.StatusOK, "olga", "DELETE", "/api/firms/"+f.ID+"/members/bob", "")
			h.want(http.StatusNotFound, "bob", "GET", "/api/firms/"+f.ID, "")
		})
	}
}

func TestWhomAFirmCannotInvite(t *testing.T) {
	t.Parallel()
	h := open(t)
	f := h.firm("Acme", "olga")
	for name, body := range map[string]string{
		"no address":             `{"email":"x","role":"viewer"}`,
		"no role":                `{"email":"x@example.com"}`,
		"a role there is not":    `{"email":"x@example.com","role":"operator"}`,
		"who is a member":        `{"email":"Olga@example.com","role":"viewer"}`,
		"what is no member here": `{"email":"x@example.com","role":"viewer","firm":"x"}`,
		"null":                   `{"email":null,"role":"viewer"}`,
		"a number":               `{"email":1,"role":"viewer"}`,
		"a role in capitals":     `{"email":"x@example.com","role":"Viewer"}`,
	} {
		a := h.want(http.StatusBadRequest, "olga", "POST", "/api/firms/"+f.ID+"/members", body)
		if a.text("errorCode") != "VALIDATION_ERROR" {
			t.Errorf("%s: %s", name, a.raw)
		}
	}
	w := firm.Standing{Firm: f, Operator: true}
	for i := range 199 {
		must(h.firms.Invite(t.Context(), firm.Administrator(), w, firm.Invitee{Email: fmt.Sprintf("m%d@example.com", i), Role: firm.Viewer}))
	}
	h.want(http.StatusBadRequest, "olga", "POST", "/api/firms/"+f.ID+"/members", `{"email":"late@example.com","role":"viewer"}`)
	h.want(http.StatusCreated, "olga", "POST", "/api/firms/"+f.ID+"/members", `{"email":"m1@example.com","role":"admin"}`)
}

func TestACreatingRequestWithAKeyHappensOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.people.add("root")
	h.people.alter("root", func(a *account) { a.marks = []string{"operator"} })
	send := func(key, body string) answer {
		h.key = key
		defer func() { h.key = "" }()
		return h.ask("root", "POST", "/api/firms", body)
	}
	first := send("one", `{"name":"Acme","owner":"olga@example.com"}`)
	again := send("one", `{"name":"Acme","owner":"olga@example.com"}`)
	if first.status != http.StatusCreated || first.raw != again.raw || again.status != http.StatusCreated {
		t.Errorf("%s and %s", first.raw, again.raw)
	}
	if a := send("one", `{"name":"Bolt"}`); a.status != http.StatusUnprocessableEntity {
		t.Errorf("another body: %s", a.raw)
	}
	if a := send("two", `{"name":"Bolt"}`); a.status != http.StatusCreated || a.text("firm_id") == first.text("firm_id") {
		t.Errorf("another key: %s", a.raw)
	}
	if a := h.want(http.StatusOK, "root", "GET", "/api/firms?all=true", ""); len(a.body["data"].([]any)) != 2 {
		t.Error(a.raw)
	}
	h.people.add("olga")
	h.want(http.StatusOK, "olga", "GET", "/api/firms/"+first.text("firm_id"), "")
}

func TestAllFirmsAreListedInPages(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.people.add("root")
	h.people.alter("root", func(a *account) { a.marks = []string{"operator"} })
	for i := range 101 {
		h.pass(time.Millisecond * time.Duration(i%2)) // some are made in the same moment
		must(h.firms.Create(t.Context(), firm.Administrator(), firm.NewFirm{Name: fmt.Sprint("F", i)}))
	}
	seen, pages := map[string]bool{}, 0
	for cursor := ""; pages == 0 || cursor != ""; pages++ {
		a := h.want(http.StatusOK, "root", "GET", "/api/firms?all&cursor="+cursor, "")
		for _, f := range a.body["data"].([]any) {
			seen[f.(map[string]any)["firm_id"].(string)] = true
		}
		cursor = a.text("next_cursor")
	}
	if len(seen) != 101 || pages != 2 {
		t.Errorf("%d firms in %d pages", len(seen), pages)
	}
	h.want(http.StatusBadRequest, "root", "GET", "/api/firms?all&cursor=x", "")
	h.want(http.StatusBadRequest, "root", "GET", "/api/firms?all=maybe", "")
}

// TestEveryActIsOnRecordOrDoesNotHappen would fail if something were changed that
// the audit log does not know of.
func TestEveryActIsOnRecordOrDoesNotHappen(t *testing.T) {
	t.Parallel()
	n := newTown(t)
	for _, row := range rows {
		i := slices.Index(callers, "olga")
		as := "olga"
		if row.want[i] >= 400 {
			i, as = slices.Index(callers, "root"), "root"
		}
		if row.want[i] >= 400 || strings.HasPrefix(row.route, "GET") {
			continue
		}
		method, path := n.prepare(row.route)
		before := n.state()
		n.db.Add(storetest.Rule{Collection: "Audit", Op: storetest.Insert, Err: store.ErrClosed})
		a := n.want(http.StatusServiceUnavailable, as, method, path, row.body)
		n.db.Clear()
		if a.text("errorCode") != "DATABASE_ERROR" || n.state() != before {
			t.Errorf("%s happened without a record: %s", row.route, a.raw)
		}
		n.want(row.want[i], as, method, path, row.body)
	}
	if _, err := audit.Verify(t.Context(), n.audit); err != nil {
		t.Error(err)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add(cursorText(&store.Position{Value: time.UnixMilli(1), ID: "firm_A"}))
	f.Add("MSA")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseCursor(text)
		if err != nil {
			return
		}
		again, err := parseCursor(cursorText(p))
		if err != nil || p == nil != (again == nil) || p != nil && *p != *again {
			t.Errorf("%q is %+v and %+v, %v", text, p, again, err)
		}
	})
}
