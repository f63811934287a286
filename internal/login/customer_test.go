package login

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestNetworkOf(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, address, want string }{
		{"a /24 of IPv4", "198.51.100.77", "198.51.100.0/24"},
		{"a /56 of IPv6", "2001:db8:1:2ff::1", "2001:db8:1:200::/56"},
		{"IPv4 in IPv6 is IPv4", "::ffff:198.51.100.77", "198.51.100.0/24"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := networkOf(netip.MustParseAddr(tt.address)); got != tt.want {
				t.Errorf("got %s", got)
			}
		})
	}
	if networkOf(netip.Addr{}) != "unknown" {
		t.Error("no address has a network")
	}
}

func TestNetworksAreKnownForThirtyDays(t *testing.T) {
	t.Parallel()
	var c customer
	now := time.Now()
	c.meet("a", now)
	if !c.knows("a", now.Add(knownFor-1)) || c.knows("a", now.Add(knownFor)) || c.knows("b", now) {
		t.Error("known for another time")
	}
	for i := range 2 * knownNetworks {
		c.meet(fmt.Sprint(i), now)
	}
	if len(c.Networks) != knownNetworks || c.knows("a", now) {
		t.Errorf("%d networks", len(c.Networks))
	}
}

func FuzzFoldKey(f *testing.F) {
	for _, s := range []string{"Mary@Example.com", "ｍary@example.com", "İ", "ﬁ", "´", " \x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if once := foldKey(s); foldKey(once) != once {
			t.Errorf("%q folds to %q and then to %q", s, once, foldKey(once))
		}
	})
}
