package operations

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"ccms/internal/console/backend"
	"ccms/internal/console/frame"
	"ccms/internal/httpserver"
	"ccms/internal/page/session"
	"ccms/internal/secret"
	"ccms/internal/upstream"
)

// world is the pages, and services that give the answers of a test.
type world struct {
	t       *testing.T
	mux     *httpserver.Mux
	jar     *session.Jar
	answers map[string]string // by "METHOD service path"
	got     []string          // what was asked that changes something, with its body
}

// RoundTrip implements http.RoundTripper. Without an answer it is that of the
// registry for what it does not know: 404 and nothing.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	asked := r.Method + " " + r.URL.Host + " " + r.URL.EscapedPath()
	if r.Method != http.MethodGet {
		w.got = append(w.got, strings.TrimSpace(asked+" "+string(body)))
	}
	answer := func(status int, text string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text))}, nil
	}
	text, known := w.answers[asked]
	switch {
	case r.URL.RawQuery == "all=true":
		return answer(http.StatusOK, `{"data":[]}`) // who asks is an operator
	case !known:
		return answer(http.StatusNotFound, "")
	case strings.Contains(text, "errorCode"):
		return answer(http.StatusBadRequest, text)
	}
	return answer(http.StatusOK, text)
}

func newWorld(t *testing.T, answers map[string]string) *world {
	t.Helper()
	jar, err := session.New(secret.New([]byte(rand.Text() + rand.Text())[:32]), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, mux: httpserver.NewMux(slog.New(slog.DiscardHandler)), jar: jar, answers: answers}
	up := &upstream.Client{Transport: w, Vouch: func(*http.Request, netip.Addr) {}}
	f, err := frame.New(frame.Config{
		Backend: backend.New(up), PublicURL: "http://localhost", Sessions: jar,
		Parts: []frame.Part{Part(Config{Services: up, Registry: up, Now: func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }})},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Routes(w.mux)
	return w
}

// ask sends what an operator's browser does; a form makes it a POST.
func (w *world) ask(path string, form ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodGet, frame.OperationsPath+path, http.NoBody)
	if form != nil {
		values := url.Values{}
		for i := 0; i+1 < len(form); i += 2 {
			values.Set(form[i], form[i+1])
		}
		r = httptest.NewRequest(http.MethodPost, frame.OperationsPath+path, strings.NewReader(values.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	kept := httptest.NewRecorder()
	if err := w.jar.Set(kept, session.Session{Token: "olga", Person: "olga", Expires: time.Now().Add(time.Hour)}); err != nil {
		w.t.Fatal(err)
	}
	r.AddCookie(kept.Result().Cookies()[0])
	got := httptest.NewRecorder()
	w.mux.ServeHTTP(got, r)
	return got
}

const (
	two = `{"application":{"name":"SVC","instance":[{"instanceId":"b/1 <i>","app":"SVC","hostName":"h","ipAddr":"192.0.2.1","status":"UP","overriddenStatus":"UNKNOWN"},` +
		`{"instanceId":"a","app":"SVC","hostName":"h","ipAddr":"h","status":"OUT_OF_SERVICE","overriddenStatus":"OUT_OF_SERVICE"}]}}`
	apps = `{"applications":{"application":[{"name":"SVC","instance":[{"status":"UP"},{"status":"UP"},{"status":"DOWN"}]},{"name":"OTHER","instance":[{"status":"UP"}]}]}}`
	keys = `{"service":"%s","keys":[{"use":"owner","name":"firm_X","version":2,"state":"active","values":7,"due":"rotate"}],"orphans":3,"rotation":{"state":"running","started_at":"2026-11-22T11:00:00Z"},"rewrap":{"state":"running","values":100,"passed":40,"moved":30}}`
)

func TestWhatOperatorsRead(t *testing.T) {
	t.Parallel()
	people := `{"data":[{"operator_id":"o1","username":"olga","email":"olga@example.com","since":"2026-01-02T03:04:05Z"},{"operator_id":"o/2","username":"bob","email":"bob@example.com","since":"2026-01-02T03:04:05Z"}]}`
	w := newWorld(t, map[string]string{
		"GET eureka /eureka/apps": apps, "GET eureka /eureka/apps/SVC": two,
		"GET login-service /api/operator/keys": fmt.Sprintf(keys, "login-service"), "GET creditcard-service /v1/operator/keys": fmt.Sprintf(keys, "creditcard-service"),
		"GET login-service /api/operator/audit":      `{"service":"login-service","state":"broken","ended_at":"2026-11-22T11:00:00Z","broken":{"chain":"c1","number":7,"what":"altered"}}`,
		"GET creditcard-service /v1/operator/audit":  `{"service":"creditcard-service","state":"done","ended_at":"2026-11-22T11:00:00Z","records":12,"checkpoints":2}`,
		"GET login-service /api/operator/audit/head": `{"service":"login-service","heads":[]}`, "GET creditcard-service /v1/operator/audit/head": `{"service":"creditcard-service","heads":[]}`,
		"GET login-service /api/operator/backup": `{"last":{"at":"2026-11-20T12:00:00Z","by":"root","size":1234567,"documents":4321}}`,
		"GET login-service /api/operator/people": people,
	})
	for path, has := range map[string][]string{
		"/registry":            {"4 instances", "DOWN 1, UP 2", "/registry?app=SVC"},
		"/registry?q=oth":      {"1 instance.", "OTHER"},
		"/registry?q=nothing":  {"No application has this"},
		"/registry?app=SVC":    {"b/1 &lt;i&gt;", "action=out-of-service&amp;app=SVC&amp;id=b%2F1&#43;%3Ci%3E", "action=bring-back&amp;app=SVC&amp;id=a"},
		"/registry?app=GONE":   {"It has no instance"},
		"/keys":                {"wraps the card keys of firm_X", "3 values lie under no key", "Something is due for 1", "40 of 100 looked at, 30 moved", "Look again"},
		"/audit":               {"Chain c1, record 7: altered", "12 records and 2 checkpoints"},
		"/audit/heads.json":    {`[{"service":"login-service","heads":[]},{"service":"creditcard-service","heads":[]}]`},
		"/backups":             {"older than a day", "1.2 MB", "4,321"},
		"/people":              {"olga@example.com", "people/o%2F2/remove", "you"},
		"/people/o%2F2/remove": {"Take the role away from bob@example.com"},
	} {
		got := w.ask(path)
		for _, text := range has {
			if got.Code != http.StatusOK || !strings.Contains(got.Body.String(), text) {
				t.Errorf("%s (%d) does not say %q:\n%s", path, got.Code, text, got.Body)
			}
		}
	}
	if head := w.ask("/audit/heads.json").Header().Get("Content-Disposition"); !strings.Contains(head, "audit-heads-2026-11-22.json") {
		t.Errorf("file name: %s", head)
	}
	for path, status := range map[string]int{
		"/registry/act?action=explode&app=SVC&id=a": 404, "/registry/act?action=deregister&app=SVC&id=x": 404,
		"/registry/act?action=deregister&app=GONE&id=a": 404, "/people/nobody/remove": 404,
	} {
		if got := w.ask(path); got.Code != status {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
	if len(w.got) > 0 {
		t.Errorf("reading changed something: %q", w.got)
	}
}

func TestHowFarAMoveIs(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]progress{
		"": {State: "idle"},
		"Values are being moved: 0 of 0 looked at, 0 moved.":                                                           {State: "counting"},
		"Values were moved: 1,200 of 3,400.":                                                                           {State: "done", Job: "rewrap", Values: 3400, Moved: 1200},
		"Moving values stopped before its end: begin it again.":                                                        {State: "stopped", Job: "rewrap"},
		"Numbers are being filed under new look-up keys: 3 of 9 looked at, 2 moved.":                                   {State: "waiting", Job: "lookup", Values: 9, Passed: 3, Moved: 2},
		"Numbers were filed under new look-up keys: 9 of 9 looked at, 4 moved.":                                        {State: "done", Job: "lookup", Values: 9, Passed: 9, Moved: 4},
		"Filing numbers under new look-up keys stopped before its end: begin it again with ccms keys rotate --lookup.": {State: "stopped", Job: "lookup"},
	} {
		if got := p.Says(); got != want {
			t.Errorf("%+v: %q", p, got)
		}
	}
}

func TestWhatOperatorsDo(t *testing.T) {
	t.Parallel()
	const path = "eureka /operator/instances/SVC/b%2F1%20%3Ci%3E"
	w := newWorld(t, map[string]string{
		"PUT " + path + "/status": "{}", "DELETE " + path + "/status": "{}", "DELETE " + path: "{}",
		"POST login-service /api/operator/keys/rotate": "{}", "POST creditcard-service /v1/operator/keys/rotate": "{}", "POST creditcard-service /v1/operator/keys/rewrap": "{}",
		"POST login-service /api/operator/audit/verify": "{}", "POST login-service /api/operator/people": "{}", "DELETE login-service /api/operator/people/o1": "{}",
	})
	act := func(action string) []string { return []string{"action", action, "app", "SVC", "id", "b/1 <i>"} }
	for _, c := range []struct {
		path string
		form []string
		asks string // of a service
		then string // where it goes on
	}{
		{"/registry/act", act("out-of-service"), "PUT " + path + `/status {"status":"OUT_OF_SERVICE"}`, "/registry?app=SVC&done=out-of-service"},
		{"/registry/act", act("bring-back"), "DELETE " + path + "/status", "/registry?app=SVC&done=bring-back"},
		{"/registry/act", act("deregister"), "DELETE " + path, "/registry?app=SVC&done=deregister"},
		{"/keys/rotate", []string{"service", "login-service"}, `POST login-service /api/operator/keys/rotate {"keys":"signing"}`, "/keys?done=rotate"},
		{"/keys/rotate", []string{"service", "creditcard-service"}, `POST creditcard-service /v1/operator/keys/rotate {"keys":"values"}`, "/keys?done=rotate"},
		{"/keys/rewrap", []string{"service", "creditcard-service"}, "POST creditcard-service /v1/operator/keys/rewrap", "/keys?done=rewrap"},
		{"/audit/verify", []string{"service", "login-service"}, "POST login-service /api/operator/audit/verify", "/audit?done=verify"},
		{"/people", []string{"email", "ann@example.com"}, `POST login-service /api/operator/people {"email":"ann@example.com"}`, "/people?done=given"},
		{"/people/o1/remove", []string{"x", ""}, "DELETE login-service /api/operator/people/o1", "/people?done=removed"},
	} {
		w.got = nil
		got := w.ask(c.path, c.form...)
		if got.Header().Get("Location") != frame.OperationsPath+c.then || len(w.got) != 1 || w.got[0] != c.asks {
			t.Errorf("%s %q: %d to %s, asked %q", c.path, c.form, got.Code, got.Header().Get("Location"), w.got)
		}
	}
	for _, form := range [][]string{{"service", "portal"}, {"service", "http://evil.example"}, {"x", ""}} {
		if got := w.ask("/keys/rotate", form...); got.Code != http.StatusNotFound {
			t.Errorf("%q: %d", form, got.Code)
		}
	}
}
