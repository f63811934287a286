package actuator_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/goleak"

	"ccms/internal/actuator"
	"ccms/internal/httpserver"
	"ccms/internal/meter"
	"ccms/internal/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scoped allows callers with one fixed token, as the scope actuator:read would.
func scoped(r *http.Request) error {
	if httpserver.Bearer(r) == "operator" {
		return nil
	}
	return problem.NoToken()
}

// remote serves a as to callers from elsewhere: without a Server, nobody is
// local.
func remote(t *testing.T, a *actuator.Actuator) *httptest.Server {
	t.Helper()
	mux := httpserver.NewMux(slog.New(slog.DiscardHandler))
	a.Routes(mux, scoped)
	srv := httptest.NewServer(mux)
	t.Cleanup(func() { srv.Close(); a.Close() })
	return srv
}

// local serves a on a loopback listener of the real server.
func local(t *testing.T, a *actuator.Actuator) string {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	mux := httpserver.NewMux(log)
	a.Routes(mux, nil)
	srv, err := httpserver.Listen(t.Context(), httpserver.Config{Name: "test", Addr: "127.0.0.1:0", Handler: mux, Log: log, Observe: a.Observe})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		http.DefaultClient.CloseIdleConnections()
		if err := <-done; err != nil {
			t.Error(err)
		}
		a.Close()
	})
	return srv.URL()
}

// get answers status, header and body of a request by the operator, or with
// token "" by nobody known.
func get(t *testing.T, url, token string, accept ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if accept != nil {
		req.Header.Set("Accept", accept[0])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(body)
}

// sameJSON compares without regard to order of members and blanks.
func sameJSON(t *testing.T, got, want string) {
	t.Helper()
	canonical := func(s string) string {
		v := jsontext.Value(s)
		if err := v.Canonicalize(); err != nil {
			t.Fatalf("%v: %s", err, s)
		}
		return string(v)
	}
	if canonical(got) != canonical(want) {
		t.Errorf("got  %s\nwant %s", canonical(got), canonical(want))
	}
}

// broken holds what may not be shown to anybody.
var errBroken = errors.New("dial mongodb://app:hunter2@db:27017: refused")

func TestHealthHasSpringsShape(t *testing.T) {
	tests := []struct {
		name, path, token string
		check             error
		refusing          bool
		status            int
		want              string
	}{
		{"all is well, to anybody", "/actuator/health", "", nil, false, 200,
			`{"status":"UP","groups":["liveness","readiness"]}`},
		{"all is well, to the operator", "/actuator/health", "operator", nil, false, 200,
			`{"status":"UP","components":{"db":{"status":"UP"},"livenessState":{"status":"UP"},"ping":{"status":"UP"},"readinessState":{"status":"UP"}},"groups":["liveness","readiness"]}`},
		{"a component fails, to anybody", "/actuator/health", "", errBroken, false, 503,
			`{"status":"DOWN","groups":["liveness","readiness"]}`},
		{"a component fails, to the operator", "/actuator/health", "operator", errBroken, false, 503,
			`{"status":"DOWN","components":{"db":{"status":"DOWN","details":{"error":"the check failed, the log says why"}},"livenessState":{"status":"UP"},"ping":{"status":"UP"},"readinessState":{"status":"UP"}},"groups":["liveness","readiness"]}`},
		{"a failure of ours is named", "/actuator/health/db", "operator", problem.Database(errBroken), false, 503,
			`{"status":"DOWN","details":{"error":"Database operation failed"}}`},
		{"liveness does not depend on a store", "/actuator/health/liveness", "", errBroken, true, 200,
			`{"status":"UP"}`},
		{"liveness to the operator", "/actuator/health/liveness", "operator", nil, false, 200,
			`{"status":"UP","components":{"livenessState":{"status":"UP"}}}`},
		{"readiness depends on a store", "/actuator/health/readiness", "", errBroken, false, 503,
			`{"status":"DOWN"}`},
		{"readiness to the operator", "/actuator/health/readiness", "operator", nil, false, 200,
			`{"status":"UP","components":{"db":{"status":"UP"},"readinessState":{"status":"UP"}}}`},
		{"a service that takes no traffic", "/actuator/health/readiness", "", nil, true, 503,
			`{"status":"OUT_OF_SERVICE"}`},
		{"one component", "/actuator/health/db", "operator", nil, false, 200,
			`{"status":"UP"}`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			a := actuator.New(actuator.Config{Service: "login-service"})
			a.AddHealth("db", true, func(context.Context) error { return tc.check })
			a.SetReady(!tc.refusing)
			srv := remote(t, a)
			status, header, body := get(t, srv.URL+tc.path, tc.token)
			if status != tc.status {
				t.Errorf("status %d, want %d", status, tc.status)
			}
			if ct := header.Get("Content-Type"); ct != "application/json; charset=utf-8" {
				t.Errorf("content type %q", ct)
			}
			if strings.Contains(body, "hunter2") {
				t.Error("the answer quotes the driver")
			}
			sameJSON(t, body, tc.want)
		})
	}
}

func TestOnlyHealthAndItsGroupsAreOpen(t *testing.T) {
	a := actuator.New(actuator.Config{Service: "login-service"})
	srv := remote(t, a)
	paths := map[string]int{
		"/actuator/health": 200, "/actuator/health/liveness": 200, "/actuator/health/readiness": 200,
		"/actuator": 401, "/actuator/health/ping": 401, "/actuator/info": 401, "/actuator/metrics": 401,
		"/actuator/metrics/process.uptime": 401, "/actuator/prometheus": 401,
	}
	for path, want := range paths {
		if status, _, _ := get(t, srv.URL+path, ""); status != want {
			t.Errorf("GET %s by anybody: %d, want %d", path, status, want)
		}
		if status, _, _ := get(t, srv.URL+path, "operator"); status != 200 {
			t.Errorf("GET %s by the operator: %d, want 200", path, status)
		}
	}
}

func TestOnLoopbackAllIsOpen(t *testing.T) {
	a := actuator.New(actuator.Config{Service: "login-service"})
	base := local(t, a)
	for _, path := range []string{"", "/health", "/health/ping", "/info", "/metrics", "/metrics/process.uptime", "/prometheus"} {
		if status, _, body := get(t, base+"/actuator"+path, ""); status != 200 {
			t.Errorf("GET /actuator%s: %d %s", path, status, body)
		}
	}
	_, _, body := get(t, base+"/actuator/health", "")
	if !strings.Contains(body, `"components"`) {
		t.Errorf("health on loopback has no details: %s", body)
	}
}

func TestSpringsMediaTypeIsGivenToWhoAsksForIt(t *testing.T) {
	srv := remote(t, actuator.New(actuator.Config{Service: "login-service"}))
	const spring = "application/vnd.spring-boot.actuator.v3+json"
	_, header, _ := get(t, srv.URL+"/actuator/health", "", spring+", application/json")
	if got := header.Get("Content-Type"); got != spring {
		t.Errorf("content type %q, want %q", got, spring)
	}
}

func TestLinksPointToThisServer(t *testing.T) {
	srv := remote(t, actuator.New(actuator.Config{Service: "login-service"}))
	_, _, body := get(t, srv.URL+"/actuator", "operator")
	var links struct {
		Links map[string]struct {
			Href      string
			Templated bool
		} `json:"_links"`
	}
	if err := json.Unmarshal([]byte(body), &links, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	if got := links.Links["health"].Href; got != srv.URL+"/actuator/health" {
		t.Errorf("health at %s", got)
	}
	if m := links.Links["metrics-requiredMetricName"]; !m.Templated || m.Href != srv.URL+"/actuator/metrics/{requiredMetricName}" {
		t.Errorf("metrics template %+v", m)
	}
}

func TestInfoSaysWhatRuns(t *testing.T) {
	srv := remote(t, actuator.New(actuator.Config{Service: "login-service", Version: "1.2.3"}))
	_, _, body := get(t, srv.URL+"/actuator/info", "operator")
	for _, want := range []string{`"name":"login-service"`, `"version":"1.2.3"`, `"go":{`, `"version":"go1.`} {
		if !strings.Contains(body, want) {
			t.Errorf("info lacks %s: %s", want, body)
		}
	}
}

func TestErrorsHaveTheContractsShape(t *testing.T) {
	srv := remote(t, actuator.New(actuator.Config{Service: "login-service"}))
	tests := []struct {
		name, path string
		status     int
		code       string
	}{
		{"an unknown metric", "/actuator/metrics/no.such", 404, "NOT_FOUND"},
		{"a tag without colon", "/actuator/metrics/http.server.requests?tag=uri", 400, "VALIDATION_ERROR"},
		{"a tag without key", "/actuator/metrics/http.server.requests?tag=:x", 400, "VALIDATION_ERROR"},
		{"two values of a tag", "/actuator/metrics/http.server.requests?tag=uri:a&tag=uri:b", 400, "VALIDATION_ERROR"},
		{"too many tags", "/actuator/metrics/http.server.requests?" + strings.Repeat("tag=a:b&", 17), 400, "VALIDATION_ERROR"},
		{"a tag nothing has", "/actuator/metrics/http.server.requests?tag=uri:/none", 404, "NOT_FOUND"},
		{"an unknown component", "/actuator/health/moon", 404, "NOT_FOUND"},
		{"an unknown endpoint", "/actuator/env", 404, "NOT_FOUND"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			status, _, body := get(t, srv.URL+tc.path, "operator")
			var e struct{ Error, ErrorCode, Timestamp, Path, Details string }
			if err := json.Unmarshal([]byte(body), &e, json.MatchCaseInsensitiveNames(true)); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			if status != tc.status || e.ErrorCode != tc.code || e.Details == "" {
				t.Errorf("%d %+v, want %d %s", status, e, tc.status, tc.code)
			}
		})
	}
}

func TestRequestsAreTimed(t *testing.T) {
	now := time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC)
	a := actuator.New(actuator.Config{Service: "login-service", Now: func() time.Time { return now }})
	srv := remote(t, a)
	for _, o := range []httpserver.Observation{
		{Method: "GET", Route: "GET /api/x/{id}", Status: 200, Duration: 250 * time.Millisecond},
		{Method: "GET", Route: "GET /api/x/{id}", Status: 200, Duration: 750 * time.Millisecond},
		{Method: "POST", Route: "POST /api/x", Status: 409, Duration: time.Second},
		{Method: "BREW", Route: "UNKNOWN", Status: 405, Duration: time.Second},
	} {
		a.Observe(o)
	}
	const name = "/actuator/metrics/http.server.requests"
	_, _, body := get(t, srv.URL+name+"?tag=uri:/api/x/{id}&tag=method:GET", "operator")
	sameJSON(t, body, `{"name":"http.server.requests","description":"Time taken to answer HTTP requests.","baseUnit":"seconds",
		"measurements":[{"statistic":"COUNT","value":2},{"statistic":"TOTAL_TIME","value":1},{"statistic":"MAX","value":0.75}],
		"availableTags":[{"tag":"exception","values":["none"]},{"tag":"outcome","values":["SUCCESS"]},{"tag":"status","values":["200"]}]}`)

	_, _, body = get(t, srv.URL+name, "operator")
	sameJSON(t, body, `{"name":"http.server.requests","description":"Time taken to answer HTTP requests.","baseUnit":"seconds",
		"measurements":[{"statistic":"COUNT","value":4},{"statistic":"TOTAL_TIME","value":3},{"statistic":"MAX","value":1}],
		"availableTags":[{"tag":"exception","values":["none"]},{"tag":"method","values":["GET","POST","UNKNOWN"]},
		{"tag":"outcome","values":["CLIENT_ERROR","SUCCESS"]},{"tag":"status","values":["200","405","409"]},
		{"tag":"uri","values":["/actuator/health","/api/x","/api/x/{id}","UNKNOWN"]}]}`)

	now = now.Add(time.Minute)
	if _, _, body = get(t, srv.URL+name, "operator"); !strings.Contains(body, `{"statistic":"MAX","value":1}`) {
		t.Errorf("the maximum is gone after a minute: %s", body)
	}
	now = now.Add(time.Minute)
	if _, _, body = get(t, srv.URL+name, "operator"); !strings.Contains(body, `{"statistic":"MAX","value":0}`) {
		t.Errorf("the maximum is still there after two minutes: %s", body)
	}
}

func TestTheSeriesOfRequestsAreBounded(t *testing.T) {
	a := actuator.New(actuator.Config{Service: "login-service"})
	srv := remote(t, a)
	for status := range 5000 {
		a.Observe(httpserver.Observation{Method: "GET", Route: "GET /x", Status: status, Duration: time.Millisecond})
	}
	_, _, body := get(t, srv.URL+"/actuator/prometheus", "operator")
	if n := strings.Count(body, "http_server_requests_seconds_count{"); n > 2050 {
		t.Errorf("%d series", n)
	}
	_, _, body = get(t, srv.URL+"/actuator/metrics/http.server.requests", "operator")
	if !strings.Contains(body, `{"statistic":"COUNT","value":5000}`) {
		t.Errorf("requests beyond the bound are not counted: %.300s", body)
	}
}

func TestMetricsAndPrometheusReadOneRegistry(t *testing.T) {
	a := actuator.New(actuator.Config{Service: "login-service", Started: time.Now().Add(-time.Minute)})
	sent := meter.NewCounters("ccms_mail_sent_total", "Mails sent.", "kind")
	age := meter.Func("ccms_table_age_seconds", "Age.", func() float64 { return 5 })
	a.Registry().Add(sent, age)
	sent.With("verify").Add(3)
	sent.With("reset").Add(4)
	base := local(t, a)

	_, _, body := get(t, base+"/actuator/metrics", "")
	var names struct{ Names []string }
	if err := json.Unmarshal([]byte(body), &names, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"http.server.requests", "process.uptime", "process.start.time", "process.cpu.usage", "system.cpu.count",
		"process.memory.rss", "process.files.open", "go.goroutines", "go.memory.used", "go.gc.pause", "ccms.mail.sent", "ccms.table.age"} {
		if !slices.Contains(names.Names, want) {
			t.Errorf("%s is not among the names", want)
		}
	}
	for _, name := range names.Names {
		if status, _, body := get(t, base+"/actuator/metrics/"+name, ""); status != 200 || !strings.Contains(body, `"statistic"`) {
			t.Errorf("metric %s: %d %s", name, status, body)
		}
	}
	_, _, body = get(t, base+"/actuator/metrics/ccms.mail.sent?tag=kind:reset", "")
	sameJSON(t, body, `{"name":"ccms.mail.sent","description":"Mails sent.","measurements":[{"statistic":"COUNT","value":4}],"availableTags":[]}`)

	_, header, body := get(t, base+"/actuator/prometheus", "")
	if ct := header.Get("Content-Type"); !strings.HasPrefix(ct, "text/plain") {
		t.Errorf("content type of prometheus: %q", ct)
	}
	for _, want := range []string{`ccms_mail_sent_total{kind="verify"} 3`, "process_uptime_seconds 6", "go_goroutines ",
		`http_server_requests_seconds_count{exception="none",method="GET",outcome="SUCCESS",status="200",uri="/actuator/metrics"} 1`} {
		if !strings.Contains(body, want) {
			t.Errorf("prometheus lacks %q", want)
		}
	}
}

func TestProcessMetricsAreOfThisProcess(t *testing.T) {
	a := actuator.New(actuator.Config{Service: "login-service"})
	base := local(t, a)
	value := func(name string) float64 {
		_, _, body := get(t, base+"/actuator/metrics/"+name, "")
		var m struct{ Measurements []struct{ Value float64 } }
		if err := json.Unmarshal([]byte(body), &m, json.MatchCaseInsensitiveNames(true)); err != nil || len(m.Measurements) == 0 {
			t.Fatalf("%s: %v %s", name, err, body)
		}
		return m.Measurements[0].Value
	}
	for name, between := range map[string][2]float64{
		"process.memory.rss": {1 << 20, 1 << 32}, "go.memory.used": {1 << 20, 1 << 32}, "go.goroutines": {2, 1000},
		"process.files.open": {3, 1000}, "system.cpu.count": {1, 4096}, "process.cpu.usage": {0, 1}, "process.uptime": {0, 600},
		"process.start.time": {float64(time.Now().Add(-time.Hour).Unix()), float64(time.Now().Unix() + 1)},
	} {
		if v := value(name); v < between[0] || v > between[1] {
			t.Errorf("%s is %g, want %g to %g", name, v, between[0], between[1])
		}
	}
}

func BenchmarkObserve(b *testing.B) {
	a := actuator.New(actuator.Config{Service: "login-service"})
	o := httpserver.Observation{Method: "GET", Route: "GET /api/customer/jwt/validate", Status: 200, Duration: time.Millisecond}
	b.ReportAllocs()
	for b.Loop() {
		a.Observe(o)
	}
}

func TestObserveDoesNotAllocate(t *testing.T) {
	a := actuator.New(actuator.Config{Service: "login-service"})
	o := httpserver.Observation{Method: "GET", Route: "GET /x", Status: 200, Duration: time.Millisecond}
	a.Observe(o)
	if n := testing.AllocsPerRun(100, func() { a.Observe(o) }); n != 0 {
		t.Errorf("%g allocations for each request", n)
	}
}

func TestTheFiguresOfTheGoalsLeaveOutWhatMachinesAsk(t *testing.T) {
	a := actuator.New(actuator.Config{Service: "test"})
	read := func() (all meter.Series, failed float64) {
		t.Helper()
		families, err := a.Registry().Gather()
		if err != nil {
			t.Fatal(err)
		}
		series := map[string]meter.Series{}
		for _, f := range families {
			series[f.Name] = f.Series[0]
		}
		f, ok := series["ccms_requests_failed_total"]
		if len(series["ccms_requests_seconds"].Buckets) == 0 || !ok {
			t.Fatal("there are no such metrics")
		}
		return series["ccms_requests_seconds"], f.Value
	}
	if all, failed := read(); all.Count != 0 || failed != 0 {
		t.Errorf("at first %v, %v failed", all, failed)
	}
	for _, route := range []string{"GET /x", "POST /api/x/{id}", "GET /actuator/health", "GET /eureka/apps", "UNKNOWN"} {
		for _, status := range []int{200, 404, 499, 500, 503} {
			a.Observe(httpserver.Observation{Method: "GET", Route: route, Status: status, Duration: 20 * time.Millisecond})
		}
	}
	if all, failed := read(); all.Count != 15 || all.Buckets[1].Count != 0 || all.Buckets[2].Count != 15 || failed != 6 {
		t.Errorf("got %v, %v failed", all, failed)
	}
}
