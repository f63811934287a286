package discovery_test

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"ccms/internal/eureka"
	"ccms/internal/eureka/discovery"
)

func TestTheAddressTowardsTheRegistry(t *testing.T) {
	for _, tc := range []struct {
		name     string
		registry []string
		here     bool // or at least nothing to go by
	}{
		{"a registry here", []string{"http://127.0.0.1:8761/eureka/"}, true},
		{"a registry here by name", []string{"http://localhost:8761/eureka/"}, true},
		{"no registry", nil, true},
		{"a registry that cannot be found", []string{"http://registry.invalid:8761/eureka/"}, true},
		{"a registry elsewhere", []string{"http://192.0.2.1:8761/eureka/"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := discovery.OwnAddress(tc.registry)
			// A machine without a route to elsewhere has no address to give.
			if got != "" && (tc.here || net.ParseIP(got) == nil || discovery.LoopbackHost(got)) {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestAnAddressThatIsKnownLateIsRegistered would fail if a service that could not
// find its registry when it started stayed in the list as localhost.
func TestAnAddressThatIsKnownLateIsRegistered(t *testing.T) {
	s := newSite(t)
	in := self(t, "SVC", "a", "http://localhost:8083")
	var ip atomic.Value
	ip.Store("")
	c, _ := client(t, discovery.Config{URLs: []string{s.url()}, Self: in, Address: func() string { return ip.Load().(string) }})
	ready(t, c)
	if got := s.app("SVC"); !strings.Contains(got, "localhost") {
		t.Fatalf("at first it is not as Self says: %s", got)
	}
	// The address is asked for when it registers anew.
	ip.Store("192.0.2.7")
	c.SetStatus(eureka.Down)
	until(t, "the registry has the address", func() bool {
		got := s.app("SVC")
		return strings.Contains(got, "192.0.2.7") && strings.Contains(got, "http://192.0.2.7:8083/actuator/health") && !strings.Contains(got, "localhost")
	})
}
