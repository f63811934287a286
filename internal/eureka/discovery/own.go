package discovery

import (
	"net"
	"net/url"
	"time"

	"ccms/internal/eureka"
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

// located returns what to register: Self, at the address it has now.
func (c *Client) located() (*eureka.Instance, error) {
	ip := ""
	if c.cfg.Address != nil {
		ip = c.cfg.Address()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if ip == "" || ip == c.self.IPAddr {
		return c.self, nil
	}
	base := address(c.self)
	base.Host = net.JoinHostPort(ip, base.Port())
	there, err := NewInstance(c.self.App, c.self.ID, base)
	if err != nil {
		return nil, err
	}
	self := *c.self
	self.HostName, self.IPAddr = there.HostName, there.IPAddr
	self.HomePageURL, self.StatusPageURL = there.HomePageURL, there.StatusPageURL
	self.HealthCheckURL, self.SecureHealthCheckURL = there.HealthCheckURL, there.SecureHealthCheckURL
	c.self = &self
	c.dirty(self.Status)
	return c.self, nil
}
