package forms_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
	"ccms/internal/page"
)

// form is a form as the frame makes it, but for its words.
func form(fields []*page.Field) *page.Form { return &page.Form{Fields: fields} }

func post(t *testing.T, form url.Values) *page.Posted {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	p, err := page.ReadPosted(httptest.NewRecorder(), r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// sent is what a browser sends of a form as it was shown.
func sent(form *page.Form) url.Values {
	all := url.Values{}
	for _, f := range form.Fields {
		switch f.Type {
		case "choices":
			for _, o := range f.Options {
				if o.On {
					all.Set(f.ID+"."+o.Value, "on")
				}
			}
		case "select":
			all.Set(f.ID, f.Options[0].Value)
			for _, o := range f.Options {
				if o.On {
					all.Set(f.ID, o.Value)
				}
			}
		default:
			all.Set(f.ID, f.Value)
		}
	}
	return all
}

// TestRulesSentBackUnchangedStayAsTheyAre would fail if saving the form changed
// what nobody touched.
func TestRulesSentBackUnchangedStayAsTheyAre(t *testing.T) {
	for name, rules := range map[string]backend.Rules{
		"none":  {Velocity: "flag", BINWalk: "flag"},
		"lists": {Brands: []string{"Mastercard", "Visa"}, BINAllow: []string{"411111", "55555555"}, BINDeny: []string{"5555555"}, Velocity: "refuse", BINWalk: "flag"},
		"an endpoint with a key": {Velocity: "flag", BINWalk: "refuse", Endpoint: &backend.Endpoint{
			URL: "https://verify.example/x", SecretVersion: 3, SendCode: true, CodeKey: []byte(`{"kty":"EC"}`),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := post(t, sent(form(forms.Rules(rules, ""))))
			defer p.Wipe()
			got := forms.ReadRules(p, rules)
			if len(got.BINAllow) == 0 {
				got.BINAllow = nil
			}
			if len(got.BINDeny) == 0 {
				got.BINDeny = nil
			}
			if !reflect.DeepEqual(got, rules) {
				t.Errorf("%+v, want %+v", got, rules)
			}
		})
	}
}

func TestANewSigningSecretIsTheNextOne(t *testing.T) {
	held := backend.Rules{Endpoint: &backend.Endpoint{URL: "https://verify.example/x", SecretVersion: 3}}
	p := post(t, url.Values{"url": {"https://verify.example/x"}, "secret.new": {"on"}})
	defer p.Wipe()
	if got := forms.ReadRules(p, held).Endpoint.SecretVersion; got != 4 {
		t.Errorf("%d", got)
	}
}

func TestAClientSentBackUnchangedStaysAsItIs(t *testing.T) {
	c := backend.ClientForm{Name: "Web shop", Scopes: []string{"cards:read", "cards:manage"}, ReturnURLs: []string{"https://a.example/b", "https://a.example/c"}, Origins: []string{"https://a.example"}}
	p := post(t, sent(form(forms.Client(c, "live"))))
	defer p.Wipe()
	if got := forms.ReadClient(p); !reflect.DeepEqual(got, c) {
		t.Errorf("%+v", got)
	}
}

func TestAPersonsLastDayCounts(t *testing.T) {
	for text, want := range map[string]struct{ to, wrong string }{
		"from=2026-11-01&to=2026-11-30": {to: "2026-12-01"},
		"last4=1111&status=verified":    {},
		"to=soon":                       {to: "soon", wrong: "to"},
		"from=30.11.2026":               {wrong: "from"},
		"last4=111":                     {wrong: "last4"},
		"last4=11a1&cursor=x&other=y":   {wrong: "last4"},
	} {
		q, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		form := form(forms.Registrations(q))
		got := forms.Asked(forms.Chosen(q, form), form)
		if got.Get("to") != want.to || got.Has("cursor") || got.Has("other") {
			t.Errorf("%s asks %v", text, got)
		}
		if wrong := form.Wrong(); want.wrong == "" && len(wrong) > 0 || want.wrong != "" && (len(wrong) != 1 || wrong[0].ID != want.wrong) {
			t.Errorf("%s: wrong are %v", text, wrong)
		}
	}
	day := time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC)
	if got := form(forms.Audit(url.Values{}, day)).Field("from").Value; got != "2026-11-16" {
		t.Errorf("the record begins %s", got)
	}
	if got := form(forms.Audit(url.Values{"from": {""}}, day)).Field("from").Value; got != "" {
		t.Errorf("who wants all of it gets it from %s", got)
	}
}

func TestAReportIsOfATimeThatCanBeLookedAt(t *testing.T) {
	now := time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC)
	for text, wrong := range map[string]string{
		"":                                       "",
		"from=2026-09-01&to=2026-12-01":          "",
		"from=2026-09-01&to=2026-12-02":          "to",
		"by=month&from=2026-09-01&to=2026-12-02": "",
		"by=brand&from=2020-09-01&to=2026-12-02": "to",
		"from=2026-11-02&to=2026-11-01":          "to",
		"from=&to=2026-11-01":                    "from",
		"to=tomorrow":                            "to",
	} {
		q, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		form, by := form(forms.Report(q, now)), "day"
		if q.Has("by") {
			by = q.Get("by")
		}
		first, last := forms.Period(form, by)
		if bad := form.Wrong(); wrong == "" && len(bad) > 0 || wrong != "" && (len(bad) != 1 || bad[0].ID != wrong) {
			t.Errorf("%q: wrong are %v", text, bad)
		}
		if text == "" && (first.Format(time.DateOnly) != "2026-10-24" || last.Format(time.DateOnly) != "2026-11-22") {
			t.Errorf("from %s to %s", first, last)
		}
	}
}

func TestAWebhookSentBackUnchangedStaysAsItIs(t *testing.T) {
	f := backend.WebhookForm{URL: "https://hooks.example/x", Events: []string{"registration.failed", "card.revealed"}}
	p := post(t, sent(form(forms.Webhook(f, "live"))))
	defer p.Wipe()
	if got := forms.ReadWebhook(p); !reflect.DeepEqual(got, f) {
		t.Errorf("%+v", got)
	}
}

// TestANewWebhookIsToldOfEverything would fail if a form left an event out that
// the service, asked without a choice, would tell of.
func TestANewWebhookIsToldOfEverything(t *testing.T) {
	p := post(t, sent(form(forms.Webhook(backend.WebhookForm{URL: "https://hooks.example/x"}, "live"))))
	defer p.Wipe()
	got := forms.ReadWebhook(p).Events
	if len(got) != 8 || !slices.Contains(got, "card.revealed") {
		t.Errorf("%q", got)
	}
}

func TestATimeIsReadAsBrowsersSendIt(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-30T08:00":         "2026-11-30T08:00:00Z",
		"2026-11-30T08:00:09":      "2026-11-30T08:00:09Z",
		"2026-11-30T08:00:09.123":  "2026-11-30T08:00:09.123Z",
		"30.11.2026":               "",
		"2026-11-30T08:00:09.123Z": "",
		"":                         "",
	} {
		form := form(forms.Since(text))
		got := forms.ReadSince(form)
		if want == "" && len(form.Wrong()) != 1 || want != "" && got.Format(time.RFC3339Nano) != want {
			t.Errorf("%q: %s, wrong are %v", text, got, form.Wrong())
		}
	}
	at := time.Date(2026, 11, 30, 8, 0, 0, 123e6, time.FixedZone("", 3600))
	if got := forms.ReadSince(form(forms.Since(forms.SinceText(at)))); !got.Equal(at) {
		t.Errorf("%s comes back as %s", at, got)
	}
}
