package page_test

import (
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"ccms/internal/page"
)

// TestBrowsersAreToldToStayWithHTTPS would fail if a site over HTTPS could be
// opened in the clear, or if one in the clear locked people out.
func TestBrowsersAreToldToStayWithHTTPS(t *testing.T) {
	pages := fstest.MapFS{"one.html": {Data: []byte(`{{define "main"}}one{{end}}`)}}
	for publicURL, want := range map[string]string{
		"https://cards.example":      "max-age=31536000",
		"https://cards.example:8443": "max-age=31536000",
		"https://localhost:5000":     "max-age=300",
		"http://localhost:5000":      "",
		"http://cards.example":       "",
	} {
		set, err := page.Parse(pages, publicURL)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		if err := set.Render(w, 200, "one.html", page.View{Title: "One"}); err != nil {
			t.Fatal(err)
		}
		if got := w.Header().Get("Strict-Transport-Security"); got != want {
			t.Errorf("%s: %q, want %q", publicURL, got, want)
		}
	}
}
