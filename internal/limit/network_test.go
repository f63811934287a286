package limit_test

import (
	"net/netip"
	"testing"

	"ccms/internal/limit"
)

func TestNetwork(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, address, want string }{
		{"a /24 of IPv4", "198.51.100.77", "198.51.100.0/24"},
		{"a /56 of IPv6", "2001:db8:1:2ff::1", "2001:db8:1:200::/56"},
		{"IPv4 in IPv6 is IPv4", "::ffff:198.51.100.77", "198.51.100.0/24"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := limit.Network(netip.MustParseAddr(tt.address)); got != tt.want {
				t.Errorf("got %s", got)
			}
		})
	}
	if limit.Network(netip.Addr{}) != "unknown" {
		t.Error("no address has a network")
	}
}
