package chassis

import (
	"net"
	"testing"

	"ccms/internal/eureka/discovery"
)

func TestTheAddressTowardsTheRegistry(t *testing.T) {
	for _, tc := range []struct {
		name     string
		registry []string
		here     bool
		fails    bool
	}{
		{"a registry here", []string{"http://127.0.0.1:8761/eureka/"}, true, false},
		{"a registry here by name", []string{"http://localhost:8761/eureka/"}, true, false},
		{"no registry", nil, true, false},
		{"a registry that cannot be found", []string{"http://registry.invalid:8761/eureka/"}, true, true},
		{"one of two can be found", []string{"http://registry.invalid:8761/eureka/", "http://127.0.0.1:8761/eureka/"}, true, false},
		{"a registry elsewhere", []string{"http://192.0.2.1:8761/eureka/"}, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ownAddress(tc.registry)
			if tc.here && (err != nil) != tc.fails || tc.here && got != "" {
				t.Errorf("%q, %v", got, err)
			}
			// A machine without a route to elsewhere has no address to give.
			if !tc.here && err == nil && (net.ParseIP(got) == nil || discovery.LoopbackHost(got)) {
				t.Errorf("got %q", got)
			}
		})
	}
}
