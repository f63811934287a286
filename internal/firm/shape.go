package firm

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"ccms/internal/identity"
	"ccms/internal/problem"
)

// The limits of what people may enter.
const (
	maxName    = 100 // characters
	maxURL     = 2048
	maxURLs    = 20  // return URLs of a client, and origins
	maxMembers = 200 // of a firm, those invited included
	maxClients = 100 // of a firm, revoked ones not counted
)

// printable reports whether s is valid text of at most n characters without
// control characters.
func printable(s string, n int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= n &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// firmScopes are all a firm's client may have (decision D1).
func firmScopes() []string {
	return []string{
		identity.ScopeRegister, identity.ScopeRead, identity.ScopeReveal,
		identity.ScopeManage, identity.ScopeReports, identity.ScopeWebhooks,
	}
}

// usualScopes are those of a client made without any.
func usualScopes() []string {
	return []string{identity.ScopeRegister, identity.ScopeRead, identity.ScopeReports, identity.ScopeWebhooks}
}

// operatorScopes are all an operators' client may have.
func operatorScopes() []string { return []string{identity.ScopeActuator} }

// checkScopes reports whether each scope is one of those allowed, named once.
func checkScopes(scopes, allowed []string) error {
	for i, scope := range scopes {
		if !slices.Contains(allowed, scope) || slices.Contains(scopes[:i], scope) {
			return problem.Validation("Name each scope once; there are " + strings.Join(allowed, ", ") + ".")
		}
	}
	if len(scopes) == 0 {
		return problem.Validation("Name at least one scope of " + strings.Join(allowed, ", ") + ".")
	}
	return nil
}

// checkReturnURLs reports whether a page of the card service may send people to
// each of urls: an absolute https address without user, fragment or "..";
// a test client may use plain http on its own machine.
func checkReturnURLs(urls []string, mode string) error {
	for i, text := range urls {
		u, err := url.Parse(text)
		if err != nil || i >= maxURLs || !place(u, mode) || u.Fragment != "" || strings.Contains(text, "#") || len(text) > maxURL || u.String() != text {
			return problem.Validation("Send at most 20 return_urls, each an https URL without user and fragment; with a test client http://localhost too.")
		}
	}
	return nil
}

// checkOrigins reports whether each is an origin (RFC 6454) as browsers send it:
// scheme, host and a port that is not the usual one.
func checkOrigins(origins []string, mode string) error {
	for i, text := range origins {
		u, err := url.Parse(text)
		if err != nil || i >= maxURLs || !place(u, mode) || len(text) > maxURL ||
			text != u.Scheme+"://"+u.Host || text != strings.ToLower(text) || u.Port() == usualPort(u.Scheme) {
			return problem.Validation("Send at most 20 origins such as https://shop.example.com, without path; with a test client http://localhost too.")
		}
	}
	return nil
}

func usualPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}

// place reports whether a browser may be sent to u.
func place(u *url.URL, mode string) bool {
	if u.User != nil || u.Opaque != "" || !hostname(u.Hostname()) || strings.HasSuffix(u.Host, ":") {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && mode == Test && loopback(u.Hostname())
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// hostname reports whether host is an address or a name of ASCII labels
// (RFC 1123; an international one in its A-labels, as browsers send it).
func hostname(host string) bool {
	if net.ParseIP(host) != nil {
		return true
	}
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool {
				return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
			}) {
			return false
		}
	}
	return true
}
