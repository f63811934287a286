package mail

import (
	"errors"
	"strings"
)

// ErrAddress: not an address we write to.
var ErrAddress = errors.New("mail: not an e-mail address")

// The longest address and its parts (RFC 5321 section 4.5.3.1, RFC 1035).
const (
	maxAddress = 254
	maxLocal   = 64
	maxLabel   = 63
)

// ParseAddress returns s if it is a bare address of the plain form that every
// mail server takes: a local part of ASCII atoms joined by dots (RFC 5321
// dot-string), and a domain of at least two labels of letters, digits and
// inner hyphens, the last of which is not all digits. International domains
// come in their A-label form (xn--…). Display names, angle brackets, comments,
// quoted local parts, address literals, lists, and everything outside ASCII
// are refused, so that no header can be injected through a recipient
// (CVE-2025-59937); so are single labels such as localhost, which no mail from
// outside reaches.
func ParseAddress(s string) (string, error) {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || len(s) > maxAddress || len(local) > maxLocal || !isDotAtom(local) || !isDomain(domain) {
		return "", ErrAddress
	}
	return s, nil
}

func isDotAtom(s string) bool {
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool { return !isAtext(r) }) {
			return false
		}
	}
	return true
}

// isAtext is RFC 5322 section 3.2.3.
func isAtext(r rune) bool {
	return isLetterOrDigit(r) || (r < 0x80 && strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r))
}

func isDomain(s string) bool {
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if l == "" || len(l) > maxLabel || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(l, func(r rune) bool { return !isLetterOrDigit(r) && r != '-' }) {
			return false
		}
	}
	last := labels[len(labels)-1]
	return len(labels) >= 2 && strings.ContainsFunc(last, func(r rune) bool { return r < '0' || r > '9' })
}

func isLetterOrDigit(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
