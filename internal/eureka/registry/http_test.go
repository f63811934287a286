package registry_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry"
	"ccms/internal/eureka/registry/lease"
	"ccms/internal/httpserver"
)

// rest is a registry behind a real server, mounted as the product mounts it.
type rest struct {
	t   *testing.T
	url string
	reg *registry.Registry
}

func serve(t *testing.T, cfg registry.Config) *rest {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	reg := registry.New(cfg)
	mux := httpserver.NewMux(cfg.Log)
	reg.Routes(mux)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return &rest{t, srv.URL, reg}
}

type reply struct {
	status int
	header http.Header
	body   string
}

// ask sends a request; headers come in pairs. Nothing is unpacked.
func (s *rest) ask(method, path, body string, headers ...string) reply {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(b)}
}

func (s *rest) want(status int, method, path, body string, headers ...string) reply {
	s.t.Helper()
	got := s.ask(method, path, body, headers...)
	if got.status != status {
		s.t.Fatalf("%s %s: %d %q, want %d", method, path, got.status, got.body, status)
	}
	return got
}

// instanceJSON is the body of a registration.
func instanceJSON(app, id string, more ...string) string {
	return fmt.Sprintf(`{"instance":{"instanceId":%q,"app":%q,"hostName":"h","ipAddr":"10.0.0.1","vipAddress":"vip-%s",`+
		`"dataCenterInfo":{"@class":"x","name":"MyOwn"}%s}}`, id, app, strings.ToLower(app), strings.Join(append([]string{""}, more...), ","))
}

func (s *rest) register(app, id string, more ...string) {
	s.t.Helper()
	s.want(http.StatusNoContent, "POST", "/eureka/apps/"+app, instanceJSON(app, id, more...), "Content-Type", "application/json")
}

func (s *rest) instance(app, id string) *eureka.Instance {
	s.t.Helper()
	got := s.want(http.StatusOK, "GET", "/eureka/apps/"+app+"/"+id, "", "Accept", "application/json")
	in, err := eureka.ParseInstance(false, []byte(got.body))
	if err != nil {
		s.t.Fatal(err)
	}
	return in
}

func (s *rest) apps(path string) eureka.Applications {
	s.t.Helper()
	got := s.want(http.StatusOK, "GET", "/eureka"+path, "", "Accept", "application/json")
	a, err := eureka.ParseApplications(false, []byte(got.body))
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// T1
func TestARegistrationInEitherSyntaxIsReadBackInAllForms(t *testing.T) {
	s := serve(t, registry.Config{})
	s.register("SVC-A", "j:1")
	xml := `<instance><instanceId>x:1</instanceId><app>svc-a</app><hostName>h</hostName><ipAddr>10.0.0.2</ipAddr>` +
		`<dataCenterInfo><name>MyOwn</name></dataCenterInfo></instance>`
	got := s.want(http.StatusNoContent, "POST", "/eureka/apps/svc-a", xml, "Content-Type", "application/xml")
	if got.body != "" {
		t.Errorf("body %q", got.body)
	}
	for _, accept := range []string{"application/json", "application/xml"} {
		for _, form := range []string{"full", "Compact"} {
			got := s.want(http.StatusOK, "GET", "/eureka/apps", "", "Accept", accept, "X-Eureka-Accept", form)
			if got.header.Get("Content-Type") != accept || !strings.Contains(got.body, "j:1") || !strings.Contains(got.body, "x:1") {
				t.Errorf("%s %s: %s", accept, form, got.body)
			}
			if strings.Contains(got.body, "leaseInfo") != (form == "full") {
				t.Errorf("%s %s: %s", accept, form, got.body)
			}
		}
	}
	if in := s.instance("SVC-A", "j:1"); in.Action != eureka.Added || in.Lease.Registered == 0 || in.LastDirty == 0 || in.Lease.ServiceUp == 0 {
		t.Errorf("got %+v", in)
	}
}

// T2
func TestAnIncompleteRegistrationIsToldWhatIsMissingInOrder(t *testing.T) {
	s := serve(t, registry.Config{})
	members := []struct{ complaint, member string }{
		{"Missing instanceId", ``},
		{"Missing hostname", `"instanceId":"i"`},
		{"Missing ip address", `"hostName":"h"`},
		{"Missing appName", `"ipAddr":"1.1.1.1"`},
		{"Mismatched appName, expecting SVC but was OTHER", `"app":"other"`},
		{"Missing dataCenterInfo", `"app":"svc"`},
		{"Missing dataCenterInfo Name", `"dataCenterInfo":{"@class":"x"}`},
	}
	var body strings.Builder
	body.WriteString(`{"instance":{"app":""`)
	for _, m := range members {
		if m.member != "" {
			body.WriteString("," + m.member)
		}
		got := s.want(http.StatusBadRequest, "POST", "/eureka/apps/svc", body.String()+"}}", "Content-Type", "application/json")
		if got.body != m.complaint || got.header.Get("Content-Type") != "text/plain" {
			t.Errorf("%s}}: %q", body.String(), got.body)
		}
	}
	for contentType, want := range map[string]string{
		"application/json": `{"error": "cannot parse request body"}`,
		"application/xml":  `<error><message>cannot parse request body</message></error>`,
	} {
		got := s.want(http.StatusBadRequest, "POST", "/eureka/apps/svc", "garbage", "Content-Type", contentType)
		if got.body != want || got.header.Get("Content-Type") != contentType {
			t.Errorf("%s: %q", contentType, got.body)
		}
	}
	s.want(http.StatusBadRequest, "POST", "/eureka/apps/svc", `<!DOCTYPE a [<!ENTITY e "f">]><instance><app>&e;</app></instance>`, "Content-Type", "application/xml")
}

// T3
func TestRefusalsAreEmpty(t *testing.T) {
	s := serve(t, registry.Config{})
	s.register("SVC", "i")
	for _, c := range []struct {
		status       int
		method, path string
		headers      []string
		allow        string
	}{
		{415, "POST", "/eureka/apps/SVC", []string{"Content-Type", "text/plain"}, ""},
		{415, "POST", "/eureka/apps/SVC", nil, ""},
		{415, "POST", "/eureka/apps/SVC", []string{"Content-Type", "application/json; charset=utf-16"}, ""},
		{415, "POST", "/eureka/apps/SVC", []string{"Content-Type", "application/json", "Content-Encoding", "br"}, ""},
		{405, "PATCH", "/eureka/apps/SVC", nil, "HEAD,POST,GET,OPTIONS"},
		{405, "POST", "/eureka/apps/delta", nil, "HEAD,GET,OPTIONS"},
		{405, "DELETE", "/eureka/apps", nil, "HEAD,GET,OPTIONS"},
		{405, "GET", "/eureka/apps/SVC/i/status", nil, "PUT,DELETE,OPTIONS"},
		{405, "POST", "/eureka/apps/SVC/i", nil, "HEAD,PUT,DELETE,GET,OPTIONS"},
		{204, "OPTIONS", "/eureka/apps/SVC", nil, "HEAD,POST,GET,OPTIONS"},
		{406, "GET", "/eureka/apps", []string{"Accept", "text/html"}, ""},
		{406, "GET", "/eureka/apps/SVC", []string{"Accept", "text/plain"}, ""},
		{406, "GET", "/eureka/apps/SVC/i", []string{"Accept", "application/*+json"}, ""},
		{404, "GET", "/eureka", nil, ""},
		{404, "GET", "/eureka/", nil, ""},
		{404, "GET", "/eureka/nothing", nil, ""},
		{404, "GET", "/eureka/apps/NONE", nil, ""},
		{404, "GET", "/eureka/apps/SVC/none", nil, ""},
		{404, "GET", "/eureka/instances", nil, ""},
		{404, "GET", "/eureka/instances/none", nil, ""},
		{404, "GET", "/eureka/vips", nil, ""},
		{404, "DELETE", "/eureka/apps/SVC/none", nil, ""},
		{404, "PUT", "/eureka/apps/SVC/none/status?value=UP", nil, ""},
		{404, "DELETE", "/eureka/apps/SVC/none/status", nil, ""},
		{404, "PUT", "/eureka/apps/SVC/none/metadata?a=b", nil, ""},
		{500, "PUT", "/eureka/apps/SVC/i/status", nil, ""},
		{500, "PUT", "/eureka/apps/SVC/i/status?value=up", nil, ""},
		{500, "DELETE", "/eureka/apps/SVC/i/status?value=nonsense", nil, ""},
		{400, "PUT", "/eureka/apps/SVC/i/status?value=DOWN&lastDirtyTimestamp=x", nil, ""},
		{400, "PUT", "/eureka/apps/SVC/i?lastDirtyTimestamp=x", nil, ""},
		{400, "PUT", "/eureka/asg/x/status?value=ENABLED", nil, ""},
	} {
		got := s.want(c.status, c.method, c.path, "x", c.headers...)
		if got.body != "" || c.status != 204 && got.header.Get("Content-Length") != "0" || got.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %q, %v", c.method, c.path, got.body, got.header)
		}
	}
	if in := s.instance("SVC", "i"); in.Status != eureka.Up {
		t.Errorf("a refused write changed the status to %s", in.Status)
	}
}

// T4, T6, T7 and the prefixes
func TestEveryResourceAnswersUnderEveryPrefixWithAndWithoutSlash(t *testing.T) {
	s := serve(t, registry.Config{})
	s.register("SVC", "Id")
	for _, path := range []string{"/apps", "/apps/delta", "/apps/SVC", "/apps/svc", "/apps/sVc/Id", "/instances/Id", "/vips/vip-svc", "/svips/none"} {
		for _, prefix := range []string{"/eureka", "/eureka/v2", "/eureka/V1"} {
			for _, slash := range []string{"", "/"} {
				got := s.want(http.StatusOK, "GET", prefix+path+slash, "")
				if got.header.Get("Content-Type") != "application/xml" || !strings.HasPrefix(got.body, "<") {
					t.Errorf("%s without Accept: %s", path, got.body)
				}
			}
		}
	}
	s.want(http.StatusNotFound, "GET", "/eureka/apps/SVC/id", "")
	if a := s.apps("/vips/VIP-svc"); len(a.Apps) != 0 {
		t.Error("a VIP address ignored case")
	}
	got := s.want(http.StatusOK, "HEAD", "/eureka/apps", "")
	if got.body != "" || got.header.Get("Content-Length") == "0" {
		t.Errorf("HEAD: %v", got.header)
	}
	for _, slash := range []string{"", "/"} {
		s.want(http.StatusOK, "PUT", "/eureka/apps/SVC/Id"+slash, "{}", "Content-Type", "application/json")
		s.want(http.StatusOK, "PUT", "/eureka/apps/SVC/Id/status"+slash+"?value=DOWN", "")
		s.want(http.StatusOK, "DELETE", "/eureka/apps/SVC/Id/status"+slash+"?value=UP", "")
		s.want(http.StatusOK, "PUT", "/eureka/apps/SVC/Id/metadata"+slash+"?a=b", "")
	}
	s.want(http.StatusOK, "DELETE", "/eureka/apps/SVC/Id/", "")
}

// T5
func TestASegmentMayHoldAnything(t *testing.T) {
	s := serve(t, registry.Config{})
	for id, path := range map[string]string{
		"a/b c": "a%2Fb%20c", "h:svc:1": "h%3Asvc%3A1", "x+y": "x+y", "p%q": "p%25q", "..": "%2E%2E", "s;t": "s;t", `b\c`: "b%5Cc", "ü": "%C3%BC",
	} {
		s.register("SVC", strings.ReplaceAll(id, `\`, `\`))
		got := s.want(http.StatusOK, "PUT", "/eureka/apps/svc/"+path, "")
		if got.body != "" {
			t.Errorf("%s: body %q", id, got.body)
		}
		if in := s.instance("svc", path); in.ID != id {
			t.Errorf("%s: %q", path, in.ID)
		}
		s.want(http.StatusOK, "DELETE", "/eureka/apps/svc/"+path, "")
	}
	s.want(http.StatusNotFound, "GET", "/eureka/apps//x", "")
	s.want(http.StatusNotFound, "GET", "/eureka/../eureka/apps", "")
}

func TestBodyAndLabelAgreeWhateverAcceptSays(t *testing.T) {
	s := serve(t, registry.Config{})
	for accept, want := range map[string]string{
		"":                                     "application/xml",
		"*/*":                                  "application/xml",
		"application/*":                        "application/xml",
		"application/xml":                      "application/xml",
		"application/json":                     "application/json",
		" application/json":                    "application/json",
		"APPLICATION/JSON":                     "application/json",
		"application/json;charset=UTF-8":       "application/json;charset=UTF-8",
		"application/json, application/*+json": "application/json",
		"application/json, text/plain, */*":    "application/json",
		"application/*+json, */*":              "application/json",
		"application/json, application/xml":    "application/json",
		"application/xml, application/json":    "application/xml",
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": "application/xml",
		"application/json;q=0, application/xml":                           "application/xml",
	} {
		for _, path := range []string{"/apps", "/apps/delta", "/vips/x"} {
			got := s.want(http.StatusOK, "GET", "/eureka"+path, "", "Accept", accept)
			if got.header.Get("Content-Type") != want || strings.HasPrefix(got.body, "{") != strings.Contains(want, "json") {
				t.Errorf("%q: %s, %.20s", accept, got.header.Get("Content-Type"), got.body)
			}
		}
	}
}

// T8
func TestBodiesArePackedBothWaysWhenAsked(t *testing.T) {
	s := serve(t, registry.Config{})
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprint(z, instanceJSON("SVC", "i", `"metadata":{"k":"`+strings.Repeat("v", 2000)+`"}`))
	z.Close()
	s.want(http.StatusNoContent, "POST", "/eureka/apps/SVC", packed.String(), "Content-Type", "application/json", "Content-Encoding", "gzip")
	got := s.want(http.StatusOK, "GET", "/eureka/apps", "", "Accept-Encoding", "gzip")
	r, err := gzip.NewReader(strings.NewReader(got.body))
	if err != nil || got.header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v, %v", err, got.header)
	}
	if b, err := io.ReadAll(r); err != nil || !strings.Contains(string(b), "<applications>") {
		t.Errorf("%v, %.50s", err, b)
	}
	for _, encoding := range []string{"identity", "gzip;q=0", "deflate"} {
		if got := s.want(http.StatusOK, "GET", "/eureka/apps", "", "Accept-Encoding", encoding); got.header.Get("Content-Encoding") != "" {
			t.Errorf("packed for %s", encoding)
		}
	}
	chunked, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/eureka/apps/SVC", io.MultiReader(strings.NewReader(instanceJSON("SVC", "c"))))
	if err != nil {
		t.Fatal(err)
	}
	chunked.Header.Set("Content-Type", "application/json;charset=UTF-8")
	resp, err := http.DefaultTransport.RoundTrip(chunked)
	if err != nil || resp.StatusCode != http.StatusNoContent {
		t.Errorf("chunked: %v, %v", resp, err)
	}
	resp.Body.Close()
}

func TestABombIsRefusedUnpacked(t *testing.T) {
	s := serve(t, registry.Config{})
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for range 8 {
		z.Write(make([]byte, 1<<20))
	}
	z.Close()
	s.want(http.StatusRequestEntityTooLarge, "POST", "/eureka/apps/SVC", packed.String(), "Content-Type", "application/json", "Content-Encoding", "gzip")
	s.want(http.StatusRequestEntityTooLarge, "POST", "/eureka/apps/SVC", strings.Repeat("x", 1<<20+1), "Content-Type", "application/json")
}

// T10
func TestHeartbeatsHaveEmptyBodies(t *testing.T) {
	s := serve(t, registry.Config{})
	s.register("SVC", "i")
	for path, status := range map[string]int{"/eureka/apps/SVC/i": 200, "/eureka/apps/SVC/none": 404, "/eureka/apps/NONE/i": 404} {
		got := s.want(status, "PUT", path+"?status=UP", "{}", "Content-Type", "application/json", "Accept", "application/json")
		if got.body != "" || got.header.Get("Content-Length") != "0" || got.header.Get("Content-Type") != "" {
			t.Errorf("%s: %q %v", path, got.body, got.header)
		}
	}
}

// T27
func TestAnUnknownVIPIsAnEmptyList(t *testing.T) {
	s := serve(t, registry.Config{})
	s.register("A", "1", `"vipAddress":"one,two"`, `"secureVipAddress":"s"`, `"status":"DOWN"`)
	s.register("B", "2", `"vipAddress":"two"`)
	for path, hash := range map[string]string{"/vips/two": "DOWN_1_UP_1_", "/vips/one": "DOWN_1_", "/svips/s": "DOWN_1_", "/vips/none": "", "/svips/two": ""} {
		if a := s.apps(path); a.Hash != hash || a.Version != -1 {
			t.Errorf("%s: %q, version %d", path, a.Hash, a.Version)
		}
	}
	got := s.want(http.StatusOK, "GET", "/eureka/vips/none", "", "Accept", "application/json")
	if got.body != `{"applications":{"versions__delta":"-1","apps__hashcode":"","application":[]}}` {
		t.Error(got.body)
	}
}

// Decision E3
func TestReservedNamesAreWrittenOnlyWithProof(t *testing.T) {
	s := serve(t, registry.Config{Authorize: func(r *http.Request) bool { return r.Header.Get("CCMS-Proof") == "good" }})
	good := []string{"Content-Type", "application/json", "CCMS-Proof", "good"}
	bad := []string{"Content-Type", "application/json", "CCMS-Proof", "bad"}
	s.want(http.StatusNoContent, "POST", "/eureka/apps/login-service", instanceJSON("LOGIN-SERVICE", "l"), good...)
	s.want(http.StatusNoContent, "POST", "/eureka/apps/OWN", instanceJSON("OWN", "o", `"secureVipAddress":"x, Portal"`), good...)
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/eureka/apps/LOGIN-SERVICE", instanceJSON("LOGIN-SERVICE", "evil")},
		{"POST", "/eureka/apps/Portal", instanceJSON("portal", "evil")},
		{"POST", "/eureka/v2/apps/creditcard-service/", instanceJSON("CreditCard-Service", "evil")},
		{"POST", "/eureka/apps/log%C4%B1n-service", instanceJSON("logın-service", "evil")},
		{"POST", "/eureka/apps/EVIL", instanceJSON("EVIL", "evil", `"vipAddress":"a,login-service"`)},
		{"POST", "/eureka/apps/EVIL", instanceJSON("EVIL", "evil", `"secureVipAddress":"PORTAL"`)},
		{"POST", "/eureka/apps/OWN", instanceJSON("OWN", "o")}, // would take a proven entry over
		{"PUT", "/eureka/apps/login-service/l", ""},
		{"PUT", "/eureka/apps/OWN/o", ""},
		{"DELETE", "/eureka/apps/LOGIN-service/l", ""},
		{"DELETE", "/eureka/apps/own/o", ""},
		{"PUT", "/eureka/apps/LOGIN-SERVICE/l/status?value=DOWN", ""},
		{"DELETE", "/eureka/apps/LOGIN-SERVICE/l/status", ""},
		{"PUT", "/eureka/apps/LOGIN-SERVICE/l/metadata?a=b", ""},
		{"PUT", "/eureka/apps/OWN/o/metadata?a=b", ""},
	} {
		if got := s.want(http.StatusForbidden, c.method, c.path, c.body, bad...); got.body != "" || got.header.Get("Content-Length") != "0" {
			t.Errorf("%s %s: body %q", c.method, c.path, got.body)
		}
	}
	s.want(http.StatusOK, "PUT", "/eureka/apps/login-service/l", "", good...)
	if a := s.apps("/apps"); len(a.Apps) != 2 || a.Hash != "UP_2_" {
		t.Errorf("%d applications, hash %s", len(a.Apps), a.Hash)
	}
}

func TestAFloodOfRegistrationsIsBounded(t *testing.T) {
	s := serve(t, registry.Config{Leases: lease.Config{MaxInstances: 3, MaxInstanceBytes: 8 << 10}})
	for i := range 3 {
		s.register("SVC", fmt.Sprint(i))
	}
	got := s.want(http.StatusServiceUnavailable, "POST", "/eureka/apps/SVC", instanceJSON("SVC", "4"), "Content-Type", "application/json")
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	s.register("SVC", "1") // who is in stays in
	big := instanceJSON("SVC", "1", `"metadata":{"k":"`+strings.Repeat("v", 9<<10)+`"}`)
	s.want(http.StatusRequestEntityTooLarge, "POST", "/eureka/apps/SVC", big, "Content-Type", "application/json")
	s.want(http.StatusRequestEntityTooLarge, "PUT", "/eureka/apps/SVC/1/metadata?k="+strings.Repeat("v", 9<<10), "")
	s = serve(t, registry.Config{Leases: lease.Config{MaxBytes: 2000}})
	s.register("SVC", "1")
	s.want(http.StatusServiceUnavailable, "POST", "/eureka/apps/SVC", big, "Content-Type", "application/json")
}

func TestThePageListsWhoIsRegisteredAndRunsNothing(t *testing.T) {
	s := serve(t, registry.Config{})
	s.register("SVC", `<script>alert(1)</script>`, `"hostName":"<img src=x onerror=alert(1)>"`)
	got := s.want(http.StatusOK, "GET", "/", "")
	if !strings.Contains(got.body, "SVC") || strings.Contains(got.body, "<script") || strings.Contains(got.body, "<img") {
		t.Error(got.body)
	}
	if csp := got.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("policy %q", csp)
	}
}

func TestASnapshotForgetsNobody(t *testing.T) {
	file := t.TempDir() + "/registry.json"
	cfg := registry.Config{Snapshot: file}
	s := serve(t, cfg)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.reg.Run(ctx) }()
	s.register("SVC", "plain", `"metadata":{"a":"b"}`)
	s.register("SVC", "out")
	s.want(http.StatusOK, "PUT", "/eureka/apps/SVC/out/status?value=OUT_OF_SERVICE", "")
	s.register("SVC", "cleared", `"lastDirtyTimestamp":9000000000000`)
	s.want(http.StatusOK, "PUT", "/eureka/apps/SVC/cleared/status?value=DOWN", "")
	s.want(http.StatusOK, "DELETE", "/eureka/apps/SVC/cleared/status", "")
	s.register("SVC", "gone")
	s.want(http.StatusOK, "DELETE", "/eureka/apps/SVC/gone", "")
	before := s.apps("/apps")
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}

	s = serve(t, cfg)
	if own := s.owns("out"); own != eureka.Up {
		t.Errorf("own status %s", own)
	}
	after := s.apps("/apps")
	if after.Hash != before.Hash || after.Version <= before.Version {
		t.Errorf("hash %s was %s, version %d was %d", after.Hash, before.Hash, after.Version, before.Version)
	}
	s.want(http.StatusOK, "PUT", "/eureka/apps/SVC/plain", "")
	if in := s.instance("SVC", "plain"); in.Metadata["a"] != "b" {
		t.Errorf("metadata %v", in.Metadata)
	}
	s.register("SVC", "out")
	if in := s.instance("SVC", "out"); in.Status != eureka.OutOfService {
		t.Errorf("the override is lost: %s", in.Status)
	}
	s.want(http.StatusNotFound, "PUT", "/eureka/apps/SVC/cleared", "")
	s.register("SVC", "cleared", `"lastDirtyTimestamp":5`)
	if in := s.instance("SVC", "cleared"); in.Status != eureka.Up {
		t.Errorf("kept %s for good", in.Status)
	}
}

func TestASnapshotThatCannotBeReadIsPassedOver(t *testing.T) {
	for _, content := range []string{"", "garbage", `{"version":5,"applications":{}}`, `{"version":5,"applications":{"applications":{"application":[{"name":"A","instance":[{"app":""}]}]}}}`} {
		file := t.TempDir() + "/registry.json"
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s := serve(t, registry.Config{Snapshot: file})
		if a := s.apps("/apps"); len(a.Apps) != 0 {
			t.Errorf("%q: %v", content, a.Apps)
		}
		s.register("SVC", "i")
	}
}

// A change is on disk soon after it is visible, not only at the end: a process
// may be killed.
func TestTheSnapshotFollowsTheChanges(t *testing.T) {
	file := t.TempDir() + "/registry.json"
	s := serve(t, registry.Config{Snapshot: file})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.reg.Run(ctx) }()
	s.register("SVC", "i-1")
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(2 * time.Minute); ; {
		b, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(b), `"i-1"`) {
			break
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("never written")
		}
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// owns is what an instance said of itself.
func (s *rest) owns(id string) eureka.Status {
	for _, e := range s.reg.Leases().Entries() {
		if e.ID == id {
			return e.Own
		}
	}
	return ""
}
