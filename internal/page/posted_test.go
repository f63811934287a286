package page_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"ccms/internal/page"
	"ccms/internal/problem"
)

func post(body string) (*page.Posted, error) {
	r := httptest.NewRequest(http.MethodPost, "/x", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return page.ReadPosted(httptest.NewRecorder(), r)
}

func TestFormsAreRead(t *testing.T) {
	p, err := post("email=+jane%40example.com%20&password=a+b%2B%C3%A9&&empty=")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Text("email"); got != "jane@example.com" {
		t.Errorf("email %q", got)
	}
	password := p.Secret("password")
	if got := string(password.Reveal()); got != "a b+é" {
		t.Errorf("password %q", got)
	}
	kept := password.Reveal()
	p.Wipe()
	if strings.Trim(string(kept), "\x00") != "" {
		t.Error("a secret outlives the form")
	}
}

func TestFormsThatAreNoneAreRefused(t *testing.T) {
	for name, body := range map[string]string{
		"a field twice":  "a=1&a=2",
		"half an escape": "a=%4",
		"no hexadecimal": "a=%zz",
		"no UTF-8":       "a=%ff",
		"too many fields": strings.Repeat("a", 1) + func() string {
			var b strings.Builder
			for i := range 70 {
				b.WriteString("&f" + strings.Repeat("x", i) + "=1")
			}
			return b.String()
		}(),
		"more than the limit": "a=" + strings.Repeat("x", 17<<10),
	} {
		_, err := post(body)
		if e, ok := errors.AsType[*problem.Error](err); !ok || e.Kind != problem.Invalid && e.Kind != problem.TooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzForms holds the decoder against net/url's.
func FuzzForms(f *testing.F) {
	f.Add("email=jane%40example.com&password=a+b")
	f.Add("a=%&b")
	f.Fuzz(func(t *testing.T, body string) {
		p, err := post(body)
		if err != nil {
			return
		}
		want, err := url.ParseQuery(strings.ReplaceAll(body, ";", "%3B"))
		if err != nil {
			t.Fatalf("%q is taken, net/url says %v", body, err)
		}
		for name, values := range want {
			if got := string(p.Secret(name).Reveal()); got != values[0] {
				t.Errorf("%q: %q is %q, want %q", body, name, got, values[0])
			}
		}
	})
}

// TestDigitsOfAnyScript would fail if somebody could not type his card number
// the way his keyboard or his clipboard has it.
func TestDigitsOfAnyScript(t *testing.T) {
	for typed, want := range map[string]string{
		"4242 4242-4242\u20134242":   "4242424242424242",
		"٤٢٤٢ ٤٢٤٢":                  "42424242",
		"４２４２":                       "4242",
		"\u200b4242\u00a04242\u2060": "42424242",
		"𝟜𝟚𝟜𝟚":                       "4242",
		"4242x":                      "4242x",
		"":                           "",
	} {
		p, err := post(url.Values{"n": {typed}}.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if got := string(p.Digits("n").Reveal()); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}
