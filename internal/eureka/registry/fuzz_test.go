package registry_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"ccms/internal/eureka/registry"
)

// FuzzRequest sends what nobody would: no request may panic, be answered with
// another failure than the protocol's, or touch a reserved name.
func FuzzRequest(f *testing.F) {
	f.Add("PUT", "/eureka/apps/SVC/i", "status=UP&lastDirtyTimestamp=1", "*/*", "")
	f.Add("POST", "/eureka/v2/apps/svc/", "", "application/json;q=0", `{"instance":{"app":"svc"}}`)
	f.Add("PUT", "/eureka/apps/a%2fb/%/status", "value=UP", ",;=", "")
	f.Add("GET", "/eureka/vips/%zz", "x=%zz", "a/b;charset", "")
	f.Fuzz(func(t *testing.T, method, path, query, accept, body string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || !strings.HasPrefix(u.EscapedPath(), "/eureka") {
			return
		}
		u.RawQuery = query
		g := registry.New(registry.Config{Log: slog.New(slog.DiscardHandler)})
		for _, contentType := range []string{"application/json", "application/xml"} {
			r := &http.Request{
				Method: method, URL: u, Body: http.NoBody,
				Header: http.Header{"Accept": {accept}, "Accept-Encoding": {accept}, "Content-Type": {contentType}},
			}
			if body != "" {
				r = r.WithContext(t.Context())
				r.Body = http.MaxBytesReader(nil, readCloser{strings.NewReader(body)}, 1<<20)
			}
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			if w.Code > 500 || w.Code == 500 && !strings.Contains(u.Path, "/status") {
				t.Errorf("%s %s: %d", method, path, w.Code)
			}
		}
		for name := range g.Stats().Instances {
			if strings.EqualFold(u.Path, "/eureka/apps/login-service") {
				t.Errorf("a reserved name was registered: %s", name)
			}
		}
	})
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
