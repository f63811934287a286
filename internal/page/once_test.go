package page_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"ccms/internal/page"
	"ccms/internal/secret"
)

// TestASecretIsShownOnceAndWhereItBelongs would fail if a secret were missing,
// stood twice, or if somebody's text could take its place.
func TestASecretIsShownOnceAndWhereItBelongs(t *testing.T) {
	set, err := page.Parse(fstest.MapFS{
		"one.html":    {Data: []byte(`{{define "main"}}<p>{{.Data}}</p>{{template "box"}}{{end}}`)},
		"_parts.html": {Data: []byte(`{{define "box"}}<code>{{once}}</code>{{end}}`)},
	}, "http://localhost:5000")
	if err != nil {
		t.Fatal(err)
	}
	show := func(text string) (string, error) {
		w := httptest.NewRecorder()
		once := secret.NewString(text)
		defer once.Wipe()
		err := set.Render(w, 200, "one.html", page.View{Title: "One", Data: "<!--once-->", Once: once})
		return w.Body.String(), err
	}
	got, err := show("ccms_secret_x")
	if err != nil || strings.Count(got, "ccms_secret_x") != 1 || !strings.Contains(got, "<code>ccms_secret_x</code>") {
		t.Errorf("%v: %s", err, got)
	}
	if !strings.Contains(got, "<p>&lt;!--once--&gt;</p>") {
		t.Error("a person's text took the place of the secret")
	}
	if got, err := show("<b>"); err == nil {
		t.Errorf("markup is shown as a secret: %s", got)
	}
}
