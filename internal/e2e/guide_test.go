package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// block is the first block of code below a heading of the firms' guide.
func block(t *testing.T, heading, language string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/firms.md")
	if err != nil {
		t.Fatal(err)
	}
	_, below, _ := strings.Cut(string(text), "\n"+heading+"\n")
	_, code, _ := strings.Cut(below, "\n```"+language+"\n")
	code, _, ok := strings.Cut(code, "\n```\n")
	if !ok {
		t.Fatalf("docs/firms.md has no %s below %q", language, heading)
	}
	return code + "\n"
}

// TestTheQuickStartsOfTheFirmsGuideWork runs what the guide shows, as it stands
// there; peers/firms-guide runs its other languages.
func TestTheQuickStartsOfTheFirmsGuideWork(t *testing.T) {
	t.Parallel()
	p := start(t, "--log.level", "warn")
	dir := t.TempDir()
	if err := os.Symlink(p.dir, filepath.Join(dir, "ccms-data")); err != nil {
		t.Fatal(err)
	}
	// The program is built here, where the module is, and run there.
	source, program := filepath.Join(dir, "quickstart.go"), filepath.Join(dir, "quickstart")
	if err := os.WriteFile(source, []byte(block(t, "### Go", "go")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	environment := block(t, "## Quick start", "sh") + "export CCMS_URL=" + p.Portal + "\n"
	for name, script := range map[string]string{"curl": block(t, "### curl", "sh"), "Go": "exec ./quickstart"} {
		t.Run(name, func(t *testing.T) {
			command := exec.CommandContext(t.Context(), "sh", "-euc", environment+script)
			command.Dir = dir
			if out, err := command.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "verified Visa 1111" {
				t.Errorf("%v, printed %q", err, out)
			}
		})
	}
}
