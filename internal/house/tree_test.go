package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// module is the path of our module, and of cmd and internal below it.
const module = "ccms/"

// A source is one parsed file.
type source struct {
	path      string // "internal/card/number.go"
	pkg       string // "internal/card"
	test      bool   // a _test file, or one of a package that only tests import
	generated bool
	lines     int
	ast       *ast.File
}

// A finding is one place where a rule is broken.
type finding struct {
	rule  string
	where string // a package, a file or a function: what an exception names
	text  string
}

// A tree is all the source there is.
type tree struct {
	fset    *token.FileSet
	sources []*source
}

// onlyTests are packages for tests that are no _test files, so that several
// packages can share them.
var onlyTests = []string{"internal/house", "internal/e2e", "internal/store/storetest"}

// skipped folders hold no source of ours.
var skipped = []string{"testdata", "node_modules", "bin", "dist", "target", "ccms-data"}

// readTree parses every Go file of fsys.
func readTree(fsys fs.FS) (*tree, error) {
	t := &tree{fset: token.NewFileSet()}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || slices.Contains(skipped, d.Name())):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(t.fset, name, b, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		pkg := path.Dir(name)
		t.sources = append(t.sources, &source{
			path: name, pkg: pkg, ast: f, generated: ast.IsGenerated(f),
			test:  strings.HasSuffix(name, "_test.go") || slices.ContainsFunc(onlyTests, func(p string) bool { return within(pkg, p) }),
			lines: strings.Count(string(b), "\n"),
		})
		return nil
	})
	return t, err
}

// product yields what is neither test nor generated.
func (t *tree) product(yield func(*source) bool) {
	for _, s := range t.sources {
		if !s.test && !s.generated && !yield(s) {
			return
		}
	}
}

func (t *tree) line(p token.Pos) int { return t.fset.Position(p).Line }

// imports are the paths a file imports.
func (s *source) imports() []string {
	paths := make([]string, 0, len(s.ast.Imports))
	for _, i := range s.ast.Imports {
		p, _ := strconv.Unquote(i.Path.Value) // the parser has checked it
		paths = append(paths, p)
	}
	return paths
}

// functions yields the functions of a file with their names as exceptions give
// them: internal/card.Parse, internal/card.Number.Wipe.
func (s *source) functions(yield func(string, *ast.FuncDecl) bool) {
	for _, d := range s.ast.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		name := f.Name.Name
		if f.Recv != nil && len(f.Recv.List) > 0 {
			name = receiver(f.Recv.List[0].Type) + "." + name
		}
		if !yield(s.pkg+"."+name, f) {
			return
		}
	}
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}

// within reports whether pkg is root or below it.
func within(pkg, root string) bool { return pkg == root || strings.HasPrefix(pkg, root+"/") }

// called gives the package and name of a call PKG.NAME(…).
func called(c *ast.CallExpr) (pkg, name string) {
	s, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		if id, ok := c.Fun.(*ast.Ident); ok {
			return "", id.Name
		}
		return "?", "?"
	}
	if id, ok := s.X.(*ast.Ident); ok {
		return id.Name, s.Sel.Name
	}
	return "?", s.Sel.Name
}

// root is the repository.
func root() fs.FS { return os.DirFS("../..") }

// wholeTree is read once for all tests.
var wholeTree = sync.OnceValues(func() (*tree, error) { return readTree(root()) })

func theTree(t *testing.T) *tree {
	t.Helper()
	all, err := wholeTree()
	if err != nil {
		t.Fatal(err)
	}
	if len(all.sources) < 50 {
		t.Fatalf("only %d files found: the test looks in the wrong place", len(all.sources))
	}
	return all
}

func (f finding) String() string { return fmt.Sprintf("%s: %s: %s", f.rule, f.where, f.text) }
