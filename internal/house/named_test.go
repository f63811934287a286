package house

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// namedTest is a test as pages name it: `creditcard.TestX`, where creditcard is
// the package below internal.
var namedTest = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)[A-Z][A-Za-z0-9_]*)`")

// missingTests lists the tests a page names that are nowhere, and how many it
// names.
func missingTests(t *tree, page string) (missing []string, named int) {
	there := map[string]bool{}
	for _, s := range t.sources {
		for name := range s.functions {
			there[name] = there[name] || strings.HasSuffix(s.path, "_test.go")
		}
	}
	for _, m := range namedTest.FindAllStringSubmatch(page, -1) {
		named++
		if name := "internal/" + m[1] + "." + m[2]; !there[name] && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	return missing, named
}

// TestEveryTestThatAPageNamesIsThere would fail if a page promised evidence that
// is not there, or that went.
func TestEveryTestThatAPageNamesIsThere(t *testing.T) {
	for page, least := range map[string]int{"docs/pci.md": 100, "docs/trust.md": 0, "docs/webhooks.md": 22} {
		missing, named := missingTests(theTree(t), readPage(t, page))
		for _, m := range missing {
			t.Errorf("%s names %s, which is not there", page, m)
		}
		if named < least {
			t.Errorf("%s names %d tests: the pattern does not find them", page, named)
		}
	}
}

func TestTestsThatAreNotThereAreFound(t *testing.T) {
	all, err := readTree(fstest.MapFS{
		"internal/x/x.go":      {Data: []byte("// Package x is for a test.\npackage x\nfunc TestNone() {}\n")},
		"internal/x/x_test.go": {Data: []byte("package x\nfunc TestOne() {}\nfunc FuzzTwo() {}\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	missing, named := missingTests(all, "`x.TestOne` `x.FuzzTwo` `x.TestNone` `x.TestGone`, `y.TestOne` `x.Testing`")
	if want := []string{"internal/x.TestNone", "internal/x.TestGone", "internal/y.TestOne"}; !slices.Equal(missing, want) || named != 5 {
		t.Errorf("%d named, missing %q, want %q", named, missing, want)
	}
}
