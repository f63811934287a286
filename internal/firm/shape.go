package firm

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"ccms/internal/firm/site"
	"ccms/internal/identity"
	"ccms/internal/problem"
)

// The limits of what people may enter.
const (
	maxName    = 100 // characters
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

// checkSites reports whether a client may send people to its return URLs and let
// pages of its origins embed the form.
func checkSites(n *NewClient) error {
	local := n.Mode == Test
	if len(n.ReturnURLs) > maxURLs || slices.ContainsFunc(n.ReturnURLs, func(u string) bool { return !site.ReturnURL(u, local) }) {
		return problem.Validation("Send at most 20 return_urls, each an https URL without user and fragment; with a test client http://localhost too.")
	}
	if len(n.Origins) > maxURLs || slices.ContainsFunc(n.Origins, func(o string) bool { return !site.Origin(o, local) }) {
		return problem.Validation("Send at most 20 origins such as https://shop.example.com, without path; with a test client http://localhost too.")
	}
	return nil
}
