package dashboard_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/dashboard"
	"ccms/internal/eureka/registry/lease"
	"ccms/internal/eureka/registry/peer"
	"ccms/internal/httpserver"
)

// site is a dashboard over a table whose clock stands still.
type site struct {
	t     *testing.T
	at    time.Time
	table *lease.Table
	mux   *httpserver.Mux
}

func open(t *testing.T, cfg dashboard.Config, leases lease.Config) *site {
	t.Helper()
	s := &site{t: t, at: time.Unix(1_800_000_000, 0)}
	leases.Log, leases.Now = slog.New(slog.DiscardHandler), func() time.Time { return s.at }
	s.table = lease.New(leases)
	cfg.Table, cfg.Now = s.table, leases.Now
	s.mux = httpserver.NewMux(leases.Log)
	dashboard.New(cfg).Routes(s.mux)
	return s
}

func (s *site) get(path string) string {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	b, err := io.ReadAll(w.Body)
	if err != nil || w.Code != http.StatusOK {
		s.t.Fatalf("%s: %d %v", path, w.Code, err)
	}
	if strings.Contains(string(b), "<script") || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-") {
		s.t.Errorf("%s: a script, or no policy: %v", path, w.Header())
	}
	return string(b)
}

func (s *site) has(path string, words ...string) string {
	s.t.Helper()
	body := s.get(path)
	for _, w := range words {
		if !strings.Contains(body, w) {
			s.t.Errorf("%s does not say %q:\n%s", path, w, body)
		}
	}
	return body
}

func (s *site) register(app, id string, status eureka.Status) *eureka.Instance {
	s.t.Helper()
	in := &eureka.Instance{
		App: app, ID: id, HostName: id + ".example.org", IPAddr: "10.0.0.1", Status: status, Overridden: eureka.Unknown, LastDirty: 1,
		Port: eureka.Port{Number: 8080, Enabled: true}, Lease: eureka.Lease{RenewalInterval: 30, Duration: 90},
		DataCenter: &eureka.DataCenter{Name: eureka.MyOwn}, StatusPageURL: new("http://" + id + ":8080/info"), VIPAddress: new("vip-" + strings.ToLower(app)),
	}
	if err := s.table.Register(in, false); err != nil {
		s.t.Fatal(err)
	}
	return in
}

// What the reference's page lists, in its words.
func TestThePageSaysWhatTheReferencesDoes(t *testing.T) {
	s := open(t, dashboard.Config{
		Environment: "staging",
		Info: func() []dashboard.Section {
			return []dashboard.Section{{Title: "General Info", Figures: []dashboard.Figure{{"num-of-cpus", "2"}}}}
		},
		Peers: func() []peer.Status {
			return []peer.Status{{URL: "http://other:8761/eureka/", Waiting: 3}, {URL: "http://third:8761/eureka/", Available: true}}
		},
	}, lease.Config{})
	s.has("/", "System Status", "Environment", "staging", "Data center", "Current time", "Uptime", "Lease expiration enabled", "Renews threshold", "Renews (last min)",
		"DS Replicas", "http://other:8761/eureka/", "unavailable", "3 changes to tell", "Instances currently registered with Eureka", "No instances available.",
		"General Info", "num-of-cpus")
	s.register("SVC", "a", eureka.Up)
	s.register("SVC", "b", eureka.Down)
	s.has("/", "SVC", "AMIs", "n/a (2)", "Availability Zones", "default (2)", "UP (1)", "DOWN (1)", `href="http://a:8080/info"`, "2 instances in 1 application.")
}

func TestOwnStatusOverrideAndEffectiveStatusAreApart(t *testing.T) {
	s := open(t, dashboard.Config{}, lease.Config{})
	s.register("SVC", "a", eureka.Up)
	s.table.SetStatus("SVC", "a", eureka.OutOfService, nil)
	s.has("/", "<dt>Own status</dt><dd>UP</dd>", `<dt>Override</dt><dd><span class="other">OUT_OF_SERVICE</span></dd>`, "<dt>Effective</dt><dd>OUT_OF_SERVICE</dd>")
	s.table.ClearStatus("SVC", "a", eureka.Up, nil)
	s.has("/", "<dt>Own status</dt><dd>UP</dd>", "<dt>Override</dt><dd>none</dd>", "<dt>Effective</dt><dd>UP</dd>", "0 s ago")
	s.at = s.at.Add(5 * time.Minute)
	s.has("/", "5 min ago, overdue")
}

func TestSelfPreservationIsExplainedInASentence(t *testing.T) {
	for _, c := range []struct {
		name  string
		cfg   lease.Config
		after time.Duration
		leave bool
		want  string
	}{
		{"just started", lease.Config{ProtectFrom: 1}, time.Second, false, "No full minute of heartbeats has been counted yet"},
		{"too few heartbeats", lease.Config{ProtectFrom: 1}, 5 * time.Minute, false, "EMERGENCY! EUREKA MAY BE INCORRECTLY CLAIMING INSTANCES ARE UP WHEN THEY&#39;RE NOT."},
		{"and why", lease.Config{ProtectFrom: 1}, 5 * time.Minute, false, "0 heartbeats came in the last full minute, and more than 17 were expected"},
		{"ended by hand", lease.Config{ProtectFrom: 1}, 5 * time.Minute, true, "an operator ended self-preservation"},
		{"switched off", lease.Config{NoSelfPreservation: true}, 5 * time.Minute, false, "The self preservation mode is turned off"},
		{"too small", lease.Config{ProtectFrom: 50}, 5 * time.Minute, false, "from 50 instances"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, dashboard.Config{}, c.cfg)
			for i := range 10 {
				s.register("SVC", fmt.Sprint(i), eureka.Up)
			}
			s.at = s.at.Add(c.after)
			if c.leave {
				s.table.Leave()
			}
			if body := s.get("/"); !strings.Contains(strings.ToLower(body), strings.ToLower(c.want)) {
				t.Errorf("does not say %q:\n%s", c.want, body)
			}
		})
	}
}

func TestTheFilterFindsInstancesByWhatTheyGoBy(t *testing.T) {
	s := open(t, dashboard.Config{}, lease.Config{})
	s.register("ORDERS", "a", eureka.Up)
	s.register("PAYMENTS", "b", eureka.Down)
	for text, found := range map[string]string{"orders": "ORDERS", "B.example": "PAYMENTS", "down": "PAYMENTS", "VIP-ord": "ORDERS", "10.0.0": "ORDERS"} {
		s.has("/?q="+text, "<h3>"+found+"</h3>", `value="`+text+`"`)
	}
	if body := s.has("/?q=orders", "1 of 2 instances"); strings.Contains(body, "PAYMENTS") {
		t.Error("the filter lets others through")
	}
	s.has("/?q=nothing", "No instance matches.")
}

// A large registry shows its applications, and an application its instances, a
// page at a time.
func TestALargeRegistryStaysReadable(t *testing.T) {
	s := open(t, dashboard.Config{}, lease.Config{})
	for i := range 2000 {
		s.register(fmt.Sprintf("SVC-%d", i%4), fmt.Sprintf("i%04d", i), eureka.Up)
	}
	if body := s.has("/", "2,000 instances in 4 applications.", `<a href="./?app=SVC-3">SVC-3</a>`, "UP (500)"); len(body) > 50_000 {
		t.Errorf("%d bytes", len(body))
	}
	s.has("/?app=svc-3", "i0003", "to 200 of 500", `<a href="./?app=SVC-3&amp;from=200" rel="next">`)
	s.has("/?app=SVC-3&from=400", "i1999", "to 500 of 500", `<a href="./?app=SVC-3&amp;from=200" rel="prev">`)
	s.has("/?app=SVC-3&from=-5", "i0003")
	s.has("/?app=SVC-3&from=99999999", "i0003")
}

func TestButtonsLeadToTheConsoleWhereThereIsOne(t *testing.T) {
	s := open(t, dashboard.Config{}, lease.Config{})
	s.register("SVC", "a&b", eureka.Up)
	if strings.Contains(s.get("/"), "Deregister") {
		t.Error("buttons that lead nowhere")
	}
	s = open(t, dashboard.Config{Console: "https://console/registry"}, lease.Config{})
	s.register("SVC", "a&b", eureka.Up)
	s.has("/", `href="https://console/registry?action=out-of-service&amp;app=SVC&amp;id=a%26b"`, "Take out of service", "action=deregister")
	s.table.SetStatus("SVC", "a&b", eureka.Down, nil)
	s.has("/", "action=bring-back")
}

// Whatever an instance claims to be, it is text.
func TestAnInstanceCannotWriteIntoThePage(t *testing.T) {
	s := open(t, dashboard.Config{Console: "/console"}, lease.Config{})
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	in := s.register("SVC", "a", eureka.Up).Clone()
	in.App, in.ID, in.HostName, in.IPAddr = strings.ToUpper(evil), evil, evil, evil
	in.Metadata = map[string]string{"zone": evil}
	for _, link := range []string{"javascript:alert(1)", "http://x/" + evil, "data:text/html,x", "//evil"} {
		in := in.Clone()
		in.StatusPageURL = &link
		if err := s.table.Register(in, false); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/", "/lastn", "/?q=%22%3E%3Cscript%3E", "/?app=%22%3E%3Cscript%3E"} {
			if body := strings.ToLower(s.get(path)); strings.Contains(body, "<img") || strings.Contains(body, `href="javascript`) || strings.Contains(body, `href="data:`) || strings.Contains(body, `href="//`) {
				t.Errorf("%s: %s", path, body)
			}
		}
	}
}

func TestTheLastLeasesAreListed(t *testing.T) {
	s := open(t, dashboard.Config{}, lease.Config{})
	s.has("/lastn", "Last 1000 cancelled leases", "Last 1000 newly registered leases", "No results available.")
	s.register("SVC", "a", eureka.Up)
	s.has("/lastn", "SVC(a)", "2027-01-15T08:00:00 &#43;0000", "No results available.")
	s.table.Cancel("SVC", "a")
	if n := strings.Count(s.get("/lastn"), "<td>SVC(a)</td>"); n != 2 {
		t.Errorf("the lease is listed %d times, not once as registered and once as cancelled", n)
	}
}
