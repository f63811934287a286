package e2e

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The words about pages, as a person with a browser that runs no scripts uses
// them:
//
//	person name             log in at the pages; the customer name was signed up before
//	visit path              open a page of the portal, following redirects
//	submit path [a=b…]      send a form to a path, following redirects
//	lands regexp            the path and query on which that ended
//	shows regexp            the page has it; '! shows' that it has not
//	keep NAME regexp        keep its first group in $NAME
//
// No page may show anything that could be a card number.

// browser is what one person has open.
type browser struct {
	client *http.Client
}

// cmdPerson logs a person in. "customer name" left his address and password in
// the environment; a person met before is just taken up again.
func cmdPerson(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	if s.browsers == nil {
		s.browsers = map[string]*browser{}
	}
	if b, met := s.browsers[args[0]]; met {
		s.browser = b
		return
	}
	jar, err := cookiejar.New(nil)
	ts.Check(err)
	s.browser = &browser{&http.Client{Transport: s.transport, Jar: jar, Timeout: within}}
	s.browsers[args[0]] = s.browser
	ts.Check(s.browse(http.MethodPost, "/login", []string{"next=/account", "email=" + args[0] + "@example.com", "password=" + ts.Getenv("PASSWORD")}))
	cmdStatus(ts, false, []string{"200"})
	cmdLands(ts, false, []string{"/account"})
}

func cmdBrowse(method string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		ts.Check(of(ts).browse(method, args[0], args[1:]))
	}
}

// browse opens a page of the portal, or sends a form of fields name=value.
func (s *story) browse(method, path string, fields []string) error {
	form := url.Values{}
	for _, field := range fields {
		name, value, ok := strings.Cut(field, "=")
		if !ok {
			return fmt.Errorf("no field: %q", field)
		}
		form.Set(name, value)
	}
	req, err := http.NewRequest(method, s.process.Portal+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if err := s.answered(s.browser.client.Do(req)); err != nil {
		return err
	}
	if found := longDigits.Find(s.body); found != nil {
		return fmt.Errorf("%s shows a number: %q", path, found)
	}
	return nil
}

func cmdLands(ts *testscript.TestScript, neg bool, args []string) {
	at := of(ts).answer.Request.URL.RequestURI()
	if regexp.MustCompile("^(?:"+args[0]+")$").MatchString(at) == neg {
		ts.Fatalf("landed on %s: %s", at, of(ts).describe())
	}
}

func cmdShows(ts *testscript.TestScript, neg bool, args []string) {
	s := of(ts)
	if regexp.MustCompile(args[0]).Match(s.body) == neg {
		ts.Fatalf("shows %q: %v\n%s", args[0], !neg, s.describe())
	}
}

func cmdKeep(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	found := regexp.MustCompile(args[1]).FindSubmatch(s.body)
	if len(found) < 2 {
		ts.Fatalf("no %q: %s", args[1], s.describe())
	}
	ts.Setenv(args[0], string(found[1]))
}

// longDigits are what might be a card number. Ids of requests have digits too,
// between letters and hyphens.
var longDigits = regexp.MustCompile(`(?:^|[^0-9a-f-])[0-9]{12,19}(?:[^0-9a-f-]|$)`)

// TestLongDigitsAreFound would fail if a number on a page went unseen.
func TestLongDigitsAreFound(t *testing.T) {
	for text, want := range map[string]bool{
		">4111111111111111<": true, "4111111111111111": true, "…, 378282246310005,": true,
		"01a202f6-97c9-71f4-9d8d-123456789012": false, "•••• 1111": false, "client_123456789012345ABC": true,
	} {
		if got := longDigits.MatchString(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
