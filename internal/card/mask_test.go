package card

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMaskRuns(t *testing.T) {
	const stars = "************"
	cases := []struct{ name, in, want string }{
		{"a number alone", "4111111111111111", stars + "1111"},
		{"a number in a path", "/api/customer/creditcard/4111111111111111/toggle", "/api/customer/creditcard/" + stars + "1111/toggle"},
		{"twelve digits", "123456789012", "********9012"},
		{"eleven digits stay", "12345678901", "12345678901"},
		{"nineteen digits", "6771830999991239343", "***************9343"},
		{"twenty digits and more", "12345678901234567890123456", "**********************3456"},
		{"two numbers", "4111111111111111/378282246310005", stars + "1111/***********0005"},
		{"two numbers a space apart are one run", "4111111111111111 378282246310005", stars + "**** ***********0005"},
		{"single spaces", "4111 1111 1111 1111", "**** **** **** 1111"},
		{"single hyphens", "4111-1111-1111-1111", "****-****-****-1111"},
		{"spaces and hyphens mixed", "4111 1111-11111111", "**** ****-****1111"},
		{"a separator within the last four", "41111111111111 11", "************11 11"},
		{"several separators, which Parse takes", "4111  1111 - 1111--1111", "****  **** - ****--1111"},
		{"escaped spaces", "4111%201111%201111%201111", "****%20****%20****%201111"},
		{"escaped hyphens", "4111%2D1111%2d1111%2D1111", "****%2D****%2d****%2D1111"},
		{"escaped digits", "%34%31%31%31111111111111", "********" + "****1111"[:4] + "1111"},
		{"every digit escaped", strings.Repeat("%31", 16), stars + "%31%31%31%31"},
		{"an escape right before the number", "/cards/%204111111111111111", "/cards/%20" + stars + "1111"},
		{"an escaped hyphen before the number", "%2D4111111111111111", "%2D" + stars + "1111"},
		{"an escaped slash before the number", "%2F4111111111111111", "%2F" + stars + "1111"},
		{"an escape with a letter before the number", "%e24111111111111111", "%e2" + stars + "1111"},
		{"an escape behind the number", "4111111111111111%20", stars + "1111%20"},
		{"an escape with a digit behind the number", "4111111111111111%2F", stars + "1111%2F"},
		{"a separator behind the number", "4111111111111111-", stars + "1111-"},
		{"a letter before the number", "a4111111111111111", "a" + stars + "1111"},
		{"a letter behind the number", "4111111111111111a", stars + "1111a"},
		{"quotes around the number", `{"n":"4111111111111111"}`, `{"n":"` + stars + `1111"}`},
		{"an underscore breaks a run", "41111111_11111111", "41111111_11111111"},
		{"a dot breaks a run", "4111.1111.1111.1111", "4111.1111.1111.1111"},
		{"a UUID", "/status/41111111-1111-4111-8111-111111111111", "/status/41111111-1111-4111-8111-111111111111"},
		{"a UUID in capitals", "0F8FAD5B-D9CB-469F-A165-708676728950", "0F8FAD5B-D9CB-469F-A165-708676728950"},
		{"a UUID behind a word and a hyphen", "req-12345678-1234-1234-1234-123456789012", "req-12345678-1234-1234-1234-123456789012"},
		{"a UUID beside a number", "12345678-1234-1234-1234-123456789012/4111111111111111", "12345678-1234-1234-1234-123456789012/" + stars + "1111"},
		{"a number run into a UUID", "411111111111111112345678-1234-1234-1234-123456789012", strings.Repeat("*", 24) + "-****-****-****-********9012"},
		{"a UUID run into digits", "12345678-1234-1234-1234-1234567890124", "********-****-****-****-*********0124"},
		{"a timestamp", "2026-11-22 06:55:39", "2026-11-22 06:55:39"},
		{"a telephone number", "+49 30 1234567", "+49 30 1234567"},
		{"other text", "hello, wörld 42", "hello, wörld 42"},
		{"full-width digits are no digits", "４１１１１１１１１１１１１１１１", "４１１１１１１１１１１１１１１１"},
		{"a broken escape", "4111111111111111%", stars + "1111%"},
		{"a broken escape of a digit", "4111111111111111%3", stars + "111" + "1%3"},
		{"invalid UTF-8 around", "\xff4111111111111111\xfe", "\xff" + stars + "1111\xfe"},
		{"empty", "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := MaskRuns(c.in); got != c.want {
				t.Errorf("MaskRuns(%q)\n got %q\nwant %q", c.in, got, c.want)
			}
		})
	}
}

// A run, as a reader of the masked text would find it.
var (
	escape  = regexp.MustCompile(`%3[0-9]|%20|%2[dD]|%[a-fA-F][0-9a-fA-F]|%[0-9][a-fA-F]`)
	longRun = regexp.MustCompile(`[0-9]([ -]*[0-9]){11,}`)
)

// unescape turns an escape into its digit, a space, or a full stop.
func unescape(e string) string {
	switch {
	case e[1] == '3' && isDigit(e[2]):
		return e[2:]
	case e == "%20", strings.EqualFold(e, "%2d"):
		return " "
	}
	return "."
}

func hasRun(s string) bool {
	var parts []string
	rest := 0
	for _, at := range uuids(s) {
		parts = append(parts, s[rest:at[0]])
		rest = at[1]
	}
	for _, p := range append(parts, s[rest:]) {
		p = escape.ReplaceAllStringFunc(p, unescape)
		if longRun.MatchString(p) {
			return true
		}
	}
	return false
}

// However a number is grouped and escaped, only its last four digits are left,
// and the text around it is untouched.
func TestMaskRunsHidesEveryNumberInEveryDisguise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.SliceOfN(rapid.ByteRange('0', '9'), minDigits, 30).Draw(t, "digits")
		around := rapid.StringMatching(`[a-zA-Z_/.:"?=&äß€]{0,10}`)
		before, behind := around.Draw(t, "before"), around.Draw(t, "behind")
		in, want := before, before
		for i, d := range digits {
			if i > 0 {
				sep := rapid.SampledFrom([]string{"", "", "", " ", "-", "%20", "%2d", "%2D", "  ", " - "}).Draw(t, "separator")
				in, want = in+sep, want+sep
			}
			shown := string(d)
			if rapid.IntRange(0, 4).Draw(t, "escape") == 0 {
				shown = "%3" + shown
			}
			in += shown
			if len(digits)-i > 4 {
				shown = "*"
			}
			want += shown
		}
		in, want = in+behind, want+behind
		if got := MaskRuns(in); got != want {
			t.Fatalf("MaskRuns(%q)\n got %q\nwant %q", in, got, want)
		}
	})
}

func FuzzMaskRuns(f *testing.F) {
	for _, s := range []string{
		"4111111111111111", "4111%2d1111 1111-1111", "%34%31%31%31111111111111", "12345678-1234-1234-1234-123456789012",
		"%4111111111111111", "%2041111111111111", "411111111111111112345678-1234-1234-1234-123456789012", "%3%3%333333333333333", "%A%3000000000000",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		masked := MaskRuns(s)
		if hasRun(masked) {
			t.Fatalf("MaskRuns(%q) leaves a run: %q", s, masked)
		}
		if MaskRuns(masked) != masked {
			t.Fatalf("MaskRuns(%q) is not stable: %q", s, masked)
		}
		if !hasRun(s) && masked != s {
			t.Fatalf("MaskRuns(%q) changed text without a run: %q", s, masked)
		}
	})
}

func BenchmarkMaskRuns(b *testing.B) {
	for name, s := range map[string]string{
		"path without a run": "/api/customer/creditcard/12345/toggle",
		"path with a number": "/api/customer/creditcard/4111111111111111/toggle",
		"path with a UUID":   "/status/0f8fad5b-d9cb-469f-a165-708676728950",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				MaskRuns(s)
			}
		})
	}
}
