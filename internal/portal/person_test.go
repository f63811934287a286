package portal

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ccms/internal/page/session"
	"ccms/internal/secret"
)

type answers map[string]func(http.ResponseWriter, *http.Request)

// says answers with a body.
func says(body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// refuses answers with an error.
func refuses(status int, code string) func(http.ResponseWriter, *http.Request) {
	return problemAnswer(status, code, "d")
}

// services are those of a person with one card, but for what a test changes.
func services(changed answers) *behind {
	b := &behind{}
	b.answer = func(w http.ResponseWriter, r *http.Request) {
		<-b.seen
		for _, answers := range []answers{changed, usual()} {
			if answer, ok := answers[r.Method+" "+r.URL.Path]; ok {
				answer(w, r)
				return
			}
		}
		says(`{"message":"ok"}`)(w, r)
	}
	return b
}

func usual() answers {
	return answers{
		"GET /api/account":                      says(`{"username":"jane","name":{"first":"Jane","last":"Doe"},"email":"jane@example.com","accountValidated":true}`),
		"GET /api/account/sessions":             says(`[{"id":"1","created":"2026-01-02T03:04:05Z","lastSeen":"2026-01-02T03:04:05Z","current":true},{"id":"2","created":"2026-01-02T03:04:05Z","lastSeen":"2026-01-02T03:04:05Z","device":"Firefox <b>"}]`),
		"GET /api/account/export":               says(`{"account":{}}`),
		"GET /api/customer/jwt/validate":        says(`{"valid":true,"username":"jane","exp":4102444800}`),
		"POST /api/customer/login/subsequent":   says(`{"token":"t"}`),
		"GET /api/creditcards":                  says(`[{"creditCardId":1,"creditCardNumber":"************4242","token":"tok_1","expiryMonth":12,"expiryYear":2050,"wireTransactionVendor":"Visa","status":"enabled"}]`),
		"DELETE /api/customer/creditcard/tok_1": says(`{"message":"ok"}`),
	}
}

// cookie is that of a person who is logged in, until expires.
func cookie(t *testing.T, expires time.Time) string {
	t.Helper()
	jar, err := session.New(secret.New(bytes.Repeat([]byte{1}, 32)), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := jar.Set(w, session.Session{Token: "t", Person: "jane", Expires: expires}); err != nil {
		t.Fatal(err)
	}
	return w.Result().Cookies()[0].String()
}

// send sends a form, or gets a page, as the person who is logged in, and
// follows nothing.
func send(t *testing.T, url, form, accept string) (*http.Response, string) {
	t.Helper()
	method := http.MethodGet
	if form != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", cookie(t, time.Now().Add(time.Hour)))
	req.Header.Set("Accept", accept)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

func TestFormsOfAPersonSayWhatBecameOfThem(t *testing.T) {
	const (
		email    = "email=joan%40example.com&emailPassword=secret-word-1"
		password = "currentPassword=secret-word-1&newPassword=secret-word-2&confirmPassword=secret-word-2"
	)
	card := "number=4242+4242+4242+4242&code=987&key=k&expiry=" + time.Now().AddDate(1, 0, 0).Format("0106")
	tests := []struct {
		name, path, form string
		changed          answers
		status           int
		shows            string // on the page, or where the answer leads
	}{
		{"a new name", "/account/name", "first=Joan&last=Doe", nil, 303, "/account?done=name"},
		{"a name that is missing", "/account/name", "first=Joan&last=", nil, 400, `href="#last"`},
		{"a name the service refuses", "/account/name", "first=Joan&last=Doe", answers{"PUT /api/account": refuses(400, "INVALID_REQUEST")}, 400, "at most 100 characters"},
		{"a new address", "/account/email", email, nil, 303, "/account?done=email"},
		{"an address that is none", "/account/email", email, answers{"PUT /api/account": refuses(400, "INVALID_EMAIL")}, 400, `value="joan@example.com"`},
		{"an address of somebody else", "/account/email", email, answers{"PUT /api/account": refuses(409, "EMAIL_EXISTS")}, 400, "has an account already"},
		{"the wrong password for it", "/account/email", email, answers{"PUT /api/account": refuses(403, "INVALID_CREDENTIALS")}, 400, `href="#emailPassword"`},
		{"too many of them", "/account/email", email, answers{"PUT /api/account": refuses(423, "ACCOUNT_LOCKED")}, 400, "Wait 30 minutes"},
		{"a new password", "/account/password", password, nil, 303, "/login?done=password"},
		{"a weak one", "/account/password", password, answers{"POST /api/account/password": refuses(400, "WEAK_PASSWORD")}, 400, `href="#newPassword"`},
		{"two that differ", "/account/password", password, answers{"POST /api/account/password": refuses(400, "PASSWORD_MISMATCH")}, 400, `href="#confirmPassword"`},
		{"none", "/account/password", "currentPassword=&newPassword=&confirmPassword=", nil, 400, `href="#currentPassword"`},
		{"another session ends", "/account/sessions/2/end", "x=", nil, 303, "/account?done=session"},
		{"one that had ended", "/account/sessions/2/end", "x=", answers{"DELETE /api/account/sessions/2": refuses(404, "NOT_FOUND")}, 303, "/account?done=session"},
		{"the account goes", "/account/delete", "password=secret-word-1", nil, 200, "Your account is deleted"},
		{"not with the wrong password", "/account/delete", "password=secret-word-1", answers{"DELETE /api/account": refuses(403, "INVALID_CREDENTIALS")}, 400, `href="#password"`},
		{"a card is added", "/cards/add", card, nil, 303, "/cards?done=added"},
		{"one that is there", "/cards/add", card, answers{"POST /api/customer/creditcard": refuses(409, "CARD_EXISTS")}, 400, "You have this card already"},
		{"a wrong one", "/cards/add", "number=4242424242424241&expiry=12%2F50&code=987&key=k", nil, 400, `href="#number"`},
		{"a card goes", "/cards/tok_1/delete", "x=", nil, 303, "/cards?done=deleted&undo=tok_1"},
		{"one that had gone", "/cards/tok_1/delete", "x=", answers{"DELETE /api/customer/creditcard/tok_1": refuses(410, "ALREADY_DELETED")}, 303, "/cards?done=gone"},
		{"it comes back", "/cards/tok_1/restore", "x=", nil, 303, "/cards?done=restored"},
		{"too late", "/cards/tok_1/restore", "x=", answers{"POST /api/customer/creditcard/tok_1/restore": refuses(409, "CARD_EXISTS")}, 303, "/cards?done=late"},
		{"it is switched off", "/cards/tok_1/off", "x=", nil, 303, "/cards?done=off"},
		{"one nobody has", "/cards/tok_2/off", "x=", nil, 303, "/cards?done=gone"},
		{"the session has ended", "/account/name", "first=Joan&last=Doe", answers{"PUT /api/account": refuses(401, "UNAUTHORIZED")}, 303, "/login?again=1&next=%2Fcards"},
		{"the service is away", "/account/name", "first=Joan&last=Doe", answers{"PUT /api/account": refuses(503, "SERVICE_UNAVAILABLE")}, 503, "One of our systems does not answer"},
	}
	changed := answers{}
	base := startPortal(t, services(changed))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			maps.Copy(changed, tt.changed)
			defer clear(changed)
			res, body := send(t, base+tt.path, tt.form, "text/html")
			if res.StatusCode != tt.status || !strings.Contains(body+res.Header.Get("Location"), tt.shows) {
				t.Errorf("%d to %q, does not show %q:\n%s", res.StatusCode, res.Header.Get("Location"), tt.shows, body)
			}
			for _, typed := range []string{"secret-word", "4242 4242", "4242424242", "987"} {
				if strings.Contains(body, typed) {
					t.Errorf("the page shows %q again", typed)
				}
			}
			if wrong := res.StatusCode == 400; wrong != strings.Contains(body, "<title>Error: ") || wrong != strings.Contains(body, "There is a problem") {
				t.Errorf("title and summary do not say that something is wrong, or say so without cause:\n%s", body)
			}
		})
	}
}

func TestPagesOfAPersonShowWhatIsHis(t *testing.T) {
	base := startPortal(t, services(nil))
	for path, shows := range map[string][]string{
		"/account":              {"jane@example.com", "Firefox &lt;b&gt;", "/account/sessions/2/end", `value="Jane"`},
		"/account?done=name":    {"Your name is saved."},
		"/account?done=<b>":     {"jane@example.com"},
		"/account/delete":       {"This cannot be undone"},
		"/cards":                {"Visa card ending in 4242", `aria-checked="true"`, `action="/cards/tok_1/off"`},
		"/cards/tok_1/delete":   {"Delete the Visa card ending in 4242?"},
		"/cards/add":            {`autocomplete="cc-number"`, `autocomplete="cc-csc"`},
		"/account/export":       {`{"account":{}}`},
		"/cards/add?x=<b>x</b>": {"Add a card"},
	} {
		res, body := send(t, base+path, "", "text/html")
		for _, text := range shows {
			if res.StatusCode != 200 || !strings.Contains(body, text) {
				t.Errorf("%s: %d, does not show %q:\n%s", path, res.StatusCode, text, body)
			}
		}
		if strings.Contains(body, "<b>") {
			t.Errorf("%s shows somebody's markup", path)
		}
	}
	if res, _ := send(t, base+"/account/export", "", "*/*"); res.Header.Get("Content-Disposition") != `attachment; filename="ccms-export.json"` || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the export comes with %v", res.Header)
	}
}

// TestAPersonIsWarnedBeforeTheSessionEnds counts from the tenth of the limit by
// which the login service may end a session early.
func TestAPersonIsWarnedBeforeTheSessionEnds(t *testing.T) {
	base := startPortal(t, services(nil))
	_, body := send(t, base+"/cards", "", "text/html")
	if !strings.Contains(body, `data-seconds="810" data-warning="120"`) || strings.Contains(body, "data-last") {
		t.Errorf("a page says %s", body)
	}
	res, body := send(t, base+"/stay", "x=", "application/json")
	if res.StatusCode != 200 || strings.TrimSpace(body) != `{"seconds":810}` {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/cards", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", cookie(t, time.Now().Add(5*time.Minute)))
	near, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer near.Body.Close()
	if b, err := io.ReadAll(near.Body); err != nil || !strings.Contains(string(b), "data-last") {
		t.Errorf("the end of the token cannot be put off, which the page does not say: %v", err)
	}
	ended := startPortal(t, services(answers{"GET /api/customer/jwt/validate": refuses(401, "UNAUTHORIZED")}))
	if res, _ := send(t, ended+"/stay", "x=", "application/json"); res.StatusCode != 303 || !strings.HasPrefix(res.Header.Get("Location"), "/login?again=1") {
		t.Errorf("a session that has ended: %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
}
