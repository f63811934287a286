package limit

import "net/netip"

// Network is the network that an address counts as (decisions B5 and G): its /24,
// or /56 of IPv6; "unknown" for no address.
func Network(a netip.Addr) string {
	a = a.Unmap()
	bits := 24
	if a.Is6() {
		bits = 56
	}
	p, err := a.Prefix(bits)
	if err != nil || !p.IsValid() {
		return "unknown"
	}
	return p.String()
}
