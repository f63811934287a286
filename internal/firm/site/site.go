// Package site owns which addresses of others' pages are accepted: where a browser
// may be sent back to, and which origin may embed a page of ours. Both are compared
// letter by letter later, so each has one spelling here. It looks nothing up.
package site

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// maxURL is the length of the longest address in bytes.
const maxURL = 2048

// ReturnURL reports whether people may be sent to text: an absolute https URL
// without user and fragment; where local, plain http on the person's own machine
// too.
func ReturnURL(text string, local bool) bool {
	u, err := url.Parse(text)
	return err == nil && len(text) <= maxURL && place(u, local) && !strings.Contains(text, "#") && u.String() == text
}

// Origin reports whether text is an origin (RFC 6454) as browsers send it: scheme,
// host in small letters, and a port that is not the usual one; http where local, as
// in ReturnURL.
func Origin(text string, local bool) bool {
	u, err := url.Parse(text)
	return err == nil && len(text) <= maxURL && place(u, local) && text == strings.ToLower(u.Scheme+"://"+u.Host) && u.Port() != usualPort(u.Scheme)
}

func usualPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}

// place reports whether a browser may be sent to u.
func place(u *url.URL, local bool) bool {
	if u.User != nil || u.Opaque != "" || !hostname(u.Hostname()) || strings.HasSuffix(u.Host, ":") {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && local && loopback(u.Hostname())
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
