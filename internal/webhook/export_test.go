package webhook

import (
	"net"
	"strings"
)

// Dials asks the guard about an address as it comes out of a look-up.
func (c *Client) Dials(host string) error {
	return c.control("tcp", net.JoinHostPort(strings.Trim(host, "[]"), "443"), nil)
}
