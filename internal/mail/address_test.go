package mail

import (
	netmail "net/mail"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	tests := []struct {
		name string
		in   string
		ok   bool
	}{
		{"a plain address is taken", "a@example.com", true},
		{"dots and a plus in the local part are taken", "a.b+c@sub.example.co", true},
		{"capitals are kept", "Ann.Lee@Example.COM", true},
		{"all atext is taken", "!#$%&'*+-/=?^_`{|}~@example.com", true},
		{"an A-label is taken", "a@xn--bcher-kva.example", true},
		{"an A-label as last label is taken", "a@example.xn--p1ai", true},
		{"digits in inner labels are taken", "a@1.2.example", true},
		{"a local part of 64 is taken", strings.Repeat("a", 64) + "@example.com", true},
		{"254 characters are taken", "a@" + strings.Repeat(label63+".", 3) + strings.Repeat("b", 60), true},
		{"255 characters are refused", "a@" + strings.Repeat(label63+".", 3) + strings.Repeat("b", 61), false},
		{"a local part of 65 is refused", strings.Repeat("a", 65) + "@example.com", false},
		{"a label of 64 is refused", "a@a" + label63 + ".com", false},
		{"nothing is refused", "", false},
		{"a word is refused", "example", false},
		{"a missing local part is refused", "@example.com", false},
		{"a missing domain is refused", "a@", false},
		{"a single label is refused", "a@b", false},
		{"localhost is refused", "a@localhost", false},
		{"two at signs are refused", "a@b@example.com", false},
		{"two dots are refused", "a..b@example.com", false},
		{"a leading dot is refused", ".a@example.com", false},
		{"a trailing dot of the local part is refused", "a.@example.com", false},
		{"a trailing dot of the domain is refused", "a@example.com.", false},
		{"an empty label is refused", "a@example..com", false},
		{"a leading hyphen is refused", "a@-example.com", false},
		{"a trailing hyphen is refused", "a@example-.com", false},
		{"an underscore in the domain is refused", "a@ex_ample.com", false},
		{"an IPv4 address as domain is refused", "a@127.0.0.1", false},
		{"an address literal is refused", "a@[127.0.0.1]", false},
		{"a display name is refused", "Ann <a@example.com>", false},
		{"angle brackets are refused", "<a@example.com>", false},
		{"a comment is refused", "a(b)@example.com", false},
		{"a quoted local part is refused", `"a b"@example.com`, false},
		{"a quoted pair of addresses is refused", `"a@evil.example> x"@example.com`, false},
		{"a backslash is refused", `a\@example.com`, false},
		{"a list is refused", "a@example.com,b@example.com", false},
		{"a list with semicolons is refused", "a@example.com;b@example.com", false},
		{"a space before is refused", " a@example.com", false},
		{"a space behind is refused", "a@example.com ", false},
		{"CR LF is refused", "a@example.com\r\nBcc: b@example.com", false},
		{"a bare LF is refused", "a@example.com\n", false},
		{"a NUL is refused", "a\x00@example.com", false},
		{"an umlaut in the local part is refused", "ä@example.com", false},
		{"a U-label is refused", "a@bücher.example", false},
		{"full-width letters are refused", "\uff41@example.com", false},
		{"an encoded word is refused", "=?utf-8?q?a=40example.com?=@", false},
		{"a percent escape of CR LF stays text", "a%0d%0a@example.com", true},
		{"invalid UTF-8 is refused", "a\xff@example.com", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseAddress(tt.in)
			if (err == nil) != tt.ok {
				t.Fatalf("ParseAddress(%q) = %q, %v", tt.in, got, err)
			}
			if tt.ok && got != tt.in {
				t.Errorf("got %q, want the address as given", got)
			}
		})
	}
}

// What we take, the standard library's parser takes as the same bare address,
// and no character in it can end a header or begin another recipient.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"a@example.com", `"a"@b.c`, "a@[1.2.3.4]", "A <a@b.co>", "a@b.c,d@e.f", "a@b.co\r\nBcc: x@y.zz", "a!b@xn--p1ai.xn--p1ai"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseAddress(s)
		if err != nil {
			return
		}
		if got != s || len(s) > maxAddress || strings.Count(s, "@") != 1 || strings.ContainsAny(s, "\r\n\t \"\\<>()[],;:") {
			t.Fatalf("took %q as %q", s, got)
		}
		if a, err := netmail.ParseAddress(s); err != nil || a.Address != s || a.Name != "" {
			t.Fatalf("net/mail reads %q as %v, %v", s, a, err)
		}
	})
}
