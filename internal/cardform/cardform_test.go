package cardform_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"

	"ccms/internal/cardform"
	"ccms/internal/httpserver"
	"ccms/internal/upstream"
)

const (
	visa   = "4111111111111111"
	secret = "q1S5yHqAj1mZ3m0mS3dJm1Yd0gqjzq0m1r4q2n6m2xA"
	path   = "/card/" + secret
	card   = "number=4111+1111+1111+1111&expiry=12+%2F+40&code=737&name=Jane+Doe"
)

// world is the hosted form before a card service that answers what a test says.
type world struct {
	t    *testing.T
	base string

	mu     sync.Mutex
	opened string // the answer to open: a body, or a status and a body
	made   string // to submit, likewise
	asked  []asked
}

type asked struct{ url, body string }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, made: `{"registration_id":"r-1","status":"verified","brand":"Visa","last4":"1111","expiry":"12/2040"}`}
	service := httptest.NewServer(http.HandlerFunc(w.answer))
	t.Cleanup(service.Close)
	to, _ := url.Parse(service.URL)
	form, err := cardform.New(cardform.Config{
		PublicURL: "https://ccms.example",
		Upstream: &upstream.Client{
			Transport: through(func(r *http.Request) (*http.Response, error) {
				out := r.Clone(r.Context())
				out.URL.Host = to.Host
				return http.DefaultTransport.RoundTrip(out)
			}),
			Vouch: func(*http.Request, netip.Addr) {},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := httpserver.NewMux(slog.New(slog.DiscardHandler))
	form.Routes(mux)
	pages := httptest.NewServer(mux)
	t.Cleanup(pages.Close)
	w.base = pages.URL
	return w
}

type through func(r *http.Request) (*http.Response, error)

func (f through) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answer plays the card service: "409 CODE" is a refusal, all else a body.
func (w *world) answer(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, _ := io.ReadAll(r.Body)
	w.asked = append(w.asked, asked{r.URL.String(), string(b)})
	answer := w.opened
	if strings.HasSuffix(r.URL.Path, "/submit") {
		answer = w.made
	}
	status := map[string]int{"400": 400, "404": 404, "409": 409, "429": 429, "503": 503, "500": 500}[answer[:3]]
	if status == 0 {
		_, _ = io.WriteString(rw, answer)
		return
	}
	rw.WriteHeader(status)
	_, _ = io.WriteString(rw, `{"error":"E","errorCode":"`+answer[4:]+`","details":"D"}`)
}

func (w *world) calls(suffix string) []asked {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []asked
	for _, a := range w.asked {
		if strings.HasSuffix(a.url, suffix) {
			all = append(all, a)
		}
	}
	return all
}

type got struct {
	status int
	header http.Header
	body   string
}

func (w *world) do(method, path, body string, header ...string) got {
	w.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, w.base+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return got{res.StatusCode, res.Header, string(b)}
}

// link is the answer to open of a link with more members.
func link(mode, state, more string) string {
	return `{"firm":"Acme & Söhne","mode":"` + mode + `","environment":"test","state":"` + state + `"` + more + `}`
}

const (
	back   = `,"return_url":"https://shop.example/back?order=7&status=x#top"`
	around = `,"origin":"https://shop.example"`
	ended  = `,"registration":{"registration_id":"r-1","status":"`
)

func TestEveryStateOfALinkHasAPageAndAWayOn(t *testing.T) {
	for name, c := range map[string]struct {
		opened string
		status int
		says   string // of the heading
		more   []string
	}{
		"open":              {link("link", "open", ""), 200, "Your card for", []string{"Acme &amp; Söhne", "Test mode", `autocomplete="cc-number"`, `autocomplete="cc-name"`}},
		"open, to go back":  {link("redirect", "open", back), 200, "Your card for", []string{"Afterwards you return to", "shop.example", "order=7&amp;status=cancelled#top"}},
		"used":              {link("link", "used", ended+`verified"}`), 200, "Your card is registered", []string{"works once"}},
		"used, to go back":  {link("redirect", "used", back+ended+`verified"}`), 200, "Your card is registered", []string{"order=7&amp;registration_id=r-1&amp;status=verified#top"}},
		"used and pending":  {link("link", "used", ended+`pending"}`), 200, "Your card is being checked", nil},
		"used and rejected": {link("link", "used", ended+`rejected"}`), 200, "Your card was not accepted", []string{"Ask"}},
		"used and deleted":  {link("redirect", "used", back), 200, "Your card is registered", []string{"status=used"}},
		"expired":           {link("link", "expired", ""), 410, "This link has expired", []string{"for a new link"}},
		"expired, go back":  {link("redirect", "expired", back), 410, "This link has expired", []string{"status=expired#top"}},
		"revoked":           {link("link", "revoked", ""), 410, "This link was withdrawn", []string{"for a new link"}},
		"expired in a frame": {
			link("embed", "expired", around), 410, "This link has expired", []string{"Reload the page", `"state":"expired"`},
		},
		"firm suspended": {"409 LINK_WITHDRAWN", 410, "This link cannot be used at the moment", []string{"Ask them for another way"}},
		"unknown":        {"404 NOT_FOUND", 404, "This link does not work", []string{"ask who sent it"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.opened = c.opened
			got := w.do("GET", path, "")
			if got.status != c.status || !strings.Contains(got.body, "<h1>"+c.says) && !strings.Contains(got.body, `<h1 class="hidden">`+c.says) {
				t.Errorf("%d %s", got.status, got.body)
			}
			for _, text := range c.more {
				if !strings.Contains(got.body, text) {
					t.Errorf("%q is missing in %s", text, got.body)
				}
			}
			if arabic := w.do("GET", path+"?lang=ar", ""); !strings.Contains(arabic.body, `lang="ar" dir="rtl"`) || strings.Contains(arabic.body, c.says) {
				t.Errorf("in Arabic: %s", arabic.body)
			}
		})
	}
}

func TestWhoMayShowThePageAndWhereItsFormsLead(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		opened, dest    string
		ancestors, form string
		alone           bool
	}{
		"a link":                     {link("link", "open", ""), "", "'none'", "'self'", true},
		"to go back":                 {link("redirect", "open", back+around), "", "'none'", "'self' https://shop.example", true},
		"in a frame":                 {link("embed", "open", around), "iframe", "https://shop.example", "'self'", false},
		"in a frame, used":           {link("embed", "used", around), "iframe", "https://shop.example", "'self'", false},
		"a frame's page, on its own": {link("embed", "open", around+back), "document", "'none'", "'self' https://shop.example", true},
		"no link":                    {"404 NOT_FOUND", "iframe", "'none'", "'self'", true},
	} {
		t.Run(name, func(t *testing.T) {
			w.opened = c.opened
			got := w.do("GET", path, "", "Sec-Fetch-Dest", c.dest)
			csp := got.header.Get("Content-Security-Policy")
			if !strings.HasSuffix(csp, "; frame-ancestors "+c.ancestors) || !strings.Contains(csp, "; form-action "+c.form+";") || !strings.Contains(csp, "default-src 'none'; script-src 'self'; ") {
				t.Errorf("policy: %s", csp)
			}
			if alone := got.header.Get("X-Frame-Options") == "DENY" && strings.Contains(got.body, "<header"); alone != c.alone {
				t.Errorf("alone: %v, %s\n%s", alone, got.header.Get("X-Frame-Options"), got.body)
			}
			if got.header.Get("Cache-Control") != "no-store" || strings.Contains(got.body, "/login") || strings.Contains(got.header.Get("Referrer-Policy"), "url") {
				t.Errorf("header %v, body %s", got.header, got.body)
			}
		})
	}
}

func TestACardGoesOnAndThePersonTo(t *testing.T) {
	script := []string{"Accept", "application/json"}
	for name, c := range map[string]struct {
		opened string
		header []string
		status int
		to     string // Location, or what the script is told
	}{
		"back to the firm":              {link("redirect", "open", back), nil, 303, "https://shop.example/back?order=7&registration_id=r-1&status=verified#top"},
		"back to the firm, by script":   {link("redirect", "open", back), script, 200, `{"location":"https://shop.example/back?order=7&registration_id=r-1&status=verified#top"}`},
		"a link":                        {link("link", "open", ""), nil, 303, path + "?lang=en"},
		"a link that leads back":        {link("link", "open", back), nil, 303, "https://shop.example/back?order=7&registration_id=r-1&status=verified#top"},
		"in a frame, without a script":  {link("embed", "open", around), nil, 303, path + "?lang=en"},
		"in a frame, the firm is told":  {link("embed", "open", around), script, 200, `"registration":{"registration_id":"r-1","status":"verified","brand":"Visa","last4":"1111","expiry":"12/2040"}`},
		"who comes late sees the state": {link("link", "used", ""), nil, 303, path + "?lang=en"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.opened = c.opened
			got := w.do("POST", path+"?lang=en", card, c.header...)
			if to := got.header.Get("Location") + got.body; got.status != c.status || !strings.Contains(to, c.to) {
				t.Errorf("%d %s", got.status, to)
			}
			submitted := w.calls("/submit")
			if strings.Contains(c.opened, `"used"`) {
				if len(submitted) != 0 {
					t.Error("a card was sent for a link that is used")
				}
				return
			}
			want := `{"secret":"` + secret + `","card_number":"` + visa + `","expiry_date":"12/2040","cvv":"737","cardholder_name":"Jane Doe"}`
			if len(submitted) != 1 || submitted[0].body != want {
				t.Errorf("sent %+v", submitted)
			}
			for _, a := range w.calls("") {
				if strings.Contains(a.url, secret) {
					t.Errorf("the secret stands in %s", a.url)
				}
			}
		})
	}
}

func TestMistakesAreSaidAtTheirFieldsAndNothingIsShownAgain(t *testing.T) {
	for name, c := range map[string]struct {
		posted, made string
		says         string
		field        string
	}{
		"nothing":                    {"", "", "Enter your card number", "number"},
		"no name":                    {strings.Replace(card, "Jane+Doe", "+", 1), "", "Enter the name on the card", "name"},
		"the number as a name":       {strings.Replace(card, "Jane+Doe", visa, 1), "", "not a number", "name"},
		"the code as a name":         {strings.Replace(card, "Jane+Doe", "+73+7+", 1), "", "not a number", "name"},
		"Arabic digits as a name":    {strings.Replace(card, "Jane+Doe", "%D9%A7%D9%A3%D9%A7", 1), "", "not a number", "name"},
		"a wrong number":             {strings.Replace(card, "1111&", "1112&", 1), "", "does not match any card", "number"},
		"a past month":               {strings.Replace(card, "40", "20", 1), "", "not in the past", "expiry"},
		"a short code":               {strings.Replace(card, "737", "73", 1), "", "3-digit code", "code"},
		"a live number in test mode": {card, "400 INVALID_CARD", "published test number", "number"},
		"refused: the month":         {card, "400 INVALID_EXPIRY", "Check the expiry date", "expiry"},
		"refused: the code":          {card, "400 INVALID_CVV", "Check the security code", "code"},
		"refused: the name":          {card, "400 VALIDATION_ERROR", "Enter the name as on the card", "name"},
		"two at once":                {card, "409 LINK_IN_USE", "being registered already", ""},
		"too many codes":             {card, "429 TOO_MANY_REQUESTS", "Wait 15 minutes", ""},
		"nobody answers":             {card, "503 SERVICE_UNAVAILABLE", "not registered twice", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.opened = link("link", "open", "")
			if c.made != "" {
				w.made = c.made
			}
			page := w.do("POST", path, c.posted)
			said := w.do("POST", path, c.posted, "Accept", "application/json")
			if page.status != 400 || !strings.Contains(page.body, c.says) || !strings.Contains(page.body, "<title>Error:") {
				t.Errorf("%d %s", page.status, page.body)
			}
			if c.field != "" && !strings.Contains(said.body, `"`+c.field+`":"`) || c.field == "" && !strings.Contains(said.body, `"notice":"`) {
				t.Errorf("the script is told %s", said.body)
			}
			for _, secret := range []string{visa, "4111 1111 1111 1111\"", "4111+1111", "737", "Jane"} {
				if strings.Contains(page.body, secret) || strings.Contains(said.body, secret) {
					t.Errorf("%s is shown again", secret)
				}
			}
			if len(c.posted) > 0 && !strings.Contains(c.posted, "20&") && !strings.Contains(page.body, `value="12 / 40"`) {
				t.Error("the expiry date has to be typed again")
			}
		})
	}
}

func TestALinkThatEndsMeanwhileIsLookedAtAnew(t *testing.T) {
	for _, code := range []string{"409 LINK_USED", "409 LINK_EXPIRED", "409 LINK_REVOKED", "409 LINK_WITHDRAWN", "404 NOT_FOUND"} {
		w := newWorld(t)
		w.opened, w.made = link("link", "open", ""), code
		if got := w.do("POST", path, card); got.status != 303 || got.header.Get("Location") != path {
			t.Errorf("%s: %d %s", code, got.status, got.header.Get("Location"))
		}
		if got := w.do("POST", path, card, "Accept", "application/json"); got.body != `{"location":"`+path+`"}` {
			t.Errorf("%s: %s", code, got.body)
		}
	}
}

func TestWhatCannotBeMendedIsAnError(t *testing.T) {
	w := newWorld(t)
	w.opened = "503 SERVICE_UNAVAILABLE"
	if got := w.do("GET", path, ""); got.status != 503 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := w.do("POST", path, card); got.status != 503 {
		t.Errorf("%d %s", got.status, got.body)
	}
	w.opened, w.made = link("link", "open", ""), "500 SERVER_ERROR"
	if got := w.do("POST", path, card); got.status != 500 || strings.Contains(got.body, visa) {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestAnotherSiteCannotSendTheForm(t *testing.T) {
	w := newWorld(t)
	w.opened = link("link", "open", "")
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
		if got := w.do("POST", path, card, header...); got.status != 403 {
			t.Errorf("%v: %d", header, got.status)
		}
	}
	if len(w.calls("")) != 0 {
		t.Error("the card service was asked")
	}
}

// TestABrandTheFirmDoesNotTakeUsesNoLinkUp would fail if the card went on to be
// rejected: then the person would need a new link.
func TestABrandTheFirmDoesNotTakeUsesNoLinkUp(t *testing.T) {
	w := newWorld(t)
	w.opened = link("link", "open", `,"brands":["mastercard","american-express"]`)
	shown := w.do("GET", path, "")
	if shown.status != 200 || !strings.Contains(shown.body, `data-brands="mastercard american-express"`) || !strings.Contains(shown.body, "Mastercard, American Express") {
		t.Errorf("%d, the page does not say what is accepted:\n%s", shown.status, shown.body)
	}
	sent := w.do("POST", path, card)
	if sent.status != 400 || !strings.Contains(sent.body, "Visa cards are not accepted here") || strings.Contains(sent.body, "4111") {
		t.Errorf("%d:\n%s", sent.status, sent.body)
	}
	if len(w.calls("/submit")) > 0 {
		t.Error("the card was sent on")
	}
}
