package house

import (
	"fmt"
	"go/ast"
	"maps"
	"slices"
	"strings"
)

// habitFindings looks for what is never written: init, state in package
// variables, a package without a comment, sleeps and skips in tests, secrets
// turned into plain text.
func habitFindings(t *tree) []finding {
	var all []finding
	documented, inBubble := map[string]bool{}, bubbles(t)
	for _, s := range t.sources {
		documented[s.pkg] = documented[s.pkg] || s.ast.Doc != nil && hasComment(s)
		if s.generated {
			continue
		}
		if s.test {
			all = append(all, testFindings(t, s, inBubble)...)
			continue
		}
		for name, f := range s.functions {
			if f.Recv == nil && f.Name.Name == "init" {
				all = append(all, finding{"no init", name, "let the caller call a function"})
			}
		}
		all = append(all, variableFindings(s)...)
		all = append(all, secretFindings(t, s)...)
	}
	for _, pkg := range slices.Sorted(maps.Keys(documented)) {
		if !documented[pkg] {
			all = append(all, finding{"package comment", pkg, "say what it owns, what it does not, and whom it hands off to"})
		}
	}
	return all
}

func hasComment(s *source) bool {
	text := s.ast.Doc.Text()
	return strings.HasPrefix(text, "Package "+s.ast.Name.Name+" ") || s.ast.Name.Name == "main" && strings.HasPrefix(text, "Command ")
}

// variableFindings tells state from constants that the language cannot write
// as const: errors, embedded files, assertions, compiled tables, expressions.
func variableFindings(s *source) []finding {
	var all []finding
	for _, d := range s.ast.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range decl.Specs {
			v, ok := spec.(*ast.ValueSpec)
			if !ok || decl.Tok.String() != "var" || embedded(decl.Doc) || embedded(v.Doc) {
				continue
			}
			for i, name := range v.Names {
				if name.Name == "_" || i < len(v.Values) && constant(v.Values[i]) {
					continue
				}
				all = append(all, finding{"package variable", s.pkg + "." + name.Name, "only errors, embeds, compiled tables and expressions: keep state in a struct"})
			}
		}
	}
	return all
}

func embedded(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// compilers make values that nobody changes afterwards. A function of the same
// package is taken for one too: its name says what it makes.
var compilers = []string{"errors.New", "fmt.Errorf", "problem.New", "MustCompile", "Must", "strings.NewReplacer",
	"FixedZone", "NewEncoding", "WithPadding", "Strict", "sync.OnceValue", "sync.OnceValues"}

func constant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CompositeLit, *ast.BasicLit:
		return true
	case *ast.SelectorExpr:
		return strings.HasPrefix(e.Sel.Name, "Err") // another package's error
	case *ast.CallExpr:
		switch pkg, name := called(e); pkg {
		case "":
			return name != "make" && name != "new"
		case "?":
			return slices.Contains(compilers, name)
		default:
			return slices.Contains(compilers, pkg+"."+name) || slices.Contains(compilers, name)
		}
	}
	return false
}

// testFindings looks for tests that wait for time to pass, or do not run. In a
// bubble of testing/synctest no time passes: there time.Sleep moves the clock.
func testFindings(t *tree, s *source, inBubble map[string]bool) []finding {
	var all []finding
	for name, f := range s.functions {
		for c := range calls(f) {
			at := fmt.Sprintf("line %d", t.line(c.Pos()))
			switch pkg, callee := called(c); {
			case pkg == "time" && callee == "Sleep" && !inBubble[name]:
				all = append(all, finding{"sleep in a test", s.path, "use testing/synctest or wait for a condition: " + at})
			case slices.Contains([]string{"t", "b", "tb", "f"}, pkg) && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, callee):
				all = append(all, finding{"skipped test", s.path, "a test runs everywhere or is not there: " + at})
			}
		}
	}
	return all
}

func calls(f *ast.FuncDecl) func(yield func(*ast.CallExpr) bool) {
	return func(yield func(*ast.CallExpr) bool) {
		for n := range ast.Preorder(f) {
			if c, ok := n.(*ast.CallExpr); ok && !yield(c) {
				return
			}
		}
	}
}

// bubbles names the functions of tests that run in a bubble of
// testing/synctest: those that open one or call a function that does, and
// those that only such functions call. Calls are told apart by name alone.
func bubbles(t *tree) map[string]bool {
	in, callers := map[string]bool{}, map[string][]string{}
	for _, s := range t.sources {
		for name, f := range s.functions {
			for c := range calls(f) {
				pkg, callee := called(c)
				in[name] = in[name] || pkg == "synctest"
				callers[s.pkg+"."+callee] = append(callers[s.pkg+"."+callee], name)
			}
		}
	}
	for opener, opens := range maps.Clone(in) {
		for _, caller := range callers[opener] {
			in[caller] = in[caller] || opens
		}
	}
	for again := true; again; {
		again = false
		for callee, by := range callers {
			if !in[callee] && !slices.ContainsFunc(by, func(c string) bool { return !in[c] }) {
				in[callee], again = true, true
			}
		}
	}
	return in
}

// secretFindings looks for string(x.Reveal()), a copy that nothing wipes, and
// for Reveal handed to what prints.
func secretFindings(t *tree, s *source) []finding {
	if within(s.pkg, "internal/config") || within(s.pkg, "internal/secret") {
		return nil // config's Reveal is of URLs and gives text
	}
	var all []finding
	for name, f := range s.functions {
		for n := range ast.Preorder(f) {
			c, ok := n.(*ast.CallExpr)
			if !ok || !prints(c) || !slices.ContainsFunc(c.Args, reveals) {
				continue
			}
			all = append(all, finding{"secret as text", name, fmt.Sprintf("%s:%d: pass bytes on, or wipe them", s.path, t.line(c.Pos()))})
		}
	}
	return all
}

func prints(c *ast.CallExpr) bool {
	pkg, name := called(c)
	return pkg == "" && name == "string" || pkg == "fmt" || pkg == "slog" || pkg == "log"
}

func reveals(e ast.Expr) bool {
	c, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	_, name := called(c)
	return name == "Reveal"
}
