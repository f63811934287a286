package cards_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"ccms/internal/console/backend"
	"ccms/internal/console/cards"
	"ccms/internal/console/consoletest"
	"ccms/internal/console/frame"
)

const (
	firm  = consoletest.Firm
	api   = "creditcard-service /v1"
	first = `{"registration_id":"r1","mode":"test","status":"verified","token":"tok_1","brand":"Visa","last4":"4242","expiry":"12/2028","reference":"=order <7>","metadata":{"lane":"<b>3</b>"},"created_at":"2026-11-22T08:00:00Z","decided_at":"2026-11-22T08:00:01Z"}`
	other = `{"registration_id":"r2","mode":"test","status":"rejected","reason":"bin_denied","token":"tok_2","brand":"Visa","last4":"1111","expiry":"12/2028","created_at":"2026-11-21T08:00:00Z"}`
	shop  = `{"client_id":"client_1","name":"Web shop","mode":"test","origins":["https://shop.example"],"return_urls":["https://shop.example/thanks"]}`
)

func newWorld(t *testing.T) *consoletest.World {
	t.Helper()
	return consoletest.New(t, map[string]string{
		"GET " + api + "/registrations": `{"data":[` + first + `,` + other + `],"next_cursor":"c2"}`, "GET " + api + "/registrations/r1": first, "GET " + api + "/registrations/r2": other,
		"GET " + api + "/cards/tok_1": `{"token":"tok_1","status":"enabled","updated_at":"2026-11-22T08:00:01Z"}`, "PATCH " + api + "/cards/tok_1": "{}", "DELETE " + api + "/cards/tok_1": "{}",
		"GET " + api + "/links":  `{"data":[{"id":"link_1","mode":"embed","status":"open","reference":"order <8>","expires_at":"2026-11-22T12:30:00Z"},{"id":"link_2","mode":"link","status":"used","registration_id":"r1"}]}`,
		"POST " + api + "/links": `{"id":"link_3","url":"https://cards.example/card/once","expires_at":"2026-11-22T12:30:00Z"}`, "DELETE " + api + "/links/link_1": "{}",
		"GET " + api + "/settings":                `{"verification":{"brands":["Visa"]}}`,
		"GET login-service /api/firms/f1/clients": `{"data":[` + shop + `,{"client_id":"client_2","name":"Old shop","mode":"test","revoked":true},{"client_id":"client_3","name":"Till","mode":"live"}]}`,
	}, func(ask *backend.Backend) frame.Part { return cards.Part(ask, consoletest.Now) })
}

func TestRolesSeeWhatTheyMayDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct {
		who, path string
		status    int
		texts     []string // with a leading minus: not there
	}{
		"a viewer reads registrations":         {"viewer", "/registrations", 200, []string{"=order &lt;7&gt;", "bin_denied", "registrations.csv", "cursor=c2"}},
		"a viewer changes no card":             {"viewer", "/registrations/r1", 200, []string{"switched on", "&lt;b&gt;3&lt;/b&gt;", "-Switch off", "-Erase the card"}},
		"an admin does":                        {"admin", "/registrations/r1", 200, []string{"Switch off", "Erase the card"}},
		"a card that is erased stays so":       {"admin", "/registrations/r2", 200, []string{"It is erased; its token means nothing", "-Switch off"}},
		"a viewer erases none":                 {"viewer", "/registrations/r1/delete-card", 403, []string{"Owners and admins erase cards."}},
		"an admin is asked first":              {"admin", "/registrations/r1/delete-card", 200, []string{"This cannot be undone", "Keep it"}},
		"an unknown registration is none":      {"admin", "/registrations/r7", 404, nil},
		"an operator sees no cards":            {"operator", "/registrations", 403, nil},
		"a stranger finds nothing":             {"stranger", "/registrations", 404, []string{"-Acme"}},
		"a viewer makes no link":               {"viewer", "/links/add", 403, []string{"Owners and admins make links."}},
		"a viewer builds no form":              {"viewer", "/links/form", 403, []string{"Owners and admins make links."}},
		"an admin sees links, never their URL": {"admin", "/links", 200, []string{"order &lt;8&gt;", "/links/link_1/cancel", "-/links/link_2/cancel", "/registrations/r1", "-/card/"}},
		"a link is of an active test client":   {"admin", "/links/add", 200, []string{"Web shop: a frame on https://shop.example", "Web shop: our page, and back to https://shop.example/thanks", "-Old shop", "-Till"}},
	} {
		t.Run(name, func(t *testing.T) { consoletest.Says(t, w.Get(c.who, c.path), c.status, c.texts...) })
	}
	if got := w.Get("admin", "/registrations/r2/delete-card"); got.Header().Get("Location") != firm+"/registrations/r2" {
		t.Errorf("what is erased leads to %s", got.Header().Get("Location"))
	}
}

func TestViewersAndOtherSitesChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/registrations/r1/enable", "/registrations/r1/disable", "/registrations/r1/delete-card", "/links/add", "/links/link_1/cancel"} {
		w.ChangesNothing(path, "/card/once", "place", "link client_1 ", "expires", "900")
	}
}

func TestRegistrationsAreFilteredPagedAndSaved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Answers["GET "+api+"/registrations?cursor=c1"] = w.Answers["GET "+api+"/registrations"]
	got := w.Get("viewer", "/registrations?status=verified&last4=4242&to=2026-11-22&cursor=c1")
	consoletest.Says(t, got, http.StatusOK, `value="verified" selected`, `value="4242"`, "First page", "cursor=c2&amp;last4=4242&amp;status=verified&amp;to=2026-11-22")
	if q := w.Queries["/v1/registrations"]; len(q) != 1 || q[0] != "cursor=c1&last4=4242&status=verified&to=2026-11-23" {
		t.Errorf("asked %q: a person's last day counts", q)
	}
	for field, bad := range map[string]string{"last4": "42", "from": "2026-02-30"} {
		consoletest.Says(t, w.Get("viewer", "/registrations?"+field+"="+bad), http.StatusBadRequest, `href="#`+field+`"`, "-tbody")
		refused := w.Get("viewer", "/registrations.csv?"+field+"="+bad)
		if refused.Code != http.StatusBadRequest || refused.Header().Get("Content-Disposition") != "" {
			t.Errorf("%s: %d, %v", field, refused.Code, refused.Header())
		}
	}
	w.Answers["GET "+api+"/registrations?cursor=c2"] = `{"data":[` + other + `]}`
	saved := w.Get("viewer", "/registrations.csv?status=verified")
	consoletest.Says(t, saved, http.StatusOK, "'=order <7>", "bin_denied")
	if lines := strings.Count(saved.Body.String(), "\r\n"); lines != 4 {
		t.Errorf("%d lines:\n%s", lines, saved.Body)
	}
	if name := saved.Header().Get("Content-Disposition"); name != `attachment; filename="registrations-test-20261122-1200.csv"` {
		t.Errorf("%s", name)
	}
}

func TestACardIsSwitchedAndErased(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const then = firm + "/registrations/r1?done="
	w.Leads(w.Post("admin", "/registrations/r1/disable"), then+"disabled", "PATCH "+api+`/cards/tok_1 {"status":"disabled"}`)
	w.Leads(w.Post("admin", "/registrations/r1/enable"), then+"enabled", "PATCH "+api+`/cards/tok_1 {"status":"enabled"}`)
	w.Leads(w.Post("admin", "/registrations/r1/delete-card"), then+"deleted", "DELETE "+api+"/cards/tok_1")
	consoletest.Says(t, w.Get("admin", "/registrations/r1?done=deleted"), http.StatusOK, "The card is erased.")
	for _, done := range []string{`404 {"errorCode":"CARD_NOT_FOUND"}`, `409 {"errorCode":"ALREADY_DELETED"}`} {
		w.Answers["DELETE "+api+"/cards/tok_1"] = done // in another window
		w.Leads(w.Post("admin", "/registrations/r1/delete-card"), then+"deleted", "DELETE "+api+"/cards/tok_1")
	}
	w.Answers["DELETE "+api+"/cards/tok_1"] = `503 {"errorCode":"DATABASE_ERROR"}`
	consoletest.Says(t, w.Post("admin", "/registrations/r1/delete-card"), http.StatusServiceUnavailable)
	consoletest.Says(t, w.Post("admin", "/registrations/r7/disable"), http.StatusNotFound)
}

func TestALinkIsMadeShownOnceAndCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.Post("admin", "/links/add", "place", "embed client_1 https://shop.example", "reference", "order 8", "expires", "900")
	consoletest.ShownOnce(t, got, "https://cards.example/card/once", firm+"/links")
	want := "POST " + api + `/links {"mode":"embed","client_id":"client_1","reference":"order 8","return_url":"","origin":"https://shop.example","expires_in":900}`
	if len(w.Changes) != 1 || w.Changes[0] != want {
		t.Errorf("asked %q, want %q", w.Changes, want)
	}
	for details, field := range map[string]string{
		"Send a reference without a card number.": "reference", "origin is not on the client's list: give the origin exactly as it stands there.": "place", "expires_in is 1 to 1800 here.": "expires",
	} {
		w.Answers["POST "+api+"/links"] = consoletest.Refusal(details)
		consoletest.Says(t, w.Post("admin", "/links/add", "place", "link client_1 ", "reference", "order 8", "expires", "x"), http.StatusBadRequest, `href="#`+field+`"`, `value="order 8"`, "-/card/once")
	}
	w.Leads(w.Post("admin", "/links/link_1/cancel"), firm+"/links?done=cancelled", "DELETE "+api+"/links/link_1")
	w.Answers["GET login-service /api/firms/f1/clients"] = `{"data":[]}`
	consoletest.Says(t, w.Get("admin", "/links/add"), http.StatusOK, "there is no test client yet", "Make one first", "-Make the link")
}

// TestTheBuilderGivesToCopyOnlyWhatIsTheFirms would fail if an address by which
// somebody was led to the page put code of another's into what he copies.
func TestTheBuilderGivesToCopyOnlyWhatIsTheFirms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := func(place, language, scheme string) string {
		return "/links/form?" + url.Values{"place": {place}, "language": {language}, "scheme": {scheme}}.Encode()
	}
	consoletest.Says(t, w.Get("admin", "/links/form"), http.StatusOK, "What people see", "Accepted: Visa", "-What to copy")
	consoletest.Says(t, w.Get("admin", ask("embed client_1 https://shop.example", "ar", "dark")), http.StatusOK,
		`"mode":"embed","origin":"https://shop.example"`, `locale: "ar"`, `colorScheme: "dark"`, "frame-src https://cards.example", "integrity=", `class="example dark" lang="ar" dir="rtl"`)
	consoletest.Says(t, w.Get("admin", ask("redirect client_1 https://shop.example/thanks", "", "")), http.StatusOK, "Location: LINK", "-card-form.js")
	for _, place := range []string{"embed client_1 https://evil.example", "redirect client_1 https://shop.example/thanks/2", "embed client_3 https://shop.example", "link client_2 ", "nonsense", ""} {
		consoletest.Says(t, w.Get("admin", ask(place, "", "")), http.StatusOK, "-What to copy", "-evil.example</code>")
	}
	consoletest.Says(t, w.Get("admin", ask("embed client_1 https://shop.example", `en", onSubmit: evil, x: "`, "dark evil")), http.StatusOK, "What to copy", "-onSubmit: evil", `-class="example dark`, "-locale:")
}
