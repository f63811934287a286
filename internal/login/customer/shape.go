package customer

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"ccms/internal/mail"
)

const (
	maxEmail = 254 // RFC 5321 section 4.5.3.1.3
	maxName  = 100
)

// FoldKey is how addresses and usernames are compared (decision G): variants
// by case, width or composition are one.
func FoldKey(s string) string {
	return strings.TrimSpace(norm.NFKC.String(strings.ToLower(norm.NFKC.String(s))))
}

// ValidEmail reports whether an address may be registered.
func ValidEmail(address string) bool {
	if len(address) > maxEmail || !utf8.ValidString(address) {
		return false
	}
	_, err := mail.ParseAddress(address)
	return err == nil
}

// usernameShape is decision B1's, in both cases: a name is shown as given.
var usernameShape = regexp.MustCompile(`^[A-Za-z0-9._-]{3,64}$`)

// ValidUsername reports whether s may be a username.
func ValidUsername(s string) bool { return usernameShape.MatchString(s) }

// Tidy returns n without space around it and whether it may be kept: 1 to 100
// printable characters each.
func (n Name) Tidy() (tidy Name, ok bool) {
	n = Name{strings.TrimSpace(n.First), strings.TrimSpace(n.Last)}
	return n, validName(n.First) && validName(n.Last)
}

func validName(s string) bool {
	count := utf8.RuneCountInString(s)
	return count >= 1 && count <= maxName && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
