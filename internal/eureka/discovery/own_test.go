package discovery_test

import (
	"net"
	"testing"

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
