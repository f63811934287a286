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

// TestTheOperatorsGuidesWork runs what the pages for operators tell them to do:
// their blocks of "sh run", one after the other, beside a server.
func TestTheOperatorsGuidesWork(t *testing.T) {
	for _, tc := range []struct {
		pages  []string
		least  int
		backup bool // whether they make one
	}{
		{[]string{"operators.md"}, 5, true},
		{[]string{"backup.md"}, 6, true},
		{[]string{"mail.md", "monitoring.md", "keys.md"}, 7, false},
	} {
		t.Run(strings.Join(tc.pages, " "), func(t *testing.T) {
			t.Parallel()
			p, err := up(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer p.kill()
			c := newClient(t)
			signUp(t, c, p, "you") // the one who becomes an operator
			n := 0
			for _, page := range tc.pages {
				n += runGuide(t, p, page)
			}
			if n < tc.least {
				t.Fatalf("found %d blocks", n)
			}
			res, err := http.Get(p.Login + "/actuator/prometheus")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if text, err := io.ReadAll(res.Body); err != nil || strings.Contains(string(text), "\n"+backupMetric+" ") != tc.backup {
				t.Errorf("whether a backup shows as %s: not %v (%v)", backupMetric, tc.backup, err)
			}
			if err := p.stop(); err != nil {
				t.Errorf("the server afterwards: %v", err)
			}
		})
	}
}

// runGuide runs the blocks of a page and returns how many it has. Where they name
// a firm, it is the demo firm.
func runGuide(t *testing.T, p *process, page string) int {
	t.Helper()
	guide, err := os.ReadFile("../../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	demo, err := os.ReadFile(filepath.Join(p.dir, "demo-firm.json"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Symlink(binary, filepath.Join(folder, "ccms")); err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^ *```sh run\n(.*?)^ *```$").FindAllStringSubmatch(string(guide), -1)
	for _, b := range blocks {
		sh := exec.CommandContext(t.Context(), "sh", "-eu", "-c", strings.ReplaceAll(b[1], "FIRM_ID", member(demo, "firm_id")))
		sh.Dir = folder
		sh.Env = append(os.Environ(), "CCMS_DATA="+p.dir, "PATH="+folder+string(filepath.ListSeparator)+os.Getenv("PATH"))
		if out, err := sh.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s\n%s", page, err, b[1], out)
		}
	}
	return len(blocks)
}

// TestWhatToDoAboutAnAlertIsWritten holds the incidents of the operators' guide
// against the alerts, both ways, and each alert against what one must have.
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
	there := map[string]bool{}
	for _, a := range alerts {
		there[a[1]] = true
		if !regexp.MustCompile("(?m)^\\|[^|]*`" + a[1] + "`[^|]*\\|[^|]+\\|[^|]+\\|$").Match(guide) {
			t.Errorf("docs/operators.md has no row that says what to do about %s", a[1])
		}
		_, text, _ := strings.Cut(string(rules), "- alert: "+a[1]+"\n")
		text, _, _ = strings.Cut(text, "- alert: ")
		for _, must := range []string{"severity: (page|ticket|none)", "summary: ", "runbook_url: "} {
			if !regexp.MustCompile(must).MatchString(text) {
				t.Errorf("%s has no %s", a[1], must)
			}
		}
	}
	for _, named := range regexp.MustCompile("`(CCMS[A-Z][A-Za-z]+)`").FindAllStringSubmatch(string(guide), -1) {
		if !there[named[1]] {
			t.Errorf("docs/operators.md tells of %s, which is no alert", named[1])
		}
	}
	if !strings.Contains(string(rules), "/operators.md#what-you-see-what-it-means-what-to-do") ||
		!strings.Contains(string(guide), "\n## What you see, what it means, what to do\n") {
		t.Error("the link of alerts leads nowhere")
	}
}
