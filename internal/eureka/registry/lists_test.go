package registry_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry"
	"ccms/internal/eureka/registry/writers"
	"ccms/internal/identity"
	"ccms/internal/problem"
)

func TestAReaderWaitsForTheNextChange(t *testing.T) {
	s := serve(t, registry.Config{})
	s.register("SVC", "1")
	held := s.apps("/apps")
	got := s.want(http.StatusNotModified, "GET", fmt.Sprintf("/eureka/apps/delta?since=%d", held.Version), "")
	if got.body != "" || got.header.Get("X-Eureka-Ext") != "since" || got.header.Get("X-Eureka-Epoch") == "" {
		t.Errorf("unchanged: %q %v", got.body, got.header)
	}
	s.want(http.StatusNotModified, "GET", fmt.Sprintf("/eureka/apps?since=%d&wait=1ms", held.Version), "")
	for _, path := range []string{"/apps/delta", "/apps"} {
		answered := make(chan eureka.Applications, 1)
		before := s.apps("/apps").Version
		go func() { answered <- s.apps(fmt.Sprintf("%s?since=%d&wait=30s", path, before)) }()
		s.want(http.StatusOK, "PUT", "/eureka/apps/SVC/1", "") // a heartbeat is no change
		s.register("NEW", path)
		select {
		case a := <-answered:
			if !strings.Contains(fmt.Sprint(a.Apps), "NEW") || path == "/apps/delta" && len(a.Apps) != 1 {
				t.Errorf("%s: %v", path, a.Apps)
			}
		case <-time.After(2 * time.Minute):
			t.Fatal("not told")
		}
	}
	// A version of another registry is no reason to wait; a bad one is ignored.
	if a := s.apps("/apps/delta?since=99999999&wait=30s"); len(a.Apps) != 2 {
		t.Errorf("a foreign version: %v", a.Apps)
	}
	s.apps("/apps/delta?since=x&wait=30s")
	s.apps("/apps/delta?wait=30s")
}

func TestTheEndOfARegistryEndsTheWaiting(t *testing.T) {
	s := serve(t, registry.Config{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.reg.Run(ctx) }()
	status := make(chan int, 1)
	go func() {
		status <- s.ask("GET", fmt.Sprintf("/eureka/apps?since=%d&wait=50s", s.apps("/apps").Version), "").status
	}()
	s.reg.Retire() // before Run's end, as a process does that stops its listener first
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	select {
	case got := <-status:
		if got != http.StatusNotModified {
			t.Errorf("%d", got)
		}
	case <-time.After(2 * time.Minute):
		t.Error("waits on")
	}
}

// T17: the delta and the whole show a change to the very next request, and both
// name one version.
func TestAChangeIsVisibleToTheNextRequest(t *testing.T) {
	s := serve(t, registry.Config{})
	for i := range 20 {
		id := fmt.Sprint("i", i)
		s.register("SVC", id)
		full, delta := s.apps("/apps"), s.apps("/apps/delta")
		if len(full.Apps[0].Instances) != i+1 || len(delta.Apps[0].Instances) != i+1 || full.Version != delta.Version || full.Hash != delta.Hash {
			t.Fatalf("after %s: %d and %d instances, versions %d and %d", id, len(full.Apps[0].Instances), len(delta.Apps[0].Instances), full.Version, delta.Version)
		}
	}
}

// T30
func TestANameMayNeedCredentials(t *testing.T) {
	policy, err := writers.Parse(strings.NewReader(fmt.Sprintf("ORDERS bearer sha256:%x\n", sha256.Sum256([]byte("token")))), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, registry.Config{Writers: policy})
	body, jsonType := instanceJSON("ORDERS", "o"), []string{"Content-Type", "application/json"}
	got := s.want(http.StatusUnauthorized, "POST", "/eureka/apps/ORDERS", body, jsonType...)
	if challenge := got.header.Values("WWW-Authenticate"); len(challenge) != 2 || !strings.HasPrefix(challenge[0], "Basic ") || got.body != "" {
		t.Errorf("challenge %q, body %q", challenge, got.body)
	}
	got = s.want(http.StatusUnauthorized, "POST", "/eureka/apps/ORDERS", body, append(jsonType, "Authorization", "Bearer other")...)
	if challenge := got.header.Values("WWW-Authenticate"); len(challenge) != 2 || challenge[1] != `Bearer realm="eureka", error="invalid_token"` {
		t.Errorf("challenge to a wrong token %q", challenge)
	}
	good := append(jsonType, "Authorization", "Bearer token")
	s.want(http.StatusNoContent, "POST", "/eureka/apps/ORDERS", body, good...)
	for _, c := range []struct{ method, path string }{
		{"PUT", "/eureka/apps/ORDERS/o"}, {"PUT", "/eureka/apps/orders/o/status?value=DOWN"},
		{"PUT", "/eureka/apps/ORDERS/o/metadata?a=b"}, {"DELETE", "/eureka/apps/ORDERS/o/status"}, {"DELETE", "/eureka/apps/ORDERS/o"},
	} {
		s.want(http.StatusUnauthorized, c.method, c.path, "")
		s.want(http.StatusOK, c.method, c.path, "", good...)
	}
	s.register("FREE", "f")
	s.want(http.StatusUnauthorized, "POST", "/eureka/apps/FREE", instanceJSON("FREE", "g", `"vipAddress":"orders"`), jsonType...)
	if got := s.batch(item("Register", "ORDERS", "p", `"instanceInfo":`+unrooted("ORDERS", "p"))); got[0] != http.StatusForbidden {
		t.Errorf("a peer without credentials: %v", got)
	}
}

// 6.13 and 6.15
func TestTheRegistryReportsOnItself(t *testing.T) {
	s := serve(t, registry.Config{Peers: []string{"http://user:secret@127.0.0.1:1/eureka/"}})
	got := s.want(http.StatusOK, "GET", "/eureka/status/", "", "Accept", "application/json")
	var report map[string]map[string]string
	if err := json.Unmarshal([]byte(got.body), &report); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	if report["applicationStats"]["unavailable-replicas"] != "http://127.0.0.1:1/eureka/," || report["generalStats"]["server-uptime"] == "" {
		t.Errorf("%v", report)
	}
	got = s.want(http.StatusOK, "GET", "/eureka/v2/status", "")
	if err := xml.Unmarshal([]byte(got.body), new(struct{})); err != nil || !strings.HasPrefix(got.body, "<com.netflix.eureka.util.StatusInfo>") || strings.Contains(got.body, "secret") {
		t.Errorf("%v: %s", err, got.body)
	}
}

func TestOverridesAreListedByInstance(t *testing.T) {
	s := serve(t, registry.Config{})
	s.register("SVC", "i")
	s.register("SVC", "j")
	s.want(http.StatusOK, "PUT", "/eureka/apps/SVC/i/status?value=OUT_OF_SERVICE", "")
	if got := s.want(http.StatusOK, "GET", "/eureka/serverinfo/statusoverrides", ""); got.body != `{"i":"OUT_OF_SERVICE"}` {
		t.Error(got.body)
	}
}

// A registry with peers says nothing before it has a list, and says so in a way
// that sends clients to another one (7.9). T22.
func TestARegistryIsClosedToReadersUntilItHasAList(t *testing.T) {
	s := serve(t, registry.Config{Peers: []string{"http://127.0.0.1:1/eureka/"}})
	s.register("SVC", "i")
	for _, path := range []string{"/apps", "/apps/delta", "/apps/SVC", "/vips/x", "/svips/x"} {
		if got := s.want(http.StatusForbidden, "GET", "/eureka"+path, ""); got.body != "" || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: %q", path, got.body)
		}
	}
	s.want(http.StatusOK, "PUT", "/eureka/apps/SVC/i", "")
	s.want(http.StatusOK, "GET", "/eureka/apps/SVC/i", "")
	if s.reg.Open() {
		t.Error("says it is open")
	}
}

// Decision E4: an operator's Bearer, and for reserved names our proof as well.
func TestAnOperatorActsOnInstances(t *testing.T) {
	var acts []string
	s := serve(t, registry.Config{
		Record: func(_ *http.Request, a registry.Act) error {
			acts = append(acts, strings.TrimRight(a.Name+" "+a.Object+" "+a.Result, " "))
			return nil
		},
		Authorize: func(r *http.Request) bool { return r.Header.Get("CCMS-Proof") == "good" },
		Operator: func(r *http.Request) (identity.Principal, error) {
			if r.Header.Get("Authorization") != "Bearer operator" {
				return identity.Principal{}, problem.NoToken()
			}
			return identity.Principal{Subject: "op"}, nil
		},
	})
	s.register("SVC", "a/b c")
	s.want(http.StatusNoContent, "POST", "/eureka/apps/PORTAL", instanceJSON("PORTAL", "p"), "Content-Type", "application/json", "CCMS-Proof", "good")
	out := `{"status":"OUT_OF_SERVICE"}`
	const path = "/operator/instances/svc/a%2Fb%20c"
	operator := []string{"Authorization", "Bearer operator", "Content-Type", "application/json"}
	s.want(http.StatusUnauthorized, "PUT", path+"/status", out, "Content-Type", "application/json")
	s.want(http.StatusBadRequest, "PUT", path+"/status", `{"status":"UNKNOWN"}`, operator...)
	s.want(http.StatusNotFound, "DELETE", path+"x", "", operator...)
	s.want(http.StatusOK, "PUT", path+"/status", out, operator...)
	if in := s.instance("SVC", "a%2Fb%20c"); in.Status != eureka.OutOfService || in.Overridden != eureka.OutOfService {
		t.Errorf("status %s", in.Status)
	}
	s.want(http.StatusOK, "DELETE", path+"/status", "", operator...)
	if in := s.instance("SVC", "a%2Fb%20c"); in.Status != eureka.Up || in.Overridden != eureka.Unknown {
		t.Errorf("status %s", in.Status)
	}
	s.want(http.StatusOK, "DELETE", path, "", operator...)
	s.want(http.StatusForbidden, "DELETE", "/operator/instances/PORTAL/p", "", operator...)
	s.want(http.StatusOK, "DELETE", "/operator/instances/PORTAL/p", "", append(operator, "CCMS-Proof", "good")...)
	if a := s.apps("/apps"); len(a.Apps) != 0 {
		t.Errorf("left: %v", a.Apps)
	}
	want := []string{
		"registry.deregister SVC/a/b cx", "registry.deregister SVC/a/b cx refused",
		"registry.override SVC/a/b c", "registry.override SVC/a/b c success",
		"registry.bring-back SVC/a/b c", "registry.bring-back SVC/a/b c success",
		"registry.deregister SVC/a/b c", "registry.deregister SVC/a/b c success",
		"registry.deregister PORTAL/p", "registry.deregister PORTAL/p success",
	}
	if !slices.Equal(acts, want) {
		t.Errorf("on record: %q", acts)
	}
}

// TestWithoutARecordNothingHappens would fail if an operator could act while the
// login service cannot write it down (decision D9).
func TestWithoutARecordNothingHappens(t *testing.T) {
	s := serve(t, registry.Config{
		Operator: func(*http.Request) (identity.Principal, error) { return identity.Principal{Subject: "op"}, nil },
		Record:   func(*http.Request, registry.Act) error { return problem.ServiceUnavailable(time.Second) },
	})
	s.register("SVC", "a")
	s.want(http.StatusServiceUnavailable, "DELETE", "/operator/instances/SVC/a", "")
	s.want(http.StatusServiceUnavailable, "DELETE", "/operator/self-preservation", "")
	if in := s.instance("SVC", "a"); in.Status != eureka.Up {
		t.Errorf("status %s", in.Status)
	}
}
