package house

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// rules are all there are.
var rules = []func(*tree) []finding{importFindings, budgetFindings, habitFindings}

func findings(t *tree) []finding {
	var all []finding
	for _, rule := range rules {
		all = append(all, rule(t)...)
	}
	return all
}

func TestTheHouseIsInOrder(t *testing.T) {
	used := make([]bool, len(exceptions))
	for _, f := range findings(theTree(t)) {
		i := slices.IndexFunc(exceptions, func(e exception) bool { return e.rule == f.rule && e.where == f.where })
		if i < 0 {
			t.Error(f)
			continue
		}
		used[i] = true
	}
	for i, e := range exceptions {
		if !used[i] {
			t.Errorf("the exception of %s from %q is not needed any more: remove it", e.where, e.rule)
		}
		if len(strings.Fields(e.reason)) < 5 {
			t.Errorf("the exception of %s from %q gives no reason", e.where, e.rule)
		}
	}
}

// The map of the architecture names every package.
func TestTheArchitectureNamesEveryPackage(t *testing.T) {
	page := readPage(t, "ARCHITECTURE.md")
	named := map[string]bool{}
	for s := range theTree(t).product {
		if !named[s.pkg] && !strings.Contains(page, path.Base(s.pkg)+"/") {
			t.Errorf("ARCHITECTURE.md does not name %s", s.pkg)
		}
		named[s.pkg] = true
	}
}

// Each rule finds what it is for, and leaves alone what only looks like it.
func TestRulesFindWhatTheyAreFor(t *testing.T) {
	long := strings.Repeat("\n", 700)
	body := strings.Repeat("\t_ = 0\n", 90)
	tests := []struct {
		name, path, text string
		want             string // rule and place; "" for none
	}{
		{"a pure package imports a domain", "internal/card/x.go", `import "ccms/internal/login"`, "import rule 1 internal/card -> internal/login"},
		{"a pure package imports problem", "internal/card/x.go", `import "ccms/internal/problem"`, ""},
		{"config imports a part of itself", "internal/config/x.go", `import "ccms/internal/config/flat"`, ""},
		{"the public package imports a pure one", "client/x.go", `import "ccms/internal/problem"`, "import rule 1 client -> internal/problem"},
		{"the public package imports a library", "client/x.go", `import "golang.org/x/oauth2"`, "import rule 1 client -> golang.org/x/oauth2"},
		{"the public package imports the standard library", "client/x.go", `import "net/http"`, ""},
		{"the registry imports the server", "internal/eureka/registry/x.go", `import "ccms/internal/httpserver"`, ""},
		{"a domain opens a store itself", "internal/login/x.go", `import "ccms/internal/store/sqlitestore"`, "import rule 2 internal/login -> internal/store/sqlitestore"},
		{"a test opens a store itself", "internal/login/x_test.go", `import "ccms/internal/store/sqlitestore"`, ""},
		{"the chassis opens a store", "internal/boot/chassis/x.go", `import "ccms/internal/store/sqlitestore"`, ""},
		{"a domain reads settings", "internal/login/x.go", `import "ccms/internal/config"`, "import rule 2 internal/login -> internal/config"},
		{"a domain starts another service", "internal/login/x.go", `import "ccms/internal/boot"`, "import rule 2 internal/login -> internal/boot"},
		{"main knows a domain", "cmd/ccms/x.go", `import "ccms/internal/login"`, "import rule 2 cmd/ccms -> internal/login"},
		{"a domain imports another", "internal/creditcard/x.go", `import "ccms/internal/login"`, "import rule 3 internal/creditcard -> internal/login"},
		{"a domain imports a part of another", "internal/portal/x.go", `import "ccms/internal/login/x"`, "import rule 3 internal/portal -> internal/login/x"},
		{"a domain imports a part of itself", "internal/login/x.go", `import "ccms/internal/login/x"`, ""},
		{"the vault speaks HTTP", "internal/vault/x.go", `import "net/http"`, "import rule 4 internal/vault -> net/http"},
		{"a driver speaks HTTP", "internal/store/mongostore/x.go", `import "net/http/httptrace"`, "import rule 4 internal/store/mongostore -> net/http/httptrace"},
		{"a key service speaks HTTP", "internal/vault/keyring/transit/x.go", `import "net/http"`, ""},
		{"the keyring logs", "internal/vault/keyring/x.go", `import "log/slog"`, "import rule 5 internal/vault/keyring -> log/slog"},
		{"a name that says nothing", "internal/util/x.go", "", "import rule 6 internal/util"},
		{"a long file", "internal/x/x.go", long, "file size internal/x/x.go"},
		{"a long test", "internal/x/x_test.go", long, ""},
		{"a long function", "internal/x/x.go", "func F() {\n" + body + "}", "function size internal/x.F"},
		{"five parameters", "internal/x/x.go", "func (T[K]) F(a, b, c int, d, e string) {}", "parameters internal/x.T.F"},
		{"four parameters", "internal/x/x.go", "func (T[K]) F(a, b, c int, d string) {}", ""},
		{"a wide interface", "internal/x/x.go", "type I interface { A(); B(); C(); D(); E(); F() }", "interface size internal/x.I"},
		{"an interface of five", "internal/x/x.go", "type I interface { A(); B(); C(); D(); E() }", ""},
		{"an init function", "internal/x/x.go", "func init() {}", "no init internal/x.init"},
		{"a method named init", "internal/x/x.go", "func (T) init() {}", ""},
		{"a package variable", "internal/x/x.go", "var count int", "package variable internal/x.count"},
		{"a map to fill", "internal/x/x.go", "var cache = make(map[string]int)", "package variable internal/x.cache"},
		{"a lock", "internal/x/x.go", "var mu = sync.NewCond(nil)", "package variable internal/x.mu"},
		{"an error", "internal/x/x.go", `var ErrX = errors.New("x")`, ""},
		{"a table", "internal/x/x.go", `var table = map[string]int{"a": 1}`, ""},
		{"an assertion", "internal/x/x.go", "var _ I = (*T)(nil)", ""},
		{"an embedded file", "internal/x/x.go", "//go:embed x.json\nvar data []byte", ""},
		{"a sleeping test", "internal/x/x_test.go", "func f() { time.Sleep(1) }", "sleep in a test internal/x/x_test.go"},
		{"a test in a bubble", "internal/x/x_test.go", "func f() { synctest.Test(t, func(t *testing.T) { time.Sleep(1) }) }", ""},
		{"a test in a helper's bubble", "internal/x/x_test.go", "func f() { in(func() { time.Sleep(1) }) }\nfunc in(f func()) { synctest.Test(t, f) }", ""},
		{"a helper in a bubble", "internal/x/x_test.go", "func f() { synctest.Test(t, func(t *testing.T) { g() }) }\nfunc g() { time.Sleep(1) }", ""},
		{"a helper in and out of a bubble", "internal/x/x_test.go", "func f() { synctest.Test(t, func(t *testing.T) { g() }) }\nfunc g() { time.Sleep(1) }\nfunc h() { g() }", "sleep in a test internal/x/x_test.go"},
		{"a skipped test", "internal/x/x_test.go", "func f() { t.Skip() }", "skipped test internal/x/x_test.go"},
		{"a secret as text", "internal/x/x.go", "func f() { _ = string(s.Reveal()) }", "secret as text internal/x.f"},
		{"a secret printed", "internal/x/x.go", "func f() { fmt.Sprint(s.key.Reveal()) }", "secret as text internal/x.f"},
		{"a secret handed on", "internal/x/x.go", "func f() { use(s.Reveal()) }", ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			pkg := strings.Split(tc.path, "/")
			name := pkg[len(pkg)-2]
			all, err := readTree(fstest.MapFS{tc.path: {Data: fmt.Appendf(nil, "// Package %s is for a test.\npackage %s\n%s\n", name, name, tc.text)}})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range findings(all) {
				got = append(got, f.rule+" "+f.where)
			}
			if tc.want == "" && got != nil || tc.want != "" && !slices.Contains(got, tc.want) {
				t.Errorf("found %q, want %q", got, tc.want)
			}
		})
	}
}

func TestAPackageWithoutCommentOrTooLargeIsFound(t *testing.T) {
	all, err := readTree(fstest.MapFS{
		"internal/x/a.go":           {Data: []byte("package x\n" + strings.Repeat("\n", 599))},
		"internal/x/b.go":           {Data: []byte("// A comment of another kind.\npackage x\n" + strings.Repeat("\n", 590))},
		"internal/x/c.go":           {Data: []byte("package x\n" + strings.Repeat("\n", 590))},
		"internal/x/d.go":           {Data: []byte("// Code generated by x. DO NOT EDIT.\n\npackage x\n" + strings.Repeat("\n", 5000))},
		"internal/x/testdata/e.go":  {Data: []byte("no Go")},
		"cmd/x/main.go":             {Data: []byte("// Command x is one.\npackage main\n")},
		"internal/y/only_x_test.go": {Data: []byte("// Package y has tests only.\npackage y\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range findings(all) {
		got = append(got, f.rule+" "+f.where)
	}
	if want := []string{"package size internal/x", "package comment internal/x"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}
