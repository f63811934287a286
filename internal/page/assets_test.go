package page_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"ccms/internal/page"
)

func parse(t *testing.T) *page.Set {
	t.Helper()
	set, err := page.Parse(fstest.MapFS{"one.html": {Data: []byte(`{{define "main"}}{{with asset "card.js"}}{{.Integrity}}{{end}}{{end}}`)}}, "http://localhost:5000")
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// get asks h, which must succeed, and returns what it sends unpacked.
func get(t *testing.T, h func(http.ResponseWriter, *http.Request) error, encoding string) (http.Header, []byte) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	if err := h(w, r); err != nil {
		t.Fatal(err)
	}
	var body io.Reader = w.Body
	if w.Header().Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(w.Body); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Header(), b
}

// TestTheInventoryNamesEveryScriptAsItIs would fail if a script were changed,
// added or taken away without the inventory (PCI DSS 6.4.3): run go generate.
func TestTheInventoryNamesEveryScriptAsItIs(t *testing.T) {
	set := parse(t)
	_, body := get(t, set.Inventory, "")
	var inventory struct {
		Scripts []struct {
			File, Integrity, Owner, Reason string
			Bytes                          int
			Pages                          []string
		}
	}
	if err := json.Unmarshal(body, &inventory); err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, s := range inventory.Scripts {
		listed = append(listed, s.File)
		content, err := os.ReadFile(filepath.Join("assets", s.File))
		if err != nil || len(content) != s.Bytes {
			t.Errorf("%s: %v, %d bytes, listed %d", s.File, err, len(content), s.Bytes)
		}
		if s.Owner == "" || s.Reason == "" || len(s.Pages) == 0 {
			t.Errorf("%s has no reason", s.File)
		}
		shown, err := page.Parse(fstest.MapFS{"one.html": {Data: []byte(`{{define "main"}}{{with asset "` + s.File + `"}}{{.Integrity}}{{end}}{{end}}`)}}, "")
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		if err := shown.Render(w, 200, "one.html", page.View{}); err != nil || !strings.Contains(strings.ReplaceAll(w.Body.String(), "&#43;", "+"), s.Integrity) {
			t.Errorf("%s: pages name another content than the inventory: %v", s.File, err)
		}
	}
	files, err := filepath.Glob("assets/*.js")
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	if !slices.Equal(files, listed) {
		t.Errorf("there are %q, listed %q", files, listed)
	}
}

func TestTheLoaderIsForAnybodysPage(t *testing.T) {
	set := parse(t)
	for _, encoding := range []string{"", "gzip"} {
		h, body := get(t, set.Loader, encoding)
		want, err := os.ReadFile("assets/card-form.v1.js")
		if err != nil || string(body) != string(want) {
			t.Errorf("%q: other content, %v", encoding, err)
		}
		if h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Cross-Origin-Resource-Policy") != "cross-origin" || strings.Contains(h.Get("Cache-Control"), "immutable") {
			t.Errorf("%v", h)
		}
	}
}

// TestScriptsStaySmall holds every page to the budget of the card page: 20 KB of
// script as it travels.
func TestScriptsStaySmall(t *testing.T) {
	set := parse(t)
	_, body := get(t, set.Inventory, "")
	var inventory struct {
		Scripts []struct {
			File string
			Gzip int
		}
	}
	if err := json.Unmarshal(body, &inventory); err != nil {
		t.Fatal(err)
	}
	for _, s := range inventory.Scripts {
		if s.Gzip > 20_000 {
			t.Errorf("%s takes %d bytes", s.File, s.Gzip)
		}
	}
}
