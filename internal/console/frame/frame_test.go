package frame_test

import (
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"ccms/internal/console/backend"
	"ccms/internal/console/frame"
	"ccms/internal/httpserver"
	"ccms/internal/page"
	"ccms/internal/page/session"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/upstream"
)

// services answer as the login service does for Token, who is what he says.
type services struct{}

func (services) RoundTrip(r *http.Request) (*http.Response, error) {
	role, operator := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), false
	if role == "operator" {
		role, operator = "", true
	}
	answer := func(status int, body string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
	switch {
	case r.URL.RawQuery == "all=true" && operator:
		return answer(http.StatusOK, `{"data":[]}`)
	case r.URL.RawQuery == "all=true":
		return answer(http.StatusForbidden, `{"error":"Access denied","errorCode":"FORBIDDEN","details":"This is for operators."}`)
	case r.URL.Path == "/api/firms/f1" && (role == "admin" || role == "viewer" || operator):
		return answer(http.StatusOK, `{"firm_id":"f1","name":"Acme & Sons","role":"`+role+`"}`)
	}
	return answer(http.StatusNotFound, `{"error":"Resource not found","errorCode":"NOT_FOUND"}`)
}

type world struct {
	mux  *httpserver.Mux
	jar  *session.Jar
	done int // how often the form was sent
}

// newWorld is a console with one part.
func newWorld(t *testing.T) *world {
	t.Helper()
	jar, err := session.New(secret.New([]byte(rand.Text() + rand.Text())[:32]), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{mux: httpserver.NewMux(slog.New(slog.DiscardHandler)), jar: jar}
	show := func(rw http.ResponseWriter, r *http.Request, d frame.Desk) error {
		return d.Show(rw, r, frame.Shown{Title: "Shoes", Page: "shoes.html", Data: frame.Sheet{Desk: d, Done: frame.Done(r, map[string]string{"made": "A shoe is made."})}})
	}
	deny := func(http.ResponseWriter, *http.Request, frame.Desk) error { return problem.Denied("Only cobblers.") }
	up := &upstream.Client{Transport: services{}, Vouch: func(*http.Request, netip.Addr) {}}
	f, err := frame.New(frame.Config{Backend: backend.New(up), PublicURL: "http://localhost", Sessions: jar, Parts: []frame.Part{{
		Pages:         fstest.MapFS{"pages/shoes.html": {Data: []byte(`{{define "main"}}{{template "top" .}}<p>{{.Data.Person}} in {{.Data.Mode}}</p>{{end}}`)}},
		Menu:          []frame.Entry{{Text: "Shoes", Name: "shoes"}, {Text: "Tools", Name: "tools", For: frame.Desk.Manages}},
		OperatorsMenu: []frame.Entry{{Text: "Keys", Name: "keys"}},
		Firm: frame.Routes{"GET /shoes": show, "GET /tools": deny, "POST /shoes": func(rw http.ResponseWriter, _ *http.Request, d frame.Desk) error {
			w.done++
			return page.Redirect(rw, d.Base()+"/shoes?done=made")
		}, "POST /shoes/polish": show},
		Operators: frame.Routes{"GET /keys/{key}": show},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	f.Routes(w.mux)
	return w
}

// ask sends what somebody's browser does; nobody is "".
func (w *world) ask(t *testing.T, method, path, who string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, http.NoBody)
	if who != "" {
		kept := httptest.NewRecorder()
		if err := w.jar.Set(kept, session.Session{Token: who, Person: "jane-" + who, Expires: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		r.AddCookie(kept.Result().Cookies()[0])
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	got := httptest.NewRecorder()
	w.mux.ServeHTTP(got, r)
	return got
}

func TestPagesAreShownToWhomTheyConcern(t *testing.T) {
	w := newWorld(t)
	const firm, keys = "/console/firms/f1/test", "/console/operations/keys/k1"
	for name, tt := range map[string]struct {
		path, who string
		status    int
		has       []string // what the page says
		hasNot    string
	}{
		"an admin has the whole menu":           {firm + "/shoes", "admin", 200, []string{"<h1>Shoes</h1>", "jane-admin in test", "Acme &amp; Sons", firm + `/tools"`, `href="/console/firms/f1/live/shoes"`, `aria-current="page">Shoes<`}, "Keys"},
		"a viewer has the part that is for him": {firm + "/shoes", "viewer", 200, []string{"Shoes"}, "Tools"},
		"an operator sees the firm":             {firm + "/shoes", "operator", 200, []string{"Shoes"}, "Tools"},
		"what was done stands on top":           {firm + "/shoes?done=made", "admin", 200, []string{`role="status"><p>A shoe is made.`}, "Keys"},
		"what was not done does not":            {firm + "/shoes?done=%3Cb%3E", "admin", 200, []string{"Shoes"}, "A shoe is made"},
		"what is denied says why":               {firm + "/tools", "admin", 403, []string{"Only cobblers.", "Your role in Acme &amp; Sons is admin"}, "Keys"},
		"a stranger finds no such firm":         {firm + "/shoes", "stranger", 404, nil, "Acme"},
		"there are two modes":                   {"/console/firms/f1/prod/shoes", "admin", 404, nil, "Acme"},
		"an operator has his own menu":          {keys, "operator", 200, []string{`href="/console/operations/keys" aria-current="page">Keys<`, "All firms"}, "Tools"},
		"who is none does not see his pages":    {keys, "admin", 403, []string{"This is for operators."}, "Keys"},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.ask(t, "GET", tt.path, tt.who)
			if got.Code != tt.status {
				t.Fatalf("%d, want %d", got.Code, tt.status)
			}
			for _, text := range tt.has {
				if !strings.Contains(got.Body.String(), text) {
					t.Errorf("does not say %q:\n%s", text, got.Body)
				}
			}
			if strings.Contains(got.Body.String(), tt.hasNot) {
				t.Errorf("says %q", tt.hasNot)
			}
		})
	}
}

func TestWhoIsNotLoggedInLogsInAndComesBack(t *testing.T) {
	w := newWorld(t)
	const shoes = "/console/firms/f1/test/shoes"
	for path, next := range map[string]string{
		"GET " + shoes: shoes, "GET /console/operations/keys/k1": "/console/operations/keys/k1",
		"GET " + shoes + "?done=made&size=7%26": shoes + "?size=7%26", // what was selected, not what was done
		"POST " + shoes:                         shoes,
		"POST " + shoes + "/polish":             shoes, // where the form stands
	} {
		method, path, _ := strings.Cut(path, " ")
		if got := w.ask(t, method, path, ""); got.Code != http.StatusSeeOther || got.Header().Get("Location") != "/login?again=1&next="+url.QueryEscape(next) {
			t.Errorf("%s: %d to %s", path, got.Code, got.Header().Get("Location"))
		}
	}
}

// TestEveryPageWarnsOfTheEndOfTheSession would fail if a person were logged out
// without a word, or led from there to an address that is none of a page.
func TestEveryPageWarnsOfTheEndOfTheSession(t *testing.T) {
	w := newWorld(t)
	const shoes = "/console/firms/f1/test/shoes"
	for asked, again := range map[string]string{
		"GET " + shoes + "?size=7": shoes + "?size=7", "POST " + shoes + "/polish": shoes, "GET " + "/console/operations/keys/k1": "/console",
	} {
		method, path, _ := strings.Cut(asked, " ")
		body := w.ask(t, method, path, "admin", "Sec-Fetch-Site", "same-origin").Body.String()
		for _, text := range []string{`id="stay"`, `data-seconds="810"`, `data-warning="120"`, `data-person="jane-admin"`, "/assets/stay-", again} {
			if !strings.Contains(body, text) {
				t.Errorf("%s does not say %s:\n%s", asked, text, body)
			}
		}
	}
}

func TestAFormOfAnotherSiteDoesNothing(t *testing.T) {
	w := newWorld(t)
	const path = "/console/firms/f1/test/shoes"
	if got := w.ask(t, "POST", path, "admin", "Sec-Fetch-Site", "cross-site"); got.Code != http.StatusForbidden || w.done != 0 {
		t.Errorf("%d, done %d times", got.Code, w.done)
	}
	if got := w.ask(t, "POST", path, "admin", "Sec-Fetch-Site", "same-origin"); got.Code != http.StatusSeeOther || w.done != 1 {
		t.Errorf("%d, done %d times", got.Code, w.done)
	}
}

func TestTwoPartsWithAPageOfOneNameAreRefused(t *testing.T) {
	part := frame.Part{Pages: fstest.MapFS{"pages/once.html": {Data: []byte(`{{define "main"}}{{end}}`)}}}
	if _, err := frame.New(frame.Config{Parts: []frame.Part{part}}); err == nil {
		t.Error("one of them would never be seen")
	}
}
