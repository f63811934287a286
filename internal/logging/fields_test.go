package logging

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// written are the fields that the handlers write, so that nobody else names
// them.
var written = []string{"@timestamp", "log.level", "message"}

func names() []string {
	var all []string
	for _, f := range slices.Concat(ECS(), Own()) {
		all = append(all, f.Name)
	}
	return all
}

// TestEveryKeyInTheTreeIsAField reads every log call of the product.
func TestEveryKeyInTheTreeIsAField(t *testing.T) {
	known, used := names(), map[string]bool{}
	for file := range sources(t) {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for n := range ast.Preorder(f) {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				continue
			}
			for _, k := range keys(call) {
				name, err := strconv.Unquote(types.ExprString(k))
				switch {
				case err != nil:
					t.Errorf("%s: the key %s is no constant text", fset.Position(k.Pos()), types.ExprString(k))
				case !slices.Contains(known, name):
					t.Errorf("%s: %q is neither an ECS field nor one of ours: see internal/logging/fields.go", fset.Position(k.Pos()), name)
				}
				used[name] = true
			}
		}
	}
	for _, name := range known {
		if !used[name] && !slices.Contains(written, name) {
			t.Errorf("nothing logs %s any more: take it out of the list", name)
		}
	}
	if len(used) < 10 {
		t.Errorf("only %d keys found: the search is blind", len(used))
	}
}

// sources yields every Go file of the product.
func sources(t *testing.T) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, root := range []string{"../../cmd", ".."} {
			err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.Name() == "testdata" && d.IsDir() {
					return fs.SkipDir
				}
				if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") && !yield(path) {
					return fs.SkipAll
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// messageAt says where the message of a method stands; keys follow it.
var messageAt = map[string]int{
	"With": -1, "Debug": 0, "Info": 0, "Warn": 0, "Error": 0,
	"DebugContext": 1, "InfoContext": 1, "WarnContext": 1, "ErrorContext": 1, "Log": 2,
}

// keys are the keys among the arguments of a call, if it is one of slog's.
func keys(call *ast.CallExpr) []ast.Expr {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return nil
	}
	receiver := strings.ToLower(types.ExprString(method.X))
	if receiver == "slog" && slices.Contains([]string{"String", "Int", "Int64", "Uint64", "Float64", "Bool", "Time", "Duration", "Any", "Group"}, method.Sel.Name) {
		return call.Args[:1]
	}
	at, ok := messageAt[method.Sel.Name]
	if !ok || !strings.Contains(receiver, "log") || at >= len(call.Args) || call.Ellipsis.IsValid() {
		return nil
	}
	var all []ast.Expr
	for rest := call.Args[at+1:]; len(rest) > 0; {
		if attr, ok := rest[0].(*ast.CallExpr); ok && strings.HasPrefix(types.ExprString(attr.Fun), "slog.") {
			rest = rest[1:] // found by itself
			continue
		}
		all = append(all, rest[0])
		rest = rest[min(2, len(rest)):]
	}
	return all
}

func TestTheListsAreInOrder(t *testing.T) {
	for what, list := range map[string][]Field{"ECS": ECS(), "Own": Own()} {
		byName := func(a, b Field) int { return strings.Compare(a.Name, b.Name) }
		if !slices.IsSortedFunc(list, byName) || len(slices.CompactFunc(slices.Clone(list), func(a, b Field) bool { return a.Name == b.Name })) != len(list) {
			t.Errorf("%s is not sorted, or names a field twice", what)
		}
	}
	for _, f := range Own() {
		if f.Doc == "" || !regexp.MustCompile(`^(ccms|eureka)\.|^http\.route$`).MatchString(f.Name) {
			t.Errorf("%s needs a sentence and a name space of ours", f.Name)
		}
	}
}

func TestTheGuideNamesEveryField(t *testing.T) {
	b, err := os.ReadFile("../../docs/logs.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range slices.Concat(ECS(), Own()) {
		row := "| `" + f.Name + "` | " + string(f.Type) + " |"
		if f.Doc != "" {
			row += " " + f.Doc + " |"
		}
		if !strings.Contains(string(b), row) {
			t.Errorf("docs/logs.md lacks: %s", row)
		}
	}
}
