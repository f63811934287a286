package boot

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/apidocs"
	"ccms/internal/boot/chassis"
	"ccms/internal/eureka"
	"ccms/internal/patience"
	"ccms/internal/store/storetest"
)

// description is what these tests read of an OpenAPI document.
type description struct {
	Paths  map[string]map[string]jsontext.Value `json:"paths"`
	Passes map[string][]string                  `json:"x-passes-on"`
	Pages  []string                             `json:"x-pages"` // for people, as patterns of a mux
}

// describeAll reads the documents of all services.
func describeAll(t *testing.T) map[string]description {
	t.Helper()
	all := map[string]description{}
	for _, service := range []string{eureka.Audience, chassis.LoginService, chassis.CardService, chassis.Portal} {
		all[service] = describe(t, service)
	}
	return all
}

func describe(t *testing.T, service string) description {
	t.Helper()
	b, err := apidocs.Document(strings.TrimSuffix(service, "-service"))
	if err != nil {
		t.Fatal(err)
	}
	var d description
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// operations are the document's, as patterns of a mux: "GET /actuator".
func (d description) operations() []string {
	var all []string
	for path, item := range d.Paths {
		for method := range item {
			if method != "parameters" {
				all = append(all, strings.ToUpper(method)+" "+path)
			}
		}
	}
	return all
}

// examples are the keys of the problems an operation lists for a status.
func (d description) examples(t *testing.T, operation string, status int) []string {
	t.Helper()
	method, path, _ := strings.Cut(operation, " ")
	var op struct {
		Responses map[string]struct {
			Content map[string]struct {
				Examples map[string]jsontext.Value `json:"examples"`
			} `json:"content"`
		} `json:"responses"`
	}
	if err := json.Unmarshal(d.Paths[path][strings.ToLower(method)], &op); err != nil {
		t.Fatalf("no operation %s: %v", operation, err)
	}
	var all []string
	for key := range op.Responses[strconv.Itoa(status)].Content["application/json"].Examples {
		all = append(all, key)
	}
	return all
}

// TestEveryRouteIsDescribedAndTheReverse would fail if a route of a service
// were missing from its document, or if a document named one that is not there.
func TestEveryRouteIsDescribedAndTheReverse(t *testing.T) {
	r, all := startRig(t, settings(t), nil), describeAll(t)
	for _, s := range r.Services {
		t.Run(s.Name, func(t *testing.T) {
			d := all[s.Name]
			var routed, passed []string
			for _, pattern := range s.Mux.Patterns() {
				switch {
				case pattern == "/eureka/**": // TestTheProtocolIsDescribed
				case strings.HasPrefix(pattern, "/"):
					passed = append(passed, pattern)
				default:
					routed = append(routed, strings.TrimSuffix(pattern, "{$}"))
				}
			}
			if want := slices.Concat(d.Passes[chassis.LoginService], d.Passes[chassis.CardService]); !slices.Equal(want, passed) {
				t.Errorf("passes on %q, described %q", passed, want)
			}
			described := slices.Concat(d.operations(), d.Pages)
			for _, route := range routed {
				if !slices.Contains(described, route) {
					t.Errorf("%s is not described", route)
				}
			}
			for _, op := range described {
				if !slices.Contains(routed, op) && !passes(all, d.Passes, op) && !strings.Contains(op, " /eureka/") {
					t.Errorf("%s is described and not there", op)
				}
			}
		})
	}
}

// passes reports whether an operation is described by the service it is passed
// on to.
func passes(all map[string]description, passed map[string][]string, op string) bool {
	mux := http.NewServeMux()
	behind := map[string]string{}
	for service, patterns := range passed {
		for _, p := range patterns {
			mux.Handle(p, http.NotFoundHandler())
			behind[p] = service
		}
	}
	method, path, _ := strings.Cut(op, " ")
	_, pattern := mux.Handler(&http.Request{Method: method, URL: &url.URL{Path: path}})
	return pattern != "" && slices.Contains(all[behind[pattern]].operations(), op)
}

// TestTheProtocolIsDescribed would fail if the registry took other methods of
// the protocol's paths than its document says.
func TestTheProtocolIsDescribed(t *testing.T) {
	r := startRig(t, settings(t), nil)
	for path, item := range describe(t, eureka.Audience).Paths {
		if !strings.HasPrefix(path, "/eureka/") {
			continue
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, r.url(eureka.Audience)+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		var described []string
		for method := range item {
			if method != "parameters" {
				described = append(described, strings.ToUpper(method))
			}
		}
		allowed := slices.DeleteFunc(strings.Split(res.Header.Get("Allow"), ","), func(m string) bool { return m == "HEAD" || m == "OPTIONS" })
		slices.Sort(described)
		slices.Sort(allowed)
		if !slices.Equal(described, allowed) {
			t.Errorf("%s takes %q, described %q", path, allowed, described)
		}
	}
}

// provoker makes a running product give documented errors and remembers which.
type provoker struct {
	*rig
	documents map[string]description
	problems  map[string]apidocs.Problem
	seen      map[string]bool
}

// request is one call. Its operation is "METHOD /path" as documented; at is the
// path itself where that has parameters or a query.
type request struct {
	service, operation, at, body string
	header                       []string
}

// do sends q; the caller closes the answer's body.
func (p *provoker) do(t *testing.T, q request) *http.Response {
	t.Helper()
	method, path, _ := strings.Cut(q.operation, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, p.url(q.service)+cmp.Or(q.at, path), strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(q.header); i += 2 {
		req.Header.Set(q.header[i], q.header[i+1])
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func (p *provoker) send(t *testing.T, q request) (status int, code, message, token string) {
	t.Helper()
	res := p.do(t, q)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		Error     string `json:"error"`
		ErrorCode string `json:"errorCode"`
		Token     string `json:"token"`
	}
	_ = json.Unmarshal(b, &out)
	return res.StatusCode, out.ErrorCode, out.Error, out.Token
}

// gives checks that q is answered with the problem key, as documented.
func (p *provoker) gives(t *testing.T, key string, q request) {
	t.Helper()
	p.seen[key] = true
	want := p.problems[key]
	if status, code, message, _ := p.send(t, q); status != want.Status || code != want.Code || message != want.Message {
		t.Errorf("%s: %s gives %d %s %q, documented %d %s %q", key, q.operation, status, code, message, want.Status, want.Code, want.Message)
	}
	if documented := p.documents[q.service].examples(t, q.operation, want.Status); !slices.Contains(documented, key) {
		t.Errorf("%s is not documented for %s", key, q.operation)
	}
}

// works sends a request that must succeed and returns the token in its answer.
func (p *provoker) works(t *testing.T, q request) string {
	t.Helper()
	status, code, _, token := p.send(t, q)
	if status >= 300 {
		t.Fatalf("%s %s: %d %s", q.operation, q.at, status, code)
	}
	return token
}

var (
	mailedToken = regexp.MustCompile(`/(?:verify|reset-password)\?token=([A-Za-z0-9_-]+)`)
)

// mailed waits for a mail whose link leads to page and returns its token.
func (p *provoker) mailed(t *testing.T, page string) string {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		names, err := filepath.Glob(p.Dir.File("mail", "*.eml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if m := mailedToken.FindSubmatch(b); m != nil && strings.HasPrefix(string(m[0]), "/"+page) {
				return string(m[1])
			}
		}
	}
	t.Fatalf("no mail with a link to %s came", page)
	return ""
}

const (
	annsWords  = `"email":"ann@example.com","password":"tangerine-walrus-42"`
	annSignsUp = `{"username":"ann","name":{"first":"A","last":"B"},` + annsWords + `}`
	visa       = `"cardNumber":"4111111111111111","expiryMonth":12,"expiryYear":2040`
	mastercard = `"cardNumber":"5555555555554444","expiryMonth":12,"expiryYear":2040`
)

// TestEveryDocumentedErrorCanBeProduced would fail if a service gave another
// status, code or sentence than its document says, if an operation gave an
// error that it does not list, or if an error were documented that nothing
// here makes a service give.
func TestEveryDocumentedErrorCanBeProduced(t *testing.T) {
	t.Parallel()
	problems, err := apidocs.Problems()
	if err != nil {
		t.Fatal(err)
	}
	documents, seen := describeAll(t), map[string]bool{}
	t.Run("of people who log in", func(t *testing.T) {
		p := &provoker{startRig(t, settings(t, "login.lock-after", "2"), nil), documents, problems, seen}
		p.provokeLogin(t)
	})
	t.Run("of cardholders", func(t *testing.T) {
		var fault *storetest.Fault
		p := &provoker{startRig(t, settings(t, "login.resend-after", "1ms"), func(p *process) {
			fault = storetest.NewFault(p.DB)
			p.DB = fault
		}), documents, problems, seen}
		p.provokeCards(t, p.verified(t), fault)
	})
	t.Run("of firms", func(t *testing.T) {
		p := &provoker{startRig(t, settings(t), nil), documents, problems, seen}
		p.provokeFirms(t)
	})
	t.Run("of one-time links", func(t *testing.T) {
		var fault *storetest.Fault
		p := &provoker{startRig(t, settings(t), func(p *process) {
			fault = storetest.NewFault(p.DB)
			p.DB = fault
		}), documents, problems, seen}
		p.provokeLinks(t, fault)
	})
	t.Run("of what expires", func(t *testing.T) {
		p := &provoker{startRig(t, settings(t, "login.token-ttl", "1s", "login.verify-ttl", "1ms"), nil), documents, problems, seen}
		p.provokeExpiry(t)
		p = &provoker{startRig(t, settings(t, "login.password-max-age", "1ms"), nil), documents, problems, seen}
		p.works(t, request{service: chassis.LoginService, operation: "POST /api/customer/signup", body: annSignsUp})
		p.gives(t, "expiredPassword", request{service: chassis.LoginService, operation: "POST /api/customer/login", body: "{" + annsWords + "}"})
	})
	for key := range problems {
		if !seen[key] {
			t.Errorf("%s is documented and was not produced", key)
		}
	}
}

func (p *provoker) provokeLogin(t *testing.T) {
	signUp, first, later := "POST /api/customer/signup", "POST /api/customer/login", "POST /api/customer/login/subsequent"
	resend, forgot, reset := "POST /api/customer/send-verification", "POST /api/customer/forgot-password", "POST /api/customer/forgot-password/reset-password"
	gives := func(key, operation, body string, header ...string) {
		t.Helper()
		p.gives(t, key, request{service: chassis.LoginService, operation: operation, body: body, header: header})
	}
	works := func(operation, body string) string {
		t.Helper()
		return p.works(t, request{service: chassis.LoginService, operation: operation, body: body})
	}
	gives("incompleteSignUp", signUp, `{"username":"ann"}`)
	gives("weakPassword", signUp, strings.Replace(annSignsUp, "tangerine-walrus-42", "short", 1))
	works(signUp, annSignsUp)
	gives("emailExists", signUp, strings.Replace(annSignsUp, `"ann"`, `"other"`, 1))
	gives("usernameExists", signUp, strings.Replace(annSignsUp, "ann@", "other@", 1))
	gives("unverified", first, "{"+annsWords+"}")
	gives("verificationTooSoon", resend, `{"email":"ann@example.com"}`)
	gives("invalidEmail", resend, `{"email":"ann"}`)
	gives("noCustomer", resend, `{"email":"nobody@example.com"}`)
	gives("noAccount", forgot, `{"email":"nobody@example.com"}`)
	works(forgot, `{"email":"ann@example.com"}`)
	gives("resetTooSoon", forgot, `{"email":"ann@example.com"}`)
	token := p.mailed(t, "reset-password")
	gives("invalidReset", reset, `{"token":"x","newPassword":"x","confirmPassword":"x"}`)
	gives("passwordMismatch", reset, `{"token":"`+token+`","newPassword":"x","confirmPassword":"y"}`)
	p.gives(t, "unknownVerification", request{service: chassis.LoginService, operation: "GET /api/customer/verify", at: "/api/customer/verify?token=" + token})
	p.gives(t, "invalidVerification", request{service: chassis.LoginService, operation: "GET /api/customer/verify", at: "/api/customer/verify?token=x"})

	gives("missingCredentials", first, `{"email":"ann@example.com"}`)
	gives("wrongCredentials", first, `{"email":"bob@example.com","password":"x"}`)
	gives("wrongCredentials", later, `{"email":"bob@example.com","password":"x"}`)
	gives("lockedFirst", first, `{"email":"bob@example.com","password":"x"}`)
	gives("lockedLater", later, `{"email":"bob@example.com","password":"x"}`)
	gives("validation", first, `[]`)
	gives("bodyTooLarge", first, `{"email":"`+strings.Repeat("a", 5000)+`"}`)
	gives("wrongMediaType", first, `{}`, "Content-Type", "text/plain")
	gives("headersTooLarge", first, `{}`, "X-Long", strings.Repeat("a", 17<<10))
	gives("wrongHost", first, `{}`, "Host", "example.com")

	bearer := "Bearer " + works(later, "{"+annsWords+"}")
	gives("noToken", "GET /api/account", "")
	gives("wrongPassword", "DELETE /api/account", `{"password":"x"}`, "Authorization", bearer)
	p.gives(t, "noResource", request{service: chassis.LoginService, operation: "GET /api/account/sessions/{id}", at: "/api/account/sessions/x", header: []string{"Authorization", bearer}})
	gives("denied", "GET /internal/verification", "")
	p.provokeAnywhere(t)
}

// provokeAnywhere makes what needs no request of a certain kind, and stops the
// login service.
func (p *provoker) provokeAnywhere(t *testing.T) {
	status, code, message, _ := p.send(t, request{service: chassis.LoginService, operation: "PATCH /api/account"})
	if want := p.problems["noMethod"]; status != want.Status || code != want.Code || message != want.Message {
		t.Errorf("noMethod: %d %s %q", status, code, message)
	}
	p.service(chassis.LoginService).Mux.Handle("GET /breaks", func(http.ResponseWriter, *http.Request) error { return errors.New("nobody foresaw this") })
	status, code, message, _ = p.send(t, request{service: chassis.LoginService, operation: "GET /breaks"})
	if want := p.problems["server"]; status != want.Status || code != want.Code || message != want.Message {
		t.Errorf("server: %d %s %q", status, code, message)
	}
	p.seen["noMethod"], p.seen["server"] = true, true
	p.stages[chassis.LoginService].Stop()
	p.gives(t, "unavailable", request{service: chassis.Portal, operation: "POST /api/customer/login", body: "{}"})
}

// verified signs ann up, verifies her and returns her Authorization.
func (p *provoker) verified(t *testing.T) string {
	t.Helper()
	p.works(t, request{service: chassis.LoginService, operation: "POST /api/customer/signup", body: annSignsUp})
	token := p.mailed(t, "verify")
	p.works(t, request{service: chassis.LoginService, operation: "GET /api/customer/verify", at: "/api/customer/verify?token=" + token})
	p.gives(t, "alreadyVerified", request{service: chassis.LoginService, operation: "POST /api/customer/send-verification", body: `{"email":"ann@example.com"}`})
	return "Bearer " + p.works(t, request{service: chassis.LoginService, operation: "POST /api/customer/login", body: "{" + annsWords + "}"})
}

func (p *provoker) provokeCards(t *testing.T, bearer string, fault *storetest.Fault) {
	add, one := "POST /api/customer/creditcard", "/api/customer/creditcard/{creditCardNumber}"
	gives := func(key, body string, header ...string) {
		t.Helper()
		p.gives(t, key, request{service: chassis.CardService, operation: add, body: body, header: append(header, "Authorization", bearer)})
	}
	at := func(method, path string) request {
		operation := method + " " + one + strings.TrimPrefix(path, "/4111111111111111")
		return request{service: chassis.CardService, operation: operation, at: "/api/customer/creditcard" + path, header: []string{"Authorization", bearer}}
	}
	works := func(body string, header ...string) {
		t.Helper()
		p.works(t, request{service: chassis.CardService, operation: add, body: body, header: append(header, "Authorization", bearer)})
	}
	p.gives(t, "noCards", request{service: chassis.CardService, operation: "GET /api/customer/creditcard", header: []string{"Authorization", bearer}})
	gives("invalidCard", `{"cvv":"123"}`)
	gives("invalidCVV", `{`+visa+`,"cvv":"12"}`)
	gives("invalidExpiry", `{"cardNumber":"4111111111111111","cvv":"123"}`)
	p.gives(t, "cardNotFound", at("DELETE", "/4111111111111111"))
	works(`{`+visa+`,"cvv":"123"}`, "Idempotency-Key", "one")
	gives("keyMismatch", `{`+mastercard+`,"cvv":"123"}`, "Idempotency-Key", "one")
	gives("cardExists", `{`+visa+`,"cvv":"123"}`)
	gone := at("DELETE", "/4111111111111111")
	p.works(t, gone)
	p.gives(t, "alreadyDeleted", gone)
	p.gives(t, "cardDeleted", at("PUT", "/4111111111111111/toggle"))

	// Two requests with one key, while the store takes its time.
	fault.Add(storetest.Rule{Collection: "CreditCard", Op: storetest.Replace, Times: 1, Delay: patience.Times * time.Second})
	codes := make(chan string, 2)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			_, code, message, _ := p.send(t, request{service: chassis.CardService, operation: add, body: `{` + mastercard + `,"cvv":"123"}`, header: []string{"Authorization", bearer, "Idempotency-Key", "two"}})
			codes <- code + message
		})
	}
	both.Wait()
	if want := p.problems["keyInProgress"]; <-codes+<-codes != want.Code+want.Message {
		t.Error("two requests with one key at the same time: none was told that the other is running")
	}
	p.seen["keyInProgress"] = true

	for range 100 {
		if status, _, _, _ := p.send(t, request{service: chassis.CardService, operation: add, body: `{` + visa + `,"cvv":"123"}`, header: []string{"Authorization", bearer}}); status != http.StatusCreated {
			break
		}
		p.works(t, gone)
	}
	gives("cardLimit", `{`+visa+`,"cvv":"123"}`)
	for _, code := range []string{"124", "125"} {
		p.send(t, request{service: chassis.CardService, operation: add, body: `{` + visa + `,"cvv":"` + code + `"}`, header: []string{"Authorization", bearer}})
	}
	gives("throttled", `{`+visa+`,"cvv":"126"}`)

	account := request{service: chassis.LoginService, operation: "GET /api/account", header: []string{"Authorization", bearer}}
	fault.Add(storetest.Rule{Collection: "Customer", Op: storetest.Get, Times: 1, Err: io.ErrUnexpectedEOF})
	p.gives(t, "database", account)
	fault.Add(storetest.Rule{Collection: "Customer", Op: storetest.Get, Times: 1, Delay: time.Minute})
	p.gives(t, "timedOut", account)
}

func (p *provoker) provokeExpiry(t *testing.T) {
	p.works(t, request{service: chassis.LoginService, operation: "POST /api/customer/signup", body: annSignsUp})
	token := p.mailed(t, "verify")
	p.gives(t, "expiredVerification", request{service: chassis.LoginService, operation: "GET /api/customer/verify", at: "/api/customer/verify?token=" + token})
	bearer := "Bearer " + p.works(t, request{service: chassis.LoginService, operation: "POST /api/customer/login/subsequent", body: "{" + annsWords + "}"})
	account := request{service: chassis.LoginService, operation: "GET /api/account", header: []string{"Authorization", bearer}}
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		if status, _, _, _ := p.send(t, account); status != http.StatusOK {
			break
		}
	}
	p.gives(t, "expiredToken", account)
}
