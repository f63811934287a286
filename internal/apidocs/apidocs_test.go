package apidocs

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"go.uber.org/goleak"

	"ccms/internal/httpserver"
	"ccms/internal/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func services() []string { return []string{"eureka", "login", "creditcard", "portal"} }

// start serves the description of the login service; who is not local is
// refused by allow.
func start(t *testing.T, allow func(*http.Request) error) string {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	mux := httpserver.NewMux(log)
	New("login").Routes(mux, allow)
	s, err := httpserver.Listen(t.Context(), httpserver.Config{Name: "test", Addr: "127.0.0.1:0", Handler: mux, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		http.DefaultClient.CloseIdleConnections()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s.URL()
}

func get(t *testing.T, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

func TestThePageAndItsFilesAreServed(t *testing.T) {
	url := start(t, nil)
	tests := []struct {
		name, path, contentType, has string
		status                       int
	}{
		{"the document", "/v3/api-docs", "application/json; charset=utf-8", `"openapi":"3.1.0"`, 200},
		{"the page", "/swagger-ui.html", "text/html; charset=utf-8", `src="/swagger-ui/swagger-ui-bundle.js"`, 200},
		{"the page at springdoc's address", "/swagger-ui/index.html", "text/html; charset=utf-8", `src="/swagger-ui/start.js"`, 200},
		{"its script", "/swagger-ui/start.js", "text/javascript; charset=utf-8", "SwaggerUIBundle(", 200},
		{"Swagger UI", "/swagger-ui/swagger-ui-bundle.js", "text/javascript; charset=utf-8", "SwaggerUIBundle", 200},
		{"its style sheet", "/swagger-ui/swagger-ui.css", "text/css; charset=utf-8", ".swagger-ui", 200},
		{"its licence", "/swagger-ui/LICENSE.txt", "text/plain; charset=utf-8", "Apache License", 200},
		{"a file that is not there", "/swagger-ui/x.js", "application/json; charset=utf-8", "NOT_FOUND", 404},
		{"a packed file by its own name", "/swagger-ui/swagger-ui.css.gz", "application/json; charset=utf-8", "NOT_FOUND", 404},
		{"a file outside", "/swagger-ui/..%2Fdocuments%2Flogin.yaml", "application/json; charset=utf-8", "NOT_FOUND", 404},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			for _, header := range [][]string{nil, {"Accept-Encoding", "identity"}} { // nil: the client asks for gzip and unpacks
				res, body := get(t, url+tc.path, header...)
				if res.StatusCode != tc.status || res.Header.Get("Content-Type") != tc.contentType || !strings.Contains(body, tc.has) {
					t.Errorf("%d %s, %d bytes", res.StatusCode, res.Header.Get("Content-Type"), len(body))
				}
			}
		})
	}
}

func TestThePageLoadsNothingFromElsewhere(t *testing.T) {
	url := start(t, nil)
	res, body := get(t, url+"/swagger-ui.html")
	csp := res.Header.Get("Content-Security-Policy")
	for _, loose := range []string{"unsafe", "*", "http:", "https:", "sha256"} {
		if strings.Contains(csp, loose) {
			t.Errorf("the policy has %q: %s", loose, csp)
		}
	}
	if strings.Contains(body, "://") || strings.Contains(body, "<style") || strings.Contains(body, "onclick") {
		t.Errorf("the page is not self-contained:\n%s", body)
	}
}

func TestOtherPlacesMustBeAllowed(t *testing.T) {
	closed := start(t, nil)
	guarded := start(t, func(r *http.Request) error {
		if httpserver.Bearer(r) != "operator" {
			return problem.Denied("This path needs the scope actuator:read.")
		}
		return nil
	})
	forwarded := []string{"X-Forwarded-For", "192.0.2.1"}
	for _, path := range []string{"/v3/api-docs", "/swagger-ui.html", "/swagger-ui/start.js"} {
		if res, _ := get(t, closed+path, forwarded...); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s from elsewhere: %d", path, res.StatusCode)
		}
		if res, _ := get(t, guarded+path, forwarded...); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s without the scope: %d", path, res.StatusCode)
		}
		if res, _ := get(t, guarded+path, slices.Concat(forwarded, []string{"Authorization", "Bearer operator"})...); res.StatusCode != http.StatusOK {
			t.Errorf("%s with the scope: %d", path, res.StatusCode)
		}
	}
}

// TestDocumentsHoldTogether would fail if a document named a problem that the
// table lacks, a part that is nowhere, or one operation twice. Whether it is
// valid OpenAPI 3.1 is for make check.
func TestDocumentsHoldTogether(t *testing.T) {
	for _, service := range services() {
		t.Run(service, func(t *testing.T) {
			b, err := Document(service)
			if err != nil {
				t.Fatal(err)
			}
			var doc map[string]any
			if err := json.Unmarshal(b, &doc); err != nil {
				t.Fatal(err)
			}
			ids := map[string]bool{}
			walk(doc, func(key string, v any) {
				text, _ := v.(string)
				switch key {
				case "$ref":
					if !resolves(doc, text) {
						t.Errorf("%s leads nowhere", text)
					}
				case "operationId":
					if ids[text] {
						t.Errorf("operation %s is there twice", text)
					}
					ids[text] = true
				case problemsMember:
					t.Errorf("%s is served", problemsMember)
				}
			})
			if len(ids) < 10 {
				t.Errorf("only %d operations", len(ids))
			}
		})
	}
}

func walk(v any, see func(key string, v any)) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			see(key, value)
			walk(value, see)
		}
	case []any:
		for _, value := range v {
			walk(value, see)
		}
	}
}

func resolves(doc map[string]any, ref string) bool {
	var at any = doc
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		m, _ := at.(map[string]any)
		if at = m[name]; at == nil {
			return false
		}
	}
	return true
}

func TestAnUnknownServiceHasNoDocument(t *testing.T) {
	if _, err := Document("nobody"); err == nil {
		t.Error("a document came")
	}
}

func TestThePortalPassesNothingInternalOn(t *testing.T) {
	b, err := Document("portal")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "/internal/") || strings.Contains(string(b), "CCMS-Proof") {
		t.Error("the portal's document names what only services may call")
	}
	if !strings.Contains(string(b), `"/api/customer/creditcard/{creditCardNumber}/toggle"`) {
		t.Error("the portal's document lacks what it passes on")
	}
}

func BenchmarkDocument(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Document("portal"); err != nil {
			b.Fatal(err)
		}
	}
}
