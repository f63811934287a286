package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const page = "../../docs/scale.md"

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestThePageHasWhatTheProgramPrints(t *testing.T) {
	text := read(t, page)
	for _, table := range tables() {
		want, err := table.into(text)
		if err != nil {
			t.Fatal(err)
		}
		if want != text {
			t.Errorf("the table %s is another: go run ./scripts/scale -w docs/scale.md", table.name)
		}
	}
}

func TestTheModelMeetsWhatWasMeasured(t *testing.T) {
	performance := strings.ReplaceAll(read(t, "../../docs/performance.md"), ",", "")
	for _, p := range measured() {
		if off := p.model()/p.rate - 1; math.Abs(off) > .2 {
			t.Errorf("%s with %d clients is off by %.0f percent", p.route, p.clients, 100*off)
		}
		if row := " | " + number(p.rate) + " | "; !strings.Contains(performance, strings.ReplaceAll(row, ",", "")) {
			t.Errorf("%s with %d clients: docs/performance.md has no rate of %s", p.route, p.clients, number(p.rate))
		}
	}
}

func TestTheMixIsWhole(t *testing.T) {
	sum := 0.0
	for _, s := range mix() {
		sum += s.part
	}
	if math.Abs(sum-1) > 1e-9 {
		t.Errorf("its parts make %v", sum)
	}
}

// TestNothingElseIsUnique would break if a collection got another unique field:
// then it can no longer be sharded by _id, which docs/scale.md says it can.
func TestNothingElseIsUnique(t *testing.T) {
	var got []string
	err := filepath.WalkDir("../../internal", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/internal/store/") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if kv, ok := n.(*ast.KeyValueExpr); ok {
				if name, ok := kv.Key.(*ast.Ident); ok && name.Name == "Unique" {
					got = append(got, filepath.Base(filepath.Dir(path)))
				}
			}
			return true
		})
		return nil
	})
	slices.Sort(got)
	if want := []string{"customer", "firmcard", "link"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("collections with unique fields are those of %v, want %v: see docs/scale.md, Shards (%v)", got, want, err)
	}
}

func TestWritesThatWaitShareACommit(t *testing.T) {
	c := new(clock)
	j := &journal{clock: c, on: &cores{clock: c, free: 1}, base: 10, each: 1, sync: 100, calls: 1}
	done := 0
	for range 50 {
		j.write(func() { done++ })
	}
	c.run(161)
	if done != 50 || j.n != 1 || c.now != 161 {
		t.Errorf("%d documents in %d goes", done, j.n)
	}
}

func TestAChainHasOneDocumentUnderWay(t *testing.T) {
	c := new(clock)
	writes, under, done := 0, 0, 0
	log := &chain{clock: c, write: func(then func()) {
		if writes, under = writes+1, under+1; under > 1 {
			t.Error("two at a time")
		}
		c.in(5, func() { under--; then() })
	}}
	for range 1 + 300 { // the first alone, then 256, then the rest
		log.record(func() { done++ })
	}
	log.outcome() // goes with the last
	c.run(1e6)
	if done != 301 || writes != 3 {
		t.Errorf("%d records in %d documents", done, writes)
	}
}
