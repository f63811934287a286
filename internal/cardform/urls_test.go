package cardform

import (
	"net/url"
	"strings"
	"testing"
)

func TestAReturnURLKeepsWhatStoodInIt(t *testing.T) {
	add := []pair{{"registration_id", "r-1"}, {"status", "verified"}}
	for name, c := range map[string][2]string{
		"nothing":                {"", ""},
		"no query":               {"https://shop.example/back", "https://shop.example/back?registration_id=r-1&status=verified"},
		"no path":                {"https://shop.example", "https://shop.example?registration_id=r-1&status=verified"},
		"a query, in its order":  {"https://shop.example/?z=1&a=%2f+b&a=2", "https://shop.example/?z=1&a=%2f+b&a=2&registration_id=r-1&status=verified"},
		"a fragment":             {"https://shop.example/?a#top", "https://shop.example/?a&registration_id=r-1&status=verified#top"},
		"our names":              {"https://shop.example/?status=paid&a=1&registration_id=x", "https://shop.example/?a=1&registration_id=r-1&status=verified"},
		"our names, in disguise": {"https://shop.example/?%73tatus=paid&status", "https://shop.example/?registration_id=r-1&status=verified"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := withQuery(c[0], add...); got != c[1] {
				t.Errorf("got %s, want %s", got, c[1])
			}
		})
	}
}

// FuzzReturnURL would find a return URL by which somebody but us says what
// became of a card, or that leads elsewhere.
func FuzzReturnURL(f *testing.F) {
	for _, to := range []string{"https://shop.example/back?status=x", "https://shop.example?a=b&&c", "http://localhost:1/?%zz&status=1;a#f", "https://shop.example/?a=%"} {
		f.Add(to)
	}
	f.Fuzz(func(t *testing.T, to string) {
		before, err := url.Parse(to)
		if err != nil || to == "" {
			return
		}
		got := withQuery(to, pair{"status", "a&b=c#d"})
		after, err := url.Parse(got)
		if err != nil {
			t.Fatalf("%q became %q: %v", to, got, err)
		}
		if all := after.Query()["status"]; len(all) != 1 || all[0] != "a&b=c#d" {
			t.Errorf("%q: status is %q", got, all)
		}
		if after.Host != before.Host || after.Scheme != before.Scheme || strings.Contains(after.Fragment, "d&") {
			t.Errorf("%q leads to %q", to, got)
		}
	})
}
