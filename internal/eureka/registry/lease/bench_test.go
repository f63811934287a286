package lease

import (
	"fmt"
	"testing"

	"ccms/internal/eureka"
)

// filled is a registry of n instances, per in each application.
func filled(b *testing.B, n, per int) *Table {
	b.Helper()
	g := New(Config{})
	for i := range n {
		in := instance(fmt.Sprintf("SVC-%d", i/per), fmt.Sprintf("host-%d:svc:8080", i), eureka.Up, 1)
		in.Metadata = map[string]string{"management.port": "8080", "zone": "z1"}
		in.HomePageURL, in.HealthCheckURL = new("http://10.0.0.1:8080/"), new("http://10.0.0.1:8080/actuator/health")
		in.VIPAddress = new("svc")
		if _, err := g.store(in, false); err != nil {
			b.Fatal(err)
		}
	}
	return g
}

func BenchmarkHeartbeat(b *testing.B) {
	for _, per := range []int{10, 1000} {
		b.Run(fmt.Sprintf("10000 instances, %d an application", per), func(b *testing.B) {
			g := filled(b, 10_000, per)
			id := fmt.Sprintf("host-%d:svc:8080", per)
			b.ReportAllocs()
			for b.Loop() {
				g.Heartbeat("SVC-1", id, Beat{})
			}
		})
	}
}

func BenchmarkFullFetch(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		g := filled(b, n, 10)
		b.Run(fmt.Sprintf("JSON of %d", n), func(b *testing.B) {
			for b.Loop() {
				eureka.Form{}.Applications(nil, g.All())
			}
		})
	}
}
