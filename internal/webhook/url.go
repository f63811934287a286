package webhook

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ccms/internal/problem"
)

// maxURL bounds the text of a URL.
const maxURL = 2048

var (
	hostName  = regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`)
	livePorts = []string{"", "443", "8443"}
)

// ParseURL reads the URL of a firm's endpoint for a mode, "test" or "live":
// https, in live on port 443 or 8443 (decision D7), in test on any port; plain
// http in test alone, and only where private networks are allowed. It holds no
// user, no fragment, and no address that could not be called. A name is judged
// when it is dialled. Any mode but test is as strict as live. The error is 400
// VALIDATION_ERROR and does not repeat the text.
func (c *Client) ParseURL(mode, raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case len(raw) > maxURL || err != nil || u.Opaque != "" || u.Host == "":
		return nil, problem.Validation("Give the endpoint as an absolute https URL of at most 2048 characters.")
	case u.User != nil || strings.Contains(raw, "#"):
		return nil, problem.Validation("Leave user, password and fragment out of the endpoint's URL.")
	case u.Scheme != "https" && !(u.Scheme == "http" && mode == "test" && c.allowPrivate):
		return nil, problem.Validation("Serve the endpoint over https.")
	case !portFits(mode, u):
		return nil, problem.Validation("Serve the endpoint on port 443; 8443 is possible too, and in test mode any.")
	case !c.hostFits(u.Hostname()):
		return nil, problem.Validation("Give the endpoint a host name, or a public address, of the Internet.")
	}
	return u, nil
}

func portFits(mode string, u *url.URL) bool {
	port := u.Port()
	if strings.HasSuffix(u.Host, ":") {
		return false
	}
	if mode != "test" {
		return slices.Contains(livePorts, port)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

// hostFits refuses what some resolvers take for an address though it is none in
// the usual form: 2130706433, 0x7f.1, 127.1.
func (c *Client) hostFits(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return c.allowed(addr)
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	return len(host) <= 253 && hostName.MatchString(host) && (last[0] < '0' || last[0] > '9')
}
