package discovery_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ccms/internal/eureka/discovery"
)

// TestAnAddressThatIsKnownLateIsRegistered would fail if a service that could not
// find its registry when it started were in the list as localhost, or if one
// whose address changes kept the old one.
func TestAnAddressThatIsKnownLateIsRegistered(t *testing.T) {
	s := newSite(t)
	in := self(t, "SVC", "a", "http://localhost:8083")
	var ip atomic.Value
	var asked atomic.Int64
	ip.Store("")
	c, _ := client(t, discovery.Config{URLs: []string{s.url()}, Self: in, RenewEvery: 10 * time.Millisecond,
		Address: func() (string, error) {
			asked.Add(1)
			if ip.Load() == "" {
				return "", errors.New("no registry can be found")
			}
			return ip.Load().(string), nil
		}})
	until(t, "it tries again", func() bool { return asked.Load() > 2 })
	if got := s.app("SVC"); got != "" {
		t.Fatalf("it is registered: %s", got)
	}
	for _, at := range []string{"192.0.2.7", "192.0.2.8"} {
		ip.Store(at)
		until(t, "the registry has the address", func() bool {
			got := s.app("SVC")
			return strings.Contains(got, "http://"+at+":8083/actuator/health") && strings.Count(got, "<instance>") == 1 && !strings.Contains(got, "localhost")
		})
	}
	if !c.Stats().Registered {
		t.Error("it does not know that it is registered")
	}
}
