// Command scale simulates what docs/scale.md says of larger deployments, and
// prints its tables. With -w FILE it writes them into the page.
//
// machine.go is one machine as it was measured, by which the model is held;
// region.go what follows for many instances on a MongoDB, under assumptions
// that stand there by name. The engine (engine.go) lets events happen in order:
// cores that are busy, writes that share a journal, records that go in a chain.
// Its chance is the same in every run.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	page := flag.String("w", "", "page to write the tables into")
	flag.Parse()
	if err := run(*page); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(page string) error {
	if page == "" {
		for _, t := range tables() {
			fmt.Printf("%s\n\n%s\n", t.name, t.text)
		}
		return nil
	}
	b, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	text := string(b)
	for _, t := range tables() {
		if text, err = t.into(text); err != nil {
			return err
		}
	}
	return os.WriteFile(page, []byte(text), 0o644)
}

// into puts the table between its mark and the next empty line.
func (t *table) into(page string) (string, error) {
	mark := "<!-- scale: " + t.name + " -->\n"
	before, behind, ok := strings.Cut(page, mark)
	if !ok {
		return "", fmt.Errorf("there is no %s in the page", strings.TrimSpace(mark))
	}
	_, behind, _ = strings.Cut(behind, "\n\n")
	return before + mark + t.text + "\n" + behind, nil
}
