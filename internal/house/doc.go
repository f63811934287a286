// Package house keeps the house in order: it holds tests only. They read the
// source of every package and enforce the import rules of ARCHITECTURE.md and
// the budgets and habits of CONTRIBUTING.md, and follow the links of every
// page. A rule that must be broken once is broken by a row in exceptions_test.go
// that says why; a row that nothing needs any more fails too.
//
// What is counted: a file's and a package's lines are all lines of files that
// are neither test nor generated. A function's are those from its first line to
// its closing brace. Parameters are all but the receiver, the context included.
// An interface embedded in another counts as one method.
package house
