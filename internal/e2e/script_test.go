package e2e

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	netmail "net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/rogpeppe/go-internal/testscript"
)

// The words of the stories, beside testscript's own ("exec ccms" runs the
// program; $WORK/data is the folder of up):
//
//	up [flag…]                    start the product; sets $EUREKA $LOGIN $CARDS $PORTAL
//	down                          stop it with SIGTERM; it must exit 0
//	crash                         kill -9
//	METHOD url [body] [header…]   send a request (GET POST PUT PATCH DELETE HEAD OPTIONS); a header is 'Name: value'
//	until status METHOD …         repeat a request until it answers with status
//	status code                   of the last answer
//	header name regexp            of the last answer
//	json path regexp              the member at a dotted path; '.' is the whole answer
//	error code 'sentence'         the five members of the contract's error object
//	save NAME path                keep a member in $NAME
//	mail address regexp           wait for the newest mail to address whose subject matches;
//	                              sets $LINK and $TOKEN from the link in it
//	mails n                       there are exactly n mails
//	customer name                 sign up name@example.com, verify, log in; sets $EMAIL
//	                              $PASSWORD $JWT
//
// those about firms, in firm_test.go, and those about pages, in pages_test.go.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Values[storyKey{}] = &story{}
			env.Setenv("PATH", filepath.Dir(binary)+string(filepath.ListSeparator)+env.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"up": cmdUp, "down": cmdDown, "crash": cmdCrash,
			"GET": cmdCall("GET"), "POST": cmdCall("POST"), "PUT": cmdCall("PUT"), "PATCH": cmdCall("PATCH"),
			"DELETE": cmdCall("DELETE"), "HEAD": cmdCall("HEAD"), "OPTIONS": cmdCall("OPTIONS"),
			"until": cmdUntil, "status": cmdStatus, "header": cmdHeader, "json": cmdJSON, "error": cmdError,
			"save": cmdSave, "mail": cmdMail, "mails": cmdMails, "customer": cmdCustomer,
			"firm": cmdFirm, "client": cmdClient, "endpoint": cmdEndpoint, "signing": cmdSigning, "asked": cmdAsked, "becomes": cmdBecomes,
			"person": cmdPerson, "visit": cmdBrowse("GET"), "submit": cmdBrowse("POST"), "lands": cmdLands, "shows": cmdShows, "keep": cmdKeep,
		},
	})
}

type storyKey struct{}

// story is what the words of one script share.
type story struct {
	process *process
	// transport believes the authority of a process that was started with
	// --tls; nil is http.DefaultTransport.
	transport http.RoundTripper
	answer    *http.Response
	body      []byte
	value     any // body as JSON, nil when it is none
	endpoint  *endpoint
	browser   *browser // of who is at the pages
	browsers  map[string]*browser
}

func of(ts *testscript.TestScript) *story { return ts.Value(storyKey{}).(*story) }

func cmdUp(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	p, err := up(ts.MkAbs("data"), args...)
	ts.Check(err)
	s.process = p
	if slices.Contains(args, "--tls") {
		t, err := believing(p)
		ts.Check(err)
		ts.Defer(t.CloseIdleConnections)
		s.transport = t
	}
	ts.Defer(func() {
		if s.process == p {
			p.kill()
		}
		ts.Logf("output of ccms up:\n%s", p.output)
	})
	ts.Setenv("EUREKA", p.Eureka)
	ts.Setenv("LOGIN", p.Login)
	ts.Setenv("CARDS", p.CreditCard)
	ts.Setenv("PORTAL", p.Portal)
}

func cmdDown(ts *testscript.TestScript, _ bool, _ []string) {
	s := of(ts)
	ts.Check(s.process.stop())
	if _, err := os.Stat(filepath.Join(s.process.dir, "run.json")); err == nil {
		ts.Fatalf("run.json is still there")
	}
}

func cmdCrash(ts *testscript.TestScript, _ bool, _ []string) { of(ts).process.kill() }

func cmdCall(method string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		err := of(ts).call(method, args)
		if neg != (err != nil) {
			ts.Fatalf("%s %v: %v", method, args, err)
		}
	}
}

var headerShape = regexp.MustCompile(`^[A-Z][A-Za-z-]+: `)

func (s *story) call(method string, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: %s url [body] [header…]", method)
	}
	var body io.Reader
	header := http.Header{}
	for _, arg := range args[1:] {
		if headerShape.MatchString(arg) {
			name, value, _ := strings.Cut(arg, ": ")
			header.Add(name, value)
			continue
		}
		body = strings.NewReader(arg)
		if !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "Content-Type: ") }) {
			header.Set("Content-Type", "application/json")
		}
	}
	req, err := http.NewRequest(method, args[0], body)
	if err != nil {
		return err
	}
	req.Header, req.Host = header, header.Get("Host")
	client := http.Client{Transport: s.transport, Timeout: within, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s.answered(client.Do(req))
}

// answered keeps an answer for the words that look at it.
func (s *story) answered(res *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer res.Body.Close()
	s.answer, s.value = res, nil
	if s.body, err = io.ReadAll(res.Body); err != nil {
		return err
	}
	_ = json.Unmarshal(s.body, &s.value)
	return nil
}

func cmdUntil(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	deadline := time.Now().Add(within)
	for time.Now().Before(deadline) {
		if err := s.call(args[1], args[2:]); err == nil && s.answer.StatusCode == want {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
	ts.Fatalf("still not %d: %s", want, s.describe())
}

func (s *story) describe() string {
	if s.answer == nil {
		return "no answer"
	}
	return fmt.Sprintf("%s %v\n%s", s.answer.Status, s.answer.Header, s.body)
}

func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	s := of(ts)
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if (s.answer.StatusCode == want) == neg {
		ts.Fatalf("status %s (negated: %v), got %s", args[0], neg, s.describe())
	}
}

func cmdHeader(ts *testscript.TestScript, neg bool, args []string) {
	s := of(ts)
	got := strings.Join(s.answer.Header.Values(args[0]), "\n")
	if regexp.MustCompile(args[1]).MatchString(got) == neg {
		ts.Fatalf("header %s is %q", args[0], got)
	}
}

func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	s := of(ts)
	got, ok := s.member(args[0])
	if (ok && regexp.MustCompile("^(?:"+args[1]+")$").MatchString(got)) == neg {
		ts.Fatalf("%s is %q (there: %v) in %s", args[0], got, ok, s.describe())
	}
}

// member is the text of the value at a dotted path: strings as they are, all
// else as JSON.
func (s *story) member(path string) (string, bool) {
	v := s.value
	for part := range strings.SplitSeq(strings.Trim(path, "."), ".") {
		if part == "" {
			continue
		}
		switch in := v.(type) {
		case map[string]any:
			next, ok := in[part]
			if !ok {
				return "", false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(in) {
				return "", false
			}
			v = in[i]
		default:
			return "", false
		}
	}
	if text, ok := v.(string); ok {
		return text, true
	}
	b, err := json.Marshal(v, json.Deterministic(true))
	return string(b), err == nil
}

// cmdError: error 404 NO_CARDS 'No credit cards found'
func cmdError(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	cmdStatus(ts, false, args[:1])
	object, ok := s.value.(map[string]any)
	if !ok || len(object) != 5 {
		ts.Fatalf("not the contract's error object: %s", s.describe())
	}
	if object["errorCode"] != args[1] || object["error"] != args[2] {
		ts.Fatalf("want %s %q, got %s", args[1], args[2], s.describe())
	}
	if object["path"] == "" || object["details"] == "" || object["timestamp"] == "" {
		ts.Fatalf("an empty member: %s", s.describe())
	}
	cmdHeader(ts, false, []string{"Content-Type", `^application/json; charset=utf-8$`})
	cmdHeader(ts, false, []string{"Cache-Control", `^no-store$`})
}

func cmdSave(ts *testscript.TestScript, _ bool, args []string) {
	got, ok := of(ts).member(args[1])
	if !ok {
		ts.Fatalf("no %s in %s", args[1], of(ts).describe())
	}
	ts.Setenv(args[0], got)
}

func cmdMails(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	names, err := filepath.Glob(filepath.Join(of(ts).process.dir, "mail", "*.eml"))
	ts.Check(err)
	if len(names) != want {
		ts.Fatalf("there are %d mails: %v", len(names), names)
	}
}

// cmdCustomer walks what most stories begin with; walk.txt walks it step by
// step.
func cmdCustomer(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	email, password := args[0]+"@example.com", "Pw1-"+rand.Text()
	step := func(want int, method string, call ...string) {
		ts.Check(s.call(method, call))
		cmdStatus(ts, false, []string{strconv.Itoa(want)})
	}
	step(201, "POST", s.process.Login+"/api/customer/signup", fmt.Sprintf(`{"username":%q,"name":{"first":"Ann","last":"Example"},"email":%q,"password":%q}`, args[0], email, password))
	cmdMail(ts, false, []string{email, "(?i)confirm|verif"})
	step(200, "GET", s.process.Login+"/api/customer/verify?token="+ts.Getenv("TOKEN"))
	step(200, "POST", s.process.Login+"/api/customer/login/subsequent", fmt.Sprintf(`{"email":%q,"password":%q}`, email, password))
	cmdSave(ts, false, []string{"JWT", "token"})
	ts.Setenv("EMAIL", email)
	ts.Setenv("PASSWORD", password)
}

var linkShape = regexp.MustCompile(`https?://\S+[?]token=([A-Za-z0-9_-]+)`)

func cmdMail(ts *testscript.TestScript, _ bool, args []string) {
	m, err := awaitMail(of(ts).process.dir, args[0], args[1])
	ts.Check(err)
	if at := linkShape.FindStringSubmatch(m); at != nil {
		ts.Setenv("LINK", at[0])
		ts.Setenv("TOKEN", at[1])
	}
}

// awaitMail returns the plain text of the newest mail in dir/mail to address
// whose subject matches.
func awaitMail(dir, address, subject string) (string, error) {
	shape, err := regexp.Compile(subject)
	if err != nil {
		return "", err
	}
	for deadline := time.Now().Add(within); time.Now().Before(deadline); {
		names, _ := filepath.Glob(filepath.Join(dir, "mail", "*.eml"))
		slices.Sort(names)
		for _, name := range slices.Backward(names) {
			to, about, text, err := readMail(name)
			if err != nil {
				return "", fmt.Errorf("%s: %w", name, err)
			}
			if to == address && shape.MatchString(about) {
				return text, nil
			}
		}
		<-time.After(10 * time.Millisecond)
	}
	return "", fmt.Errorf("no mail to %s about %s", address, subject)
}

func readMail(name string) (to, subject, text string, err error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return "", "", "", err
	}
	m, err := netmail.ReadMessage(bytes.NewReader(b))
	if err != nil {
		return "", "", "", err
	}
	addresses, err := m.Header.AddressList("To")
	if err != nil || len(addresses) != 1 {
		return "", "", "", fmt.Errorf("recipients %v: %w", addresses, err)
	}
	subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return "", "", "", err
	}
	text, err = plainPart(m)
	return addresses[0].Address, subject, text, err
}

func plainPart(m *netmail.Message) (string, error) {
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(kind, "multipart/") {
		return "", fmt.Errorf("content type %q: %w", kind, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err != nil {
			return "", fmt.Errorf("no plain text part: %w", err)
		}
		if !strings.HasPrefix(p.Header.Get("Content-Type"), "text/plain") {
			continue
		}
		var body io.Reader = p
		if strings.EqualFold(p.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
			body = quotedprintable.NewReader(p)
		}
		b, err := io.ReadAll(body)
		return string(b), err
	}
}
