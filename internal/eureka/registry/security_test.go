package registry_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"ccms/internal/eureka/registry"
	"ccms/internal/httpserver"
)

// Bodies made to grow in the reader are refused, and reading them takes a
// bounded amount of memory, whatever they claim to be.
func TestBombsAreRefusedInBoundedMemory(t *testing.T) {
	const limit = 1 << 20
	fill := func(head, unit, tail string) string {
		return head + strings.Repeat(unit, (limit-len(head)-len(tail))/len(unit)) + tail
	}
	var entities strings.Builder
	entities.WriteString(`<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">`)
	for c := 'b'; c < 'k'; c++ {
		fmt.Fprintf(&entities, `<!ENTITY %c "%s">`, c, strings.Repeat(fmt.Sprintf("&%c;", c-1), 10))
	}
	for _, c := range []struct{ name, contentType, body string }{
		{"a billion laughs", "application/xml", entities.String() + `]><instance><app>&j;</app></instance>`},
		{"an external entity", "application/xml", `<!DOCTYPE i [<!ENTITY x SYSTEM "file:///etc/hostname">]><instance><app>&x;</app></instance>`},
		{"a parameter entity", "application/xml", `<!DOCTYPE i [<!ENTITY % p SYSTEM "http://127.0.0.1:1/"> %p;]><instance/>`},
		{"deep XML", "application/xml", fill("", "<a>", "")},
		{"many elements", "application/xml", fill("<instance><app>SVC</app><metadata>", "<a/>", "</metadata></instance>")},
		{"many attributes", "application/xml", fill("<instance", ` a=""`, "></instance>")},
		{"deep arrays", "application/json", fill(`{"instance":{"app":"SVC","x":`, "[", "")},
		{"deep objects", "application/json", fill(`{"instance":`, `{"a":`, "")},
		{"many members", "application/json", fill(`{"instance":{"app":"SVC"`, `,"a":0`, "}}")},
		{"many values", "application/json", fill(`{"instance":{"app":"SVC","x":[0`, ",0", "]}}")},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := registry.New(registry.Config{Log: slog.New(slog.DiscardHandler)})
			send := func() int {
				r := httptest.NewRequest("POST", "/eureka/apps/SVC", strings.NewReader(c.body))
				r.Header.Set("Content-Type", c.contentType)
				w := httptest.NewRecorder()
				g.ServeHTTP(w, r)
				return w.Code
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			status := send()
			runtime.ReadMemStats(&after)
			if status != http.StatusBadRequest {
				t.Errorf("answered %d", status)
			}
			if taken := after.TotalAlloc - before.TotalAlloc; taken > 24<<20 {
				t.Errorf("took %d MiB", taken>>20)
			}
		})
	}
}

// The same for batches, packed and not.
func TestABatchIsReadInBoundedMemory(t *testing.T) {
	g := registry.New(registry.Config{Log: slog.New(slog.DiscardHandler)})
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for range 64 {
		_, _ = z.Write(make([]byte, 1<<20))
	}
	z.Close()
	for name, body := range map[string]string{
		"unpacks to 64 MiB": packed.String(),
		"a million items":   `{"replicationList":[{}` + strings.Repeat(",{}", 1_000_000) + `]}`,
		"deep":              `{"replicationList":` + strings.Repeat("[", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("POST", batchPath, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			if name == "unpacks to 64 MiB" {
				r.Header.Set("Content-Encoding", "gzip")
			}
			w := httptest.NewRecorder()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			g.ServeHTTP(w, r)
			runtime.ReadMemStats(&after)
			if w.Code != http.StatusBadRequest && w.Code != http.StatusRequestEntityTooLarge {
				t.Errorf("answered %d", w.Code)
			}
			if taken := after.TotalAlloc - before.TotalAlloc; taken > 128<<20 {
				t.Errorf("took %d MiB", taken>>20)
			}
		})
	}
}

// The registry behind the product's own listener: floods of headers, and hosts
// it does not go by.
func TestAFloodOfHeadersIsRefused(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	mux := httpserver.NewMux(log)
	registry.New(registry.Config{Log: log}).Routes(mux)
	srv, err := httpserver.Listen(t.Context(), httpserver.Config{Name: "eureka", Addr: "127.0.0.1:0", Handler: mux, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(serveUntilEnd(t, srv))
	s := &rest{t: t, url: srv.URL()}
	s.want(http.StatusOK, "GET", "/eureka/apps", "")
	flood := []string{}
	for i := range 200 {
		flood = append(flood, fmt.Sprint("X-Flood-", i), strings.Repeat("x", 150))
	}
	s.want(http.StatusRequestHeaderFieldsTooLarge, "GET", "/eureka/apps", "", flood...)
	s.want(http.StatusRequestHeaderFieldsTooLarge, "PUT", "/eureka/apps/A/b", "", "X-Long", strings.Repeat("x", 20<<10))
}

// T9 over the wire: a peer's heartbeat, one by one as it was before batches.
func TestAPeersHeartbeatMayBeAnsweredWithTheNewerInstance(t *testing.T) {
	s := serve(t, registry.Config{})
	s.register("SVC", "i", `"lastDirtyTimestamp":"5"`)
	replica := []string{"x-netflix-discovery-replication", "true", "Accept", "application/json"}
	got := s.want(http.StatusConflict, "PUT", "/eureka/apps/SVC/i?lastDirtyTimestamp=4", "", replica...)
	if !strings.HasPrefix(got.body, `{"instance":{"instanceId":"i"`) || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("%v %s", got.header, got.body)
	}
	got = s.want(http.StatusConflict, "PUT", "/eureka/apps/SVC/i?lastDirtyTimestamp=4", "", "x-netflix-discovery-replication", "TRUE")
	if !strings.HasPrefix(got.body, "<instance>") {
		t.Error(got.body)
	}
	s.want(http.StatusOK, "PUT", "/eureka/apps/SVC/i?lastDirtyTimestamp=4", "")
	s.want(http.StatusNotFound, "PUT", "/eureka/apps/SVC/i?lastDirtyTimestamp=6", "", replica...)
}

func TestReadingsAreCounted(t *testing.T) {
	s := serve(t, registry.Config{})
	s.register("SVC", "i")
	v := s.apps("/apps").Version
	s.apps("/apps/delta")
	s.apps("/vips/x")
	s.instance("SVC", "i")
	s.want(http.StatusNotModified, "GET", fmt.Sprint("/eureka/apps?since=", v), "")
	s.apps(fmt.Sprint("/apps/delta?since=", v-1))
	all, waiting := s.reg.Traffic()
	for _, f := range all {
		if f.Answers != 1 || (f.Bytes > 0) == (f.Kind == "unchanged") {
			t.Errorf("%+v", f)
		}
	}
	if waiting != 0 {
		t.Errorf("%d wait", waiting)
	}
}

// serveUntilEnd runs a listener and returns what stops it.
func serveUntilEnd(t *testing.T, srv *httpserver.Server) func() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	return func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
