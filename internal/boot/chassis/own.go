package chassis

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// ownAddress is the address this machine has on the way to the first registry
// that can be found, for a service that listens on all of them; "" when the
// registry is here, where localhost will do. Connecting by UDP sends nothing: it
// asks the routing table. It fails when no registry has an address yet.
func ownAddress(registries []string) (string, error) {
	dialer := net.Dialer{Timeout: 2 * time.Second} // which a name server may need
	var unknown error
	for _, raw := range registries {
		u, err := url.Parse(raw)
		if err != nil {
			return "", fmt.Errorf("own address: %w", err)
		}
		conn, err := dialer.Dial("udp", net.JoinHostPort(u.Hostname(), "9"))
		if err != nil {
			unknown = errors.Join(unknown, fmt.Errorf("own address: %w", err))
			continue
		}
		a, ok := conn.LocalAddr().(*net.UDPAddr)
		if err := conn.Close(); err != nil {
			return "", fmt.Errorf("own address: %w", err)
		}
		if ok && !a.IP.IsLoopback() {
			return a.IP.String(), nil
		}
		return "", nil
	}
	return "", unknown
}
