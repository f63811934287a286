package page

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// english are texts that nobody but a firm's people and operators see.
var english = regexp.MustCompile(`^console\.`)

func languagesOf(t *testing.T) (en, ar map[string]string) {
	t.Helper()
	s := &Set{}
	if err := s.loadLanguages(); err != nil {
		t.Fatal(err)
	}
	return s.languages[0].texts, s.languages[1].texts
}

var placeholder = regexp.MustCompile(`\{\d\}`)

func TestBothLanguagesHaveEveryText(t *testing.T) {
	en, ar := languagesOf(t)
	for key, text := range en {
		other, ok := ar[key]
		if !ok {
			if !english.MatchString(key) {
				t.Errorf("%s is missing in Arabic", key)
			}
			continue
		}
		ours, theirs := placeholder.FindAllString(text, -1), placeholder.FindAllString(other, -1)
		slices.Sort(ours)
		slices.Sort(theirs)
		if strings.TrimSpace(other) == "" || !slices.Equal(slices.Compact(ours), slices.Compact(theirs)) {
			t.Errorf("%s takes %v in English and %v in Arabic", key, ours, theirs)
		}
	}
	for key := range ar {
		if _, ok := en[key]; !ok {
			t.Errorf("%s is missing in English", key)
		}
	}
}

// What asks for a text: {{.T "key"}} and {{$.T "key" …}} in pages, T("key"),
// View(r, "key") and views made by another name in Go.
var asks = regexp.MustCompile(`(?:\.T |\bT\(|View\(r, )"([a-z][\w.-]*)"`)

// TestEveryTextThatIsAskedForExists would fail when a page showed a key instead
// of a text.
func TestEveryTextThatIsAskedForExists(t *testing.T) {
	en, _ := languagesOf(t)
	found := 0
	for file, source := range sources(t) {
		for _, match := range asks.FindAllStringSubmatch(source, -1) {
			key := match[1]
			if strings.HasSuffix(key, ".") {
				continue // the beginning of one
			}
			found++
			if _, ok := en[key]; !ok {
				t.Errorf("%s asks for %q, which nobody has", file, key)
			}
		}
	}
	if found < 150 {
		t.Errorf("only %d texts are asked for: the search has gone blind", found)
	}
}

// sources are the pages and the Go files that may ask for a text.
func sources(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		ext := filepath.Ext(path)
		if err != nil || ext != ".html" && ext != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && (ext == ".html" || strings.Contains(string(b), "ccms/internal/page\"") || strings.Contains(string(b), "package page")) {
			all[path] = string(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
