package registry_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ccms/internal/eureka/registry"
	"ccms/internal/httpserver"
)

// loaded is a registry of n instances, per in each application, as a client
// meets it: over a kept connection.
type loaded struct {
	b   *testing.B
	url string
}

func realistic(app, id, status string) string {
	return fmt.Sprintf(`{"instance":{"instanceId":%[2]q,"hostName":%[2]q,"app":%[1]q,"ipAddr":"10.1.2.3","status":%[3]q,"overriddenStatus":"UNKNOWN",`+
		`"port":{"$":8080,"@enabled":"true"},"securePort":{"$":443,"@enabled":"false"},"countryId":1,`+
		`"dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"},`+
		`"leaseInfo":{"renewalIntervalInSecs":30,"durationInSecs":90},"metadata":{"management.port":"8080","zone":"z1"},`+
		`"homePageUrl":"http://%[2]s:8080/","statusPageUrl":"http://%[2]s:8080/actuator/info","healthCheckUrl":"http://%[2]s:8080/actuator/health",`+
		`"vipAddress":%[1]q,"secureVipAddress":%[1]q,"lastDirtyTimestamp":"1795309898792"}}`, app, id, status)
}

func hostID(i int) string { return fmt.Sprintf("host-%d.example.org", i) }

func load(b *testing.B, n, per int) *loaded {
	b.Helper()
	log := slog.New(slog.DiscardHandler)
	reg := registry.New(registry.Config{Log: log})
	mux := httpserver.NewMux(log)
	reg.Routes(mux)
	srv := httptest.NewServer(mux)
	b.Cleanup(srv.Close)
	l := &loaded{b, srv.URL}
	for i := range n {
		app := fmt.Sprintf("SVC-%d", i/per)
		l.send("POST", "/eureka/apps/"+app, realistic(app, hostID(i), "UP"))
	}
	return l
}

func (l *loaded) send(method, path, body string) int64 {
	r, err := http.NewRequest(method, l.url+path, strings.NewReader(body))
	if err != nil {
		l.b.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		l.b.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		l.b.Fatal(resp.Status, err)
	}
	return n
}

// BenchmarkREST is what a request takes, client and server together.
func BenchmarkREST(b *testing.B) {
	for _, c := range []struct{ n, per int }{{1000, 10}, {10_000, 10}, {10_000, 1000}} {
		l := load(b, c.n, c.per)
		name := fmt.Sprintf("%d instances, %d an application/", c.n, c.per)
		b.Run(name+"heartbeat", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l.send("PUT", "/eureka/apps/SVC-0/"+hostID(3)+"?status=UP&lastDirtyTimestamp=1795309898792", "")
			}
		})
		b.Run(name+"register again", func(b *testing.B) {
			for b.Loop() {
				l.send("POST", "/eureka/apps/SVC-0", realistic("SVC-0", hostID(3), "UP"))
			}
		})
		for list, path := range map[string]string{"full": "/eureka/apps/", "delta": "/eureka/apps/delta"} {
			b.Run(name+list+" gzip", func(b *testing.B) {
				var n int64
				for b.Loop() {
					n = l.send("GET", path, "")
				}
				b.ReportMetric(float64(n), "bytes")
			})
			b.Run(name+"change, visible in the "+list, func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					l.send("PUT", "/eureka/apps/SVC-0/"+hostID(3)+"/status?value="+[]string{"DOWN", "UP"}[i%2], "")
					l.send("GET", path, "")
				}
			})
		}
		beats := make([]string, 250)
		for i := range beats {
			beats[i] = item("Heartbeat", fmt.Sprintf("SVC-%d", i/c.per), hostID(i), `"lastDirtyTimestamp":1795309898792`, `"status":"UP"`)
		}
		batch := `{"replicationList":[` + strings.Join(beats, ",") + `]}`
		b.Run(name+"batch of 250 heartbeats", func(b *testing.B) {
			for b.Loop() {
				l.send("POST", batchPath, batch)
			}
		})
	}
}
