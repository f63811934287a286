package webhook

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"
)

// errGuarded is why an address is not called.
var errGuarded = errors.New("webhook: not a public address")

// special are the networks that lead somewhere else than to a host of the
// public Internet: the IANA registries of special-purpose addresses (RFC 6890),
// multicast, and the one public address that clouds are known to answer on
// inside.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),         // this network
	netip.MustParsePrefix("10.0.0.0/8"),        // private
	netip.MustParsePrefix("100.64.0.0/10"),     // shared, RFC 6598
	netip.MustParsePrefix("127.0.0.0/8"),       // loopback
	netip.MustParsePrefix("168.63.129.16/32"),  // Azure's platform services
	netip.MustParsePrefix("169.254.0.0/16"),    // link-local, with the clouds' metadata
	netip.MustParsePrefix("172.16.0.0/12"),     // private
	netip.MustParsePrefix("192.0.0.0/24"),      // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),      // documentation
	netip.MustParsePrefix("192.31.196.0/24"),   // AS112
	netip.MustParsePrefix("192.52.193.0/24"),   // AMT
	netip.MustParsePrefix("192.88.99.0/24"),    // 6to4 relays
	netip.MustParsePrefix("192.168.0.0/16"),    // private
	netip.MustParsePrefix("192.175.48.0/24"),   // AS112
	netip.MustParsePrefix("198.18.0.0/15"),     // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"),   // documentation
	netip.MustParsePrefix("203.0.113.0/24"),    // documentation
	netip.MustParsePrefix("224.0.0.0/4"),       // multicast
	netip.MustParsePrefix("240.0.0.0/4"),       // reserved, with broadcast
	netip.MustParsePrefix("2001::/23"),         // protocol assignments: Teredo, ORCHID, benchmarks
	netip.MustParsePrefix("2001:db8::/32"),     // documentation
	netip.MustParsePrefix("2002::/16"),         // 6to4
	netip.MustParsePrefix("2620:4f:8000::/48"), // AS112
	netip.MustParsePrefix("3ffe::/16"),         // 6bone, given back
	netip.MustParsePrefix("3fff::/20"),         // documentation
}

// global reports whether addr lies in 2000::/3, the part of IPv6 that is given
// out (RFC 4291 §2.4). All outside it is refused: loopback, link-local, unique
// local, multicast, NAT64 (64:ff9b::/96 and 64:ff9b:1::/48), segment routing, and
// what is yet to be assigned.
func global(addr netip.Addr) bool { return addr.As16()[0]>>5 == 1 }

// public reports whether addr is that of a host on the Internet. An IPv4
// address in IPv6 clothes is judged by what it hides.
func public(addr netip.Addr) bool {
	addr = addr.Unmap()
	if !addr.IsValid() || addr.Zone() != "" || addr.Is6() && !global(addr) {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// own reports whether addr belongs to this machine or its own network, where
// tests and nobody else have endpoints.
func own(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.Zone() == "" && (addr.IsLoopback() || addr.IsPrivate())
}

// control looks at the address that is about to be dialled, after every name
// has been resolved: a name that resolves anew between check and call gains
// nothing.
func (c *Client) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !c.allowed(at.Addr()) {
		return errGuarded
	}
	return nil
}

func (c *Client) allowed(addr netip.Addr) bool {
	return public(addr) || c.allowPrivate && own(addr)
}
