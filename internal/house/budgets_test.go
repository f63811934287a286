package house

import (
	"fmt"
	"go/ast"
	"maps"
	"slices"
)

// The budgets of CONTRIBUTING.md.
const (
	maxFileLines    = 600
	maxFuncLines    = 80
	maxParameters   = 4
	maxMethods      = 5
	maxPackageLines = 1500
)

// budgetFindings measures files, packages, functions and interfaces.
func budgetFindings(t *tree) []finding {
	var all []finding
	lines := map[string]int{}
	for s := range t.product {
		lines[s.pkg] += s.lines
		if s.lines > maxFileLines {
			all = append(all, finding{"file size", s.path, fmt.Sprintf("%d lines, at most %d", s.lines, maxFileLines)})
		}
		for name, f := range s.functions {
			if n := t.line(f.End()) - t.line(f.Pos()); n > maxFuncLines {
				all = append(all, finding{"function size", name, fmt.Sprintf("%d lines, at most %d", n, maxFuncLines)})
			}
			if n := f.Type.Params.NumFields(); n > maxParameters {
				all = append(all, finding{"parameters", name, fmt.Sprintf("%d, at most %d: make it a struct", n, maxParameters)})
			}
		}
		all = append(all, interfaceFindings(s)...)
	}
	for _, pkg := range slices.Sorted(maps.Keys(lines)) {
		if n := lines[pkg]; n > maxPackageLines {
			all = append(all, finding{"package size", pkg, fmt.Sprintf("%d lines, at most %d", n, maxPackageLines)})
		}
	}
	return all
}

func interfaceFindings(s *source) []finding {
	var all []finding
	for n := range ast.Preorder(s.ast) {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			continue
		}
		if i, ok := spec.Type.(*ast.InterfaceType); ok && i.Methods.NumFields() > maxMethods {
			all = append(all, finding{"interface size", s.pkg + "." + spec.Name.Name, fmt.Sprintf("%d methods, at most %d", i.Methods.NumFields(), maxMethods)})
		}
	}
	return all
}
