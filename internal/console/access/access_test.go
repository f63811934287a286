package access_test

import (
	"net/http"
	"strings"
	"testing"

	"ccms/internal/console/access"
	"ccms/internal/console/backend"
	"ccms/internal/console/consoletest"
	"ccms/internal/console/frame"
)

const (
	firm    = consoletest.Firm
	login   = "login-service /api/firms/f1"
	clients = login + "/clients"
	members = login + "/members"
	rules   = "creditcard-service /v1/settings"
	shop    = `{"client_id":"client_1","name":"Web <shop>","mode":"test","scopes":["cards:read"],"origins":["https://shop.example"],"created_at":"2026-11-01T08:00:00Z",` +
		`"secrets":[{"created_at":"2026-11-01T08:00:00Z"},{"created_at":"2026-10-01T08:00:00Z","expires_at":"2026-11-23T08:00:00Z"}]}`
	till   = `{"client_id":"client_2","name":"Till","mode":"live","scopes":[]}`
	gone   = `{"client_id":"client_3","name":"Old shop","mode":"test","revoked":true,"created_at":"2026-01-01T08:00:00Z"}`
	people = `{"data":[{"member_id":"m1","email":"olga@example.com","username":"owner","role":"owner","status":"active"},{"member_id":"m/2","email":"vera@example.com","role":"viewer","status":"invited","expires_at":"2026-12-01T08:00:00Z"}]}`
)

func newWorld(t *testing.T) *consoletest.World {
	t.Helper()
	return consoletest.New(t, map[string]string{
		"GET " + clients: `{"data":[` + shop + `,` + till + `,` + gone + `]}`, "GET " + clients + "/client_1": shop, "GET " + clients + "/client_2": till, "GET " + clients + "/client_3": gone,
		"POST " + clients: `{"client_id":"client_9","name":"Desk","client_secret":"first-secret"}`, "PATCH " + clients + "/client_1": shop, "DELETE " + clients + "/client_1": "{}",
		"POST " + clients + "/client_1/rotate": `{"client_id":"client_1","name":"Web <shop>","client_secret":"second-secret"}`,
		"GET " + members:                       people, "POST " + members: "{}", "PATCH " + members + "/m%2F2": "{}", "DELETE " + members + "/m%2F2": "{}", "DELETE " + members + "/m1": "{}",
		"GET " + rules: `{"verification":{"brands":["Visa"],"bin_deny":["411111"],"velocity":"refuse","endpoint":{"url":"https://shop.example/decide","secret_version":2}}}`, "PUT " + rules: "{}",
		"PUT " + login: "{}",
	}, func(ask *backend.Backend) frame.Part { return access.Part(ask, consoletest.Now) })
}

func TestRolesSeeWhatTheyMayDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct {
		who, path string
		status    int
		texts     []string // with a leading minus: not there
	}{
		"a viewer looks at clients":                   {"viewer", "/clients", 200, []string{"Web &lt;shop&gt;", "Revoked clients (1)", "-Till", "-New test client"}},
		"an admin makes them":                         {"admin", "/clients", 200, []string{"New test client"}},
		"a viewer looks at one":                       {"viewer", "/clients/client_1", 200, []string{"cards:read", "good until", "2026-11-23 08:00 UTC", "-<form method=\"post\" action=\"/console", "-Revoke"}},
		"an admin changes it":                         {"admin", "/clients/client_1", 200, []string{"Make a new secret", "Revoke Web &lt;shop&gt;", `name="scopes.cards:read" checked`, `-name="scopes.cards:reveal" checked`}},
		"nobody changes a revoked one":                {"owner", "/clients/client_3", 200, []string{"It can do nothing any more", "-Make a new secret"}},
		"a live one is none of test":                  {"owner", "/clients/client_2", 404, nil},
		"an unknown one is none":                      {"owner", "/clients/client_7", 404, nil},
		"a viewer makes none":                         {"viewer", "/clients/add", 403, []string{"Owners and admins make API clients.", "-Create client"}},
		"a viewer revokes none":                       {"viewer", "/clients/client_1/revoke", 403, []string{"Owners and admins revoke"}},
		"a revoked one is not revoked again":          {"owner", "/clients/client_3/revoke", 403, []string{"each once"}},
		"an operator sees no clients":                 {"operator", "/clients", 403, []string{"You are an operator and no member"}},
		"an operator sees people":                     {"operator", "/people", 200, []string{"olga@example.com", "invited, until", "Invite"}},
		"a viewer invites nobody":                     {"viewer", "/people", 200, []string{"olga@example.com", "-Invite</button>"}},
		"an owner makes owners":                       {"owner", "/people", 200, []string{"Owner: looks after owners too", "/people/m%2F2"}},
		"an admin makes none":                         {"admin", "/people", 200, []string{"-Owner: looks after owners too"}},
		"a person may leave":                          {"owner", "/people/m1", 200, []string{"Leave Acme &amp; Sons", "Change role"}},
		"an invitation is taken back, without a role": {"owner", "/people/m%2F2", 200, []string{"The invitation is taken back", "-Change role"}},
		"a viewer looks at a person":                  {"viewer", "/people/m1", 200, []string{"olga@example.com", "-Change role", "-class=\"danger\""}},
		"nobody is no person":                         {"owner", "/people/m7", 404, nil},
		"a viewer reads the rules":                    {"viewer", "/settings", 200, []string{"You may look", "411111", "is refused", "-Save"}},
		"an admin changes them":                       {"admin", "/settings", 200, []string{"Save name", "Save test rules", `name="brands.visa" checked`, `-name="brands.mastercard" checked`}},
		"an operator reads no rules":                  {"operator", "/settings", 403, nil},
		"a stranger finds nothing":                    {"stranger", "/clients", 404, []string{"-Acme"}},
	} {
		t.Run(name, func(t *testing.T) { consoletest.Says(t, w.Get(c.who, c.path), c.status, c.texts...) })
	}
}

// changes are the forms there are, and what is filled in.
func changes() map[string][]string {
	return map[string][]string{
		"/clients/add": {"name", "Desk"}, "/clients/client_1": {"name", "Desk"}, "/clients/client_1/rotate": {"overlap", "0"}, "/clients/client_1/revoke": {"name", "Web <shop>"},
		"/people": {"email", "bob@example.com", "role", "viewer"}, "/people/m1": {"role", "viewer"}, "/people/m1/remove": nil,
		"/settings/name": {"name", "Boots"}, "/settings/rules": {"deny", "555555"},
	}
}

func TestViewersAndOtherSitesChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, form := range changes() {
		w.ChangesNothing(path, "secret</code>", form...)
	}
}

func TestAClientIsMadeAndItsSecretShownOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	consoletest.Says(t, w.Post("admin", "/clients/add", "name", "  ", "origins", "https://shop.example"), http.StatusBadRequest, "<title>Error: ", `href="#name">Enter a name`, "https://shop.example</textarea>")
	if len(w.Changes) > 0 {
		t.Errorf("asked %q", w.Changes)
	}
	w.Answers["POST "+clients] = consoletest.Refusal("Send origins as scheme, host and port.")
	consoletest.Says(t, w.Post("admin", "/clients/add", "name", "Desk", "origins", "shop", "scopes.cards:reveal", "on"), http.StatusBadRequest,
		`href="#origins">Send origins as scheme`, `value="Desk"`, `name="scopes.cards:reveal" checked`, `-name="scopes.cards:read" checked`)
	w.Answers["POST "+clients] = `{"client_id":"client_9","name":"Desk","client_secret":"first-secret"}`
	got := w.Post("admin", "/clients/add", "name", "Desk", "scopes.cards:read", "on", "scopes.everything", "on", "origins", "https://a.example\r\n\r\n https://b.example ")
	consoletest.ShownOnce(t, got, "first-secret", firm+"/clients/client_9")
	want := "POST " + clients + ` {"name":"Desk","scopes":["cards:read"],"return_urls":[],"origins":["https://a.example","https://b.example"],"mode":"test"}`
	if len(w.Changes) != 1 || w.Changes[0] != want {
		t.Errorf("asked %q, want %q", w.Changes, want)
	}
}

func TestAClientIsChangedRotatedAndRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Leads(w.Post("owner", "/clients/client_1", "name", "Desk"), firm+"/clients/client_1?done=changed", "PATCH "+clients+`/client_1 {"name":"Desk","scopes":[],"return_urls":[],"origins":[]}`)
	consoletest.Says(t, w.Get("owner", "/clients/client_1?done=changed"), http.StatusOK, "The client is changed.")
	consoletest.Says(t, w.Post("owner", "/clients/client_1", "name", ""), http.StatusBadRequest, "Enter a name", "Make a new secret")
	consoletest.ShownOnce(t, w.Post("owner", "/clients/client_1/rotate", "overlap", "604800"), "second-secret", firm+"/clients/client_1")
	if want := "POST " + clients + `/client_1/rotate {"overlap":604800}`; len(w.Changes) != 1 || w.Changes[0] != want {
		t.Errorf("asked %q", w.Changes)
	}
	consoletest.Says(t, w.Post("owner", "/clients/client_1/rotate"), http.StatusBadRequest, "-second-secret")
	consoletest.Says(t, w.Post("owner", "/clients/client_2/rotate", "overlap", "0"), http.StatusNotFound)
	for _, name := range []string{"", "web <shop>", "Till"} {
		consoletest.Says(t, w.Post("owner", "/clients/client_1/revoke", "name", name), http.StatusBadRequest, "Type Web &lt;shop&gt; as it stands here")
		if len(w.Changes) > 0 {
			t.Errorf("%q revokes: %q", name, w.Changes)
		}
	}
	w.Leads(w.Post("owner", "/clients/client_1/revoke", "name", "Web <shop>"), firm+"/clients?done=revoked", "DELETE "+clients+"/client_1")
}

func TestPeopleComeAndGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	consoletest.Says(t, w.Post("owner", "/people", "email", ""), http.StatusBadRequest, `href="#email">Enter an e-mail address`, "olga@example.com")
	w.Leads(w.Post("owner", "/people", "email", "bob@example.com", "role", "admin", "key", "k1"), firm+"/people?done=invited", "POST "+members+` {"email":"bob@example.com","role":"admin"}`)
	w.Answers["POST "+members] = `409 {"error":"Conflict","errorCode":"MEMBER_EXISTS","details":"That person is a member already."}`
	consoletest.Says(t, w.Post("owner", "/people", "email", "olga@example.com", "role", "admin"), http.StatusBadRequest, `href="#email">That person is a member already.`, `value="admin" selected`)
	w.Leads(w.Post("owner", "/people/m%2F2", "role", "admin"), firm+"/people?done=role", "PATCH "+members+`/m%2F2 {"role":"admin"}`)
	w.Leads(w.Post("owner", "/people/m%2F2/remove"), firm+"/people?done=removed", "DELETE "+members+"/m%2F2")
	w.Leads(w.Post("owner", "/people/m1/remove"), "/console", "DELETE "+members+"/m1")
	w.Answers["DELETE "+members+"/m1"] = `409 {"error":"Conflict","errorCode":"LAST_OWNER","details":"A firm keeps an owner."}`
	consoletest.Says(t, w.Post("owner", "/people/m1/remove"), http.StatusBadRequest, `role="alert"><p>A firm keeps an owner.`)
	consoletest.Says(t, w.Post("owner", "/people/m7/remove"), http.StatusNotFound)
}

func TestRulesAreChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := []string{"brands.visa", "on", "brands.nonsense", "on", "deny", "411111\n555555", "velocity", "flag", "walk", "refuse", "url", "https://shop.example/decide"}
	w.Leads(w.Post("admin", "/settings/rules", form...), firm+"/settings?done=rules",
		"PUT "+rules+` {"verification":{"brands":["Visa"],"bin_deny":["411111","555555"],"velocity":"flag","bin_walk":"refuse","endpoint":{"url":"https://shop.example/decide","secret_version":2}}}`)
	consoletest.Says(t, w.Post("admin", "/settings/rules", append(form, "key", "{half")...), http.StatusBadRequest, `href="#key">Enter one public JWK`, "{half</textarea>", "Save name")
	if len(w.Changes) > 0 {
		t.Errorf("asked %q", w.Changes)
	}
	w.Answers["PUT "+rules] = `{"signing_secret":"whsec_third"}`
	consoletest.ShownOnce(t, w.Post("admin", "/settings/rules", append(form, "secret.new", "on")...), "whsec_third", firm+"/settings")
	if !strings.Contains(strings.Join(w.Changes, ""), `"secret_version":3`) {
		t.Errorf("asked %q", w.Changes)
	}
	w.Answers["PUT "+rules] = consoletest.Refusal("bin_deny takes BINs of 6 to 8 digits.")
	consoletest.Says(t, w.Post("admin", "/settings/rules", "deny", "12"), http.StatusBadRequest, `href="#deny">“Refuse these prefixes” takes BINs`, "12</textarea>")
	consoletest.Says(t, w.Post("admin", "/settings/rules", "deny", strings.Repeat("4", 130<<10)), http.StatusRequestEntityTooLarge)
	consoletest.Says(t, w.Post("admin", "/settings/name", "name", ""), http.StatusBadRequest, `href="#name">Enter the name of the firm`)
	w.Leads(w.Post("admin", "/settings/name", "name", "Boots"), firm+"/settings?done=name", "PUT "+login+` {"name":"Boots"}`)
}

func TestTheRecordIsReadAndSaved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const cards, firms = "GET creditcard-service /v1/audit", "GET " + login + "/audit"
	w.Answers[cards] = `{"data":[{"record":"r1","act":"card.disable","actor":"client_1","result":"begun"},{"record":"r2","begin":"r1","act":"card.disable","actor":"client_1","result":"success","reason":"=cmd()"},{"record":"r3","act":"link.create","actor":"nobody","result":"success"}],"next_cursor":"c2"}`
	w.Answers[cards+"?cursor=c2"] = `{"data":[{"record":"r4","act":"card.delete","actor":"m1","result":"success"}]}`
	w.Answers[firms] = `{"data":[{"record":"r9","act":"member.add","actor":"m1","result":"success"}]}`
	got := w.Get("owner", "/audit?act=card")
	consoletest.Says(t, got, http.StatusOK, "Web &lt;shop&gt;", "People and clients", "-link.create", "-begun</td>")
	consoletest.Says(t, w.Get("viewer", "/audit?log=people"), http.StatusOK, "-member.add\" selected")
	consoletest.Says(t, w.Get("operator", "/audit"), http.StatusOK, "member.add", "olga@example.com", "-card.disable")
	consoletest.Says(t, w.Get("owner", "/audit?from=2026-02-30"), http.StatusBadRequest, `href="#from"`)
	saved := w.Get("owner", "/audit.csv?log=people&act=member")
	consoletest.Says(t, saved, http.StatusOK, "member.add")
	if name := saved.Header().Get("Content-Disposition"); name != `attachment; filename="audit-people-test-20261122-1200.csv"` {
		t.Errorf("%s", name)
	}
	consoletest.Says(t, w.Get("owner", "/audit.csv?act=card.disable"), http.StatusOK, "'=cmd()", "-link.create")
	refused := w.Get("owner", "/audit.csv?from=2026-02-30")
	if refused.Code != http.StatusBadRequest || refused.Header().Get("Content-Disposition") != "" {
		t.Errorf("%d, %v", refused.Code, refused.Header())
	}
}
