package figures

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"ccms/internal/eureka/registry"
)

func TestTheRegistryShowsItsReadersAndPeers(t *testing.T) {
	r := registry.New(registry.Config{Log: slog.New(slog.DiscardHandler), Peers: []string{"http://user:secret@127.0.0.1:1/eureka/"}})
	got := shown(t, Registry(r))
	for _, want := range []string{
		`ccms_eureka_instances{status="UP"} 0`,
		`ccms_eureka_fetches_total{kind="full"} 0`,
		`ccms_eureka_waiting_readers 0`,
		`ccms_eureka_peer_available{peer="http://127.0.0.1:1/eureka/"} 0`,
		`ccms_eureka_peer_queue{peer="http://127.0.0.1:1/eureka/"} 0`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among %q", want, got)
		}
	}
}

// TestARegistryWithoutHeartbeatsShowsThatItProtects lets a full registry lose its
// heartbeats, and get them back.
func TestARegistryWithoutHeartbeatsShowsThatItProtects(t *testing.T) {
	const instances = 20
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	r := registry.New(registry.Config{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
	send := func(method, path, body string, want int) {
		t.Helper()
		req := httptest.NewRequestWithContext(t.Context(), method, "/eureka/apps/SHOP"+path, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if r.ServeHTTP(w, req); w.Code != want {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	}
	beat := func() {
		for range 2 { // a minute
			for i := range instances {
				send("PUT", fmt.Sprint("/s", i), "", 200)
			}
		}
		now = now.Add(time.Minute)
	}
	for i := range instances {
		send("POST", "", fmt.Sprintf(`{"instance":{"instanceId":"s%d","hostName":"localhost","app":"SHOP","ipAddr":"127.0.0.1","status":"UP","dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"}}}`, i), 204)
	}
	shows := func(protected, renewed float64) {
		t.Helper()
		all := Registry(r)
		if p, n := value(t, all, "ccms_eureka_protected"), value(t, all, "ccms_eureka_renews_last_minute"); p != protected || n != renewed {
			t.Errorf("protected %v, %v heartbeats; want %v, %v", p, n, protected, renewed)
		}
	}
	beat()
	beat()
	shows(0, 2*instances)
	now = now.Add(2 * time.Minute)
	shows(1, 0)
	if age := value(t, Registry(r), "ccms_eureka_oldest_heartbeat_seconds"); age != 180 {
		t.Errorf("the oldest heartbeat was %v s ago", age)
	}
	beat()
	shows(0, 2*instances)
}
