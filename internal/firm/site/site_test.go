package site

import (
	"net/url"
	"strings"
	"testing"
)

func TestReturnURLs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{ // "yes", "local" for where local alone, "no"
		"https://shop.example.com/back":                         "yes",
		"https://shop.example.com":                              "yes",
		"https://shop.example.com:8443/b?order=":                "yes",
		"https://xn--bcher-kva.example/":                        "yes",
		"https://192.0.2.1/":                                    "yes",
		"https://[2001:db8::1]/":                                "yes",
		"http://localhost:3000/back":                            "local",
		"http://127.0.0.1/":                                     "local",
		"http://[::1]:8080/":                                    "local",
		"http://shop.example.com/":                              "no",
		"http://localhost.example.com/":                         "no",
		"http://127.0.0.1.example.com/":                         "no",
		"https://ann@shop.example.com/":                         "no",
		"https://ann:x@shop.example.com/":                       "no",
		"https://shop.example.com/#part":                        "no",
		"https://shop.example.com/#":                            "no",
		"//shop.example.com/":                                   "no",
		"/back":                                                 "no",
		"":                                                      "no",
		"javascript:alert(1)":                                   "no",
		"data:text/html,x":                                      "no",
		"https:shop.example.com":                                "no",
		"https:///back":                                         "no",
		"https://":                                              "no",
		"https://:443/":                                         "no",
		"https://shop.example.com:/":                            "no",
		"https://shop_example.com/":                             "no",
		"https://-shop.example.com/":                            "no",
		"https://shop..example.com/":                            "no",
		"https://bücher.example/":                               "no",
		"https://shop.example.com/a b":                          "no",
		"https://shop.example.com/\n":                           "no",
		" https://shop.example.com/":                            "no",
		"HTTPS://shop.example.com/":                             "no",
		"https://shop.example.com\\@evil.example/":              "no",
		"https://shop.example.com/" + strings.Repeat("a", 2048): "no",
	} {
		if got := ReturnURL(text, false); got != (want == "yes") {
			t.Errorf("%q is %t", text, got)
		}
		if got := ReturnURL(text, true); got != (want != "no") {
			t.Errorf("%q is %t where local", text, got)
		}
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://shop.example.com":          "yes",
		"https://shop.example.com:8443":     "yes",
		"https://[2001:db8::1]":             "yes",
		"http://localhost:3000":             "local",
		"http://localhost":                  "local",
		"http://localhost:80":               "no",
		"https://shop.example.com:443":      "no",
		"https://shop.example.com/":         "no",
		"https://shop.example.com?":         "no",
		"https://shop.example.com#":         "no",
		"https://Shop.example.com":          "no",
		"https://*.example.com":             "no",
		"https://shop.example.com,https://": "no",
		"http://shop.example.com":           "no",
		"null":                              "no",
		"*":                                 "no",
		"":                                  "no",
		"https://ann@shop.example.com":      "no",
		"https://shop.example.com:":         "no",
	} {
		if got := Origin(text, false); got != (want == "yes") {
			t.Errorf("%q is %t", text, got)
		}
		if got := Origin(text, true); got != (want != "no") {
			t.Errorf("%q is %t where local", text, got)
		}
	}
}

func FuzzReturnURL(f *testing.F) {
	f.Add("https://shop.example.com/back?x=1")
	f.Add("https://shop.example.com@evil.example")
	f.Add("http://localhost\\.example.com/")
	f.Fuzz(func(t *testing.T, text string) {
		if !ReturnURL(text, false) {
			if Origin(text, false) {
				t.Errorf("%q is an origin one cannot go to", text)
			}
			return
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" || u.User != nil || u.Fragment != "" || !strings.HasPrefix(text, "https://"+u.Host) || strings.ContainsAny(text, "\\ \r\n\t<>\"#") {
			t.Errorf("%q is accepted", text)
		}
	})
}
