package oauth

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseForm(t *testing.T) {
	tests := []struct {
		name, body string
		want       map[string]string // nil: refused
	}{
		{"nothing", "", map[string]string{}},
		{"parameters", "a=1&b=2", map[string]string{"a": "1", "b": "2"}},
		{"a plus is a space", "scope=x+y", map[string]string{"scope": "x y"}},
		{"escapes in names and values", "%61=%3D%26%2B%C3%A9", map[string]string{"a": "=&+é"}},
		{"only the first equals sign parts", "a=b=c", map[string]string{"a": "b=c"}},
		{"empty pairs are none", "&&a=1&", map[string]string{"a": "1"}},
		{"a parameter without a value", "a&b=", map[string]string{"a": "", "b": ""}},
		{"a semicolon is text", "a=1;b=2", map[string]string{"a": "1;b=2"}},
		{"a repeated parameter", "a=1&a=1", nil},
		{"a repeated parameter in two spellings", "a=1&%61=2", nil},
		{"a repeated parameter without values", "a&a", nil},
		{"half an escape", "a=%4", nil},
		{"an escape of no hex", "a=%zz", nil},
		{"an escape at the end", "a=%", nil},
		{"no UTF-8", "a=%ff", nil},
		{"no UTF-8 in a name", "\xff=1", nil},
		{"more parameters than anybody needs", strings.Repeat("&", 9) + numbered(maxParams+1), nil},
		{"as many as that", numbered(maxParams), map[string]string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := parseForm([]byte(tt.body))
			if (err == nil) != (tt.want != nil) {
				t.Fatalf("got %v", err)
			}
			for name, value := range tt.want {
				if f.text(name) != value {
					t.Errorf("%s is %q, want %q", name, f.text(name), value)
				}
			}
			if len(tt.want) > 0 && len(f) != len(tt.want) {
				t.Errorf("got %d parameters, want %d", len(f), len(tt.want))
			}
		})
	}
}

func numbered(n int) string {
	var all []string
	for i := range n {
		all = append(all, "p"+strings.Repeat("x", i)+"=1")
	}
	return strings.Join(all, "&")
}

func TestAFormIsWiped(t *testing.T) {
	f, err := parseForm([]byte("client_secret=abc%20def"))
	if err != nil {
		t.Fatal(err)
	}
	b := f["client_secret"]
	f.wipe()
	if strings.Trim(string(b[:cap(b)]), "\x00") != "" {
		t.Errorf("%q is left", b[:cap(b)])
	}
}

func TestParseBasic(t *testing.T) {
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	tests := []struct {
		name, header, id, password string
		ok                         bool
	}{
		{"id and secret", "Basic " + encode("id:word"), "id", "word", true},
		{"the scheme in other letters", "bASIC " + encode("id:word"), "id", "word", true},
		{"both are form-encoded", "Basic " + encode("i%3Ad:w%3Ao+r%25d"), "i:d", "w:o r%d", true},
		{"a colon in the secret", "Basic " + encode("id:wo:rd"), "id", "wo:rd", true},
		{"an empty secret", "Basic " + encode("id:"), "id", "", true},
		{"no colon", "Basic " + encode("id"), "", "", false},
		{"a percent sign that is not encoded", "Basic " + encode("id:100%"), "", "", false},
		{"an id that is no UTF-8", "Basic " + encode("\xff:word"), "", "", false},
		{"base64url", "Basic " + base64.RawURLEncoding.EncodeToString([]byte("id:\x00\x01\xfb\xff?")), "", "", false},
		{"no base64", "Basic id:word", "", "", false},
		{"no credentials", "Basic", "", "", false},
		{"another scheme", "Bearer " + encode("id:word"), "", "", false},
		{"nothing", "", "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, password, ok := parseBasic(tt.header)
			if id != tt.id || string(password.Reveal()) != tt.password || ok != tt.ok {
				t.Errorf("got %q %q %v", id, password.Reveal(), ok)
			}
		})
	}
}

// FuzzParseForm holds the parser against net/url: what both take means the same,
// and what only one takes is repeated, no UTF-8, too much, or has a semicolon.
func FuzzParseForm(f *testing.F) {
	for _, s := range []string{"", "a=1&b=2", "a=%4", "a=1&a=2", "a;b=c", "%61=+&&=", "a=%ff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		text := string(body)
		got, err := parseForm(body)
		if text != string(body) {
			t.Fatal("the body was changed")
		}
		want, wantErr := url.ParseQuery(text)
		if err != nil {
			odd := wantErr != nil || len(want) > maxParams
			for name, all := range want {
				odd = odd || len(all) > 1 || !utf8.ValidString(name+all[0])
			}
			if !odd {
				t.Fatalf("refused %q", text)
			}
			return
		}
		if wantErr != nil && !strings.Contains(text, ";") {
			t.Fatalf("accepted %q, which is %v", text, wantErr)
		}
		for name, all := range want {
			if wantErr == nil && (len(all) != 1 || got.text(name) != all[0]) {
				t.Fatalf("%q: %q is %q, want %q", text, name, got.text(name), all)
			}
		}
		if wantErr == nil && len(got) != len(want) {
			t.Fatalf("%q: %d parameters, want %d", text, len(got), len(want))
		}
	})
}

// FuzzParseBasic: what is accepted can be written again and means the same.
func FuzzParseBasic(f *testing.F) {
	for _, s := range []string{"", "Basic", "Basic aWQ6d29yZA==", "basic  aWQ6d29yZA==", "Basic Og==", "Bearer x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		id, password, ok := parseBasic(header)
		if !ok {
			if id != "" || password.Len() > 0 {
				t.Fatal("a refused header left something")
			}
			return
		}
		again := "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(string(password.Reveal()))))
		id2, password2, ok2 := parseBasic(again)
		if !ok2 || id2 != id || string(password2.Reveal()) != string(password.Reveal()) {
			t.Fatalf("%q became %q", header, again)
		}
	})
}

// FuzzParseAssertion: whatever is taken apart is one compact JWT of an algorithm
// we accept, and nothing panics.
func FuzzParseAssertion(f *testing.F) {
	f.Add("")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("eyJhbGciOiJFUzI1NiJ9.eyJhdWQiOlsiYSJdLCJleHAiOjFlOTksImp0aSI6IiJ9.AA")
	f.Add("eyJhbGciOiJFUzI1NiIsImNyaXQiOlsieCJdLCJ4IjoxfQ.e30.AA")
	f.Add("eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.AA")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseAssertion(text)
		if err != nil {
			return
		}
		if alg := a.jws.Signatures[0].Protected.Algorithm; !strings.Contains("ES256 EdDSA PS256 RS256", alg) || alg == "" {
			t.Fatalf("algorithm %q", alg)
		}
		if a.signedBy([]byte(`{"keys":[]}`)) || a.signedBy(nil) || a.signedBy([]byte("x")) {
			t.Fatal("a signature without a key")
		}
	})
}
