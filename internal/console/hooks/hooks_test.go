package hooks_test

import (
	"net/http"
	"strings"
	"testing"

	"ccms/internal/console/consoletest"
	"ccms/internal/console/hooks"
)

const (
	firm = consoletest.Firm
	api  = "creditcard-service /v1/webhooks"
	one  = `{"id":"wh_1","url":"https://shop.example/hook?a=1&b=<i>","events":["card.deleted"],"status":"enabled","created_at":"2026-11-01T08:00:00Z"}`
	off  = `{"id":"wh_off","url":"https://shop.example/off","status":"disabled","reason":"gone","created_at":"2026-11-01T08:00:00Z"}`
	log  = `{"data":[{"event_id":"evt_1","type":"card.deleted","status":"waiting","created_at":"2026-11-22T08:00:00Z","next_attempt_at":"2026-11-22T09:00:00Z",` +
		`"attempts":[{"at":"2026-11-22T08:00:00Z","duration_ms":7,"status":500,"failure":"status","answer":"<script>no</script>"},{"at":"2026-11-22T08:00:05Z","duration_ms":15000,"failure":"too_slow"}]}],"next_cursor":"c2"}`
)

func newWorld(t *testing.T) *consoletest.World {
	t.Helper()
	return consoletest.New(t, map[string]string{
		"GET " + api: `{"data":[` + one + `,` + off + `]}`, "GET " + api + "/wh_1": one, "GET " + api + "/wh_off": off,
		"GET " + api + "/wh_1/deliveries": log, "GET " + api + "/wh_off/deliveries": `{"data":[]}`,
		"POST " + api: `{"id":"wh_2","secret":"whsec_first"}`, "PATCH " + api + "/wh_1": one, "DELETE " + api + "/wh_1": "{}",
		"POST " + api + "/wh_1/rotate": `{"secret":"whsec_second"}`, "POST " + api + "/wh_1/test": `{"event_id":"evt_2"}`, "POST " + api + "/wh_1/replay": `{"replayed":3}`,
	}, hooks.Part)
}

func TestViewersLookAfterNoWebhooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	consoletest.Says(t, w.Get("viewer", "/webhooks/add"), http.StatusForbidden, "Owners and admins look after webhooks.", "Your role in Acme &amp; Sons is viewer", "-Create webhook")
	consoletest.Says(t, w.Get("operator", "/webhooks"), http.StatusForbidden, "no member of Acme &amp; Sons")
	consoletest.Says(t, w.Get("stranger", "/webhooks"), http.StatusNotFound, "-Acme")
}

func TestViewersAndOtherSitesChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/webhooks/add", "/webhooks/wh_1/test", "/webhooks/wh_1/replay", "/webhooks/wh_1/since", "/webhooks/wh_1/settings", "/webhooks/wh_1/enable", "/webhooks/wh_1/disable", "/webhooks/wh_1/rotate", "/webhooks/wh_1/delete"} {
		w.ChangesNothing(path, "whsec_", "url", "https://shop.example/", "events.card.deleted", "on", "overlap", "0", "event", "evt_1", "since", "2026-11-22T08:00")
	}
}

func TestAWebhookIsMadeAndItsSecretShownOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	consoletest.Says(t, w.Get("admin", "/webhooks"), http.StatusOK, "https://shop.example/hook?a=1&amp;b=&lt;i&gt;", "answered that it is gone", "New test webhook")
	got := w.Post("admin", "/webhooks/add", "url", " ")
	consoletest.Says(t, got, http.StatusBadRequest, "<title>Error: ", "Enter the URL of the endpoint", "Choose at least one event")
	if len(w.Changes) > 0 {
		t.Errorf("asked %q", w.Changes)
	}
	w.Answers["POST "+api] = consoletest.Refusal("The endpoint is in a private network.")
	got = w.Post("admin", "/webhooks/add", "url", "https://10.0.0.1/", "events.card.deleted", "on")
	consoletest.Says(t, got, http.StatusBadRequest, `href="#url">The endpoint is in a private network.`, `value="https://10.0.0.1/"`, `name="events.card.deleted" checked`, "-registration.verified\" checked")
	w.Answers["POST "+api] = `{"id":"wh_2","secret":"whsec_first"}`
	got = w.Post("admin", "/webhooks/add", "url", "https://shop.example/", "events.card.deleted", "on", "events.nonsense", "on")
	consoletest.ShownOnce(t, got, "whsec_first", firm+"/webhooks/wh_2")
	if len(w.Changes) != 1 || w.Changes[0] != "POST "+api+` {"url":"https://shop.example/","events":["card.deleted"]}` {
		t.Errorf("asked %q", w.Changes)
	}
}

func TestTheLogSaysWhatBecameOfEachEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Answers["GET "+api+"/wh_1/deliveries?cursor=c1"] = log
	got := w.Get("owner", "/webhooks/wh_1?status=waiting&cursor=c1&done=since&count=3&since=2026-11-22T08:00")
	consoletest.Says(t, got, http.StatusOK, "waiting", "no answer: longer than 15 seconds", "2026-11-22 09:00:00 UTC", "&lt;script&gt;no&lt;/script&gt;", "evt_1",
		"3 events are sent again. There are more", `value="2026-11-22T08:00"`, firm+"/webhooks/wh_1?cursor=c2&amp;status=waiting", `href="`+firm+`/webhooks/wh_1?status=waiting">First page`)
	if q := w.Queries["/v1/webhooks/wh_1/deliveries"]; len(q) != 1 || q[0] != "cursor=c1&status=waiting" {
		t.Errorf("asked %q", q)
	}
	consoletest.Says(t, w.Get("owner", "/webhooks/wh_1?done=since&count=1"), http.StatusOK, "One event is sent again.")
	consoletest.Says(t, w.Get("owner", "/webhooks/wh_1?done=since&count=many"), http.StatusOK, "They are sent again, with the same ids.")
	consoletest.Says(t, w.Get("owner", "/webhooks/wh_off"), http.StatusOK, "The webhook is off.", "answered that it is gone (410)", "Nothing was sent yet.", "-Send a test event")
	consoletest.Says(t, w.Get("owner", "/webhooks/wh_9"), http.StatusNotFound)
	w.Answers["GET "+api+"/wh_1/deliveries"] = consoletest.Refusal("Send a status there is.")
	consoletest.Says(t, w.Get("owner", "/webhooks/wh_1?status=lost"), http.StatusBadRequest, "Send a status there is.")
}

func TestWhatPeopleDoWithAWebhook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at, then := "POST "+api+"/wh_1", firm+"/webhooks/wh_1"
	for _, c := range []struct {
		path         string
		form         []string
		then, change string
	}{
		{"/test", nil, then + "?done=test", at + "/test"},
		{"/replay", []string{"event", "evt_1"}, then + "?done=replayed", at + `/replay {"event_id":"evt_1"}`},
		{"/since", []string{"since", "2026-11-22T08:00"}, then + "?count=3&done=since", at + `/replay {"since":"2026-11-22T08:00:00Z"}`},
		{"/enable", nil, then + "?done=enabled", "PATCH " + api + `/wh_1 {"status":"enabled"}`},
		{"/disable", nil, then + "?done=disabled", "PATCH " + api + `/wh_1 {"status":"disabled"}`},
		{"/settings", []string{"url", "https://shop.example/", "events.card.deleted", "on"}, then + "/settings?done=changed", "PATCH " + api + `/wh_1 {"url":"https://shop.example/","events":["card.deleted"]}`},
		{"/delete", nil, firm + "/webhooks?done=deleted", "DELETE " + api + "/wh_1"},
	} {
		w.Leads(w.Post("admin", "/webhooks/wh_1"+c.path, c.form...), c.then, c.change)
	}
	w.Answers["POST "+api+"/wh_1/replay"] = `{"replayed":1000,"next_since":"2026-11-22T08:30:00.5Z"}`
	w.Leads(w.Post("admin", "/webhooks/wh_1/since", "since", "2026-11-22T08:00"), then+"?count=1000&done=since&since=2026-11-22T08%3A30%3A00.500", at+`/replay {"since":"2026-11-22T08:00:00Z"}`)
}

func TestWhatCannotBeDoneIsSaidOnThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, since := range []string{"", "yesterday", "2026-02-30T00:00"} {
		consoletest.Says(t, w.Post("owner", "/webhooks/wh_1/since", "since", since), http.StatusBadRequest, `href="#since">Enter a day and a time`, "What was sent")
	}
	if len(w.Changes) > 0 {
		t.Errorf("asked %q", w.Changes)
	}
	w.Answers["POST "+api+"/wh_1/test"] = `409 {"error":"Conflict","errorCode":"WEBHOOK_DISABLED","details":"Switch the webhook on first."}`
	consoletest.Says(t, w.Post("owner", "/webhooks/wh_1/test"), http.StatusBadRequest, `role="alert"><p>Switch the webhook on first.`, "What was sent")
	consoletest.Says(t, w.Post("owner", "/webhooks/wh_1/settings", "url", ""), http.StatusBadRequest, "Enter the URL", "Make a new secret")
	consoletest.Says(t, w.Post("owner", "/webhooks/wh_9/test"), http.StatusNotFound)
}

func TestASecretIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Answers["GET "+api+"/wh_1"] = strings.Replace(one, `"status"`, `"old_secret_until":"2026-11-23T12:00:00Z","status"`, 1)
	consoletest.Says(t, w.Get("owner", "/webhooks/wh_1/settings"), http.StatusOK, "Two secrets sign now", "2026-11-23 12:00 UTC", "-whsec_")
	got := w.Post("owner", "/webhooks/wh_1/rotate", "overlap", "3600")
	consoletest.ShownOnce(t, got, "whsec_second", firm+"/webhooks/wh_1/settings")
	if len(w.Changes) != 1 || w.Changes[0] != "POST "+api+`/wh_1/rotate {"expires_in":3600}` {
		t.Errorf("asked %q", w.Changes)
	}
	consoletest.Says(t, w.Post("owner", "/webhooks/wh_1/rotate", "overlap", "soon"), http.StatusBadRequest, "-whsec_")
	if len(w.Changes) > 0 {
		t.Errorf("asked %q", w.Changes)
	}
}
