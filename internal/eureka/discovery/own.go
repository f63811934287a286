package discovery

import (
	"net"
	"net/url"
	"time"
)

// OwnAddress is the address this machine has on the way to the first registry
// that can be found, for a service that listens on all of them; "" when the
// registry is here, where localhost will do, or when there is none. Connecting
// by UDP sends nothing: it asks the routing table.
func OwnAddress(registries []string) string {
	dialer := net.Dialer{Timeout: time.Second} // which a name server may need
	for _, raw := range registries {
		u, err := url.Parse(raw)
		if err != nil {
			continue
		}
		conn, err := dialer.Dial("udp", net.JoinHostPort(u.Hostname(), "9"))
		if err != nil {
			continue
		}
		a, ok := conn.LocalAddr().(*net.UDPAddr)
		_ = conn.Close()
		if ok && !a.IP.IsLoopback() {
			return a.IP.String()
		}
		return ""
	}
	return ""
}
