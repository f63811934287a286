package e2e

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheOperatorsGuidesWork runs what docs/operators.md and docs/backup.md tell
// operators to do: their blocks of "sh run", one after the other, beside a server.
func TestTheOperatorsGuidesWork(t *testing.T) {
	for page, least := range map[string]int{"operators.md": 5, "backup.md": 6} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			p, err := up(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer p.kill()
			signUp(t, newClient(t), p, "you") // the one who becomes an operator
			if n := runGuide(t, p, page); n < least {
				t.Fatalf("found %d blocks", n)
			}
			res, err := http.Get(p.Login + "/actuator/prometheus")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if text, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(text), "\n"+backupMetric+" ") {
				t.Errorf("the backup does not show as %s (%v)", backupMetric, err)
			}
			if err := p.stop(); err != nil {
				t.Errorf("the server afterwards: %v", err)
			}
		})
	}
}

// runGuide runs the blocks of a page and returns how many it has.
func runGuide(t *testing.T, p *process, page string) int {
	t.Helper()
	guide, err := os.ReadFile("../../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Symlink(binary, filepath.Join(folder, "ccms")); err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^ *```sh run\n(.*?)^ *```$").FindAllStringSubmatch(string(guide), -1)
	for _, b := range blocks {
		sh := exec.CommandContext(t.Context(), "sh", "-eu", "-c", b[1])
		sh.Dir = folder
		sh.Env = append(os.Environ(), "CCMS_DATA="+p.dir, "PATH="+folder+string(filepath.ListSeparator)+os.Getenv("PATH"))
		if out, err := sh.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s\n%s", err, b[1], out)
		}
	}
	return len(blocks)
}

// TestWhatToDoAboutAnAlertIsWritten holds the incidents of the operators' guide
// against the alerts.
func TestWhatToDoAboutAnAlertIsWritten(t *testing.T) {
	rules, err := os.ReadFile("../../deploy/monitoring/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("../../docs/operators.md")
	if err != nil {
		t.Fatal(err)
	}
	alerts := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(string(rules), -1)
	if len(alerts) < 10 {
		t.Fatalf("found %d alerts", len(alerts))
	}
	for _, a := range alerts {
		if !strings.Contains(string(guide), "`"+a[1]+"`") {
			t.Errorf("docs/operators.md does not say what to do about %s", a[1])
		}
	}
}
