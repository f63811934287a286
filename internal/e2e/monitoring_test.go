package e2e

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	parts "ccms/internal/figures" // figures are those of a load here
	"ccms/internal/upload"
)

// askedFor finds the metrics that a rule, a test of one or a panel names. What a
// rule records has colons in its name.
var askedFor = regexp.MustCompile(`\b(?:ccms|http_server|resilience4j|process|go|system)_[a-z0-9_]+(?::[a-z0-9_:]+)?`)

const backupMetric = "ccms_backup_last_timestamp_seconds"

// TestAlertsAndPanelsAskForMetricsThatExist compares deploy/monitoring with what
// the services show, so that neither can be renamed alone.
func TestAlertsAndPanelsAskForMetricsThatExist(t *testing.T) {
	p, err := up(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer p.kill()
	// Some metrics are there only once something has happened.
	for path, body := range map[string]string{
		"/api/customer/login/subsequent": `{"email":"nobody@example.com","password":"Wrong-Passw0rd!"}`,
		"/api/customer/forgot-password":  `{"email":"nobody@example.com"}`,
	} {
		res, err := http.Post(p.Portal+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	}
	// This one begins with the first backup, which the operators' guide makes.
	shown := map[string]bool{backupMetric: true}
	// These are shown where log files are copied, in builds for the cloud.
	for _, f := range parts.Copies(&upload.Logs{}).Collect() {
		shown[f.Name] = true
	}
	for _, url := range []string{p.Eureka, p.Login, p.CreditCard, p.Portal} {
		res, err := http.Get(url + "/actuator/prometheus")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^([a-z0-9_]+)[{ ]`).FindAllStringSubmatch(string(text), -1) {
			shown[m[1]] = true
		}
	}
	const folder = "../../deploy/monitoring"
	for _, file := range []string{"rules.yml", "rules_test.yml", "rules_days_test.yml", "grafana/ccms.json"} {
		text, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			t.Fatal(err)
		}
		names := askedFor.FindAllString(string(text), -1)
		if len(names) == 0 {
			t.Errorf("%s names %d metrics, so they are not found", file, len(names))
		}
		for _, name := range names {
			if !strings.Contains(name, ":") && !shown[name] {
				t.Errorf("%s asks for %s, which no service shows", file, name)
			}
		}
	}
}

// TestPanelsSayWhatTheyShow reads the dashboard as Grafana does.
func TestPanelsSayWhatTheyShow(t *testing.T) {
	text, err := os.ReadFile("../../deploy/monitoring/grafana/ccms.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Type, Title, Description string
			Targets                  []struct{ Expr, LegendFormat string }
			FieldConfig              struct {
				Defaults struct {
					Unit       string
					Thresholds struct{ Steps []any }
				}
			}
		}
		Links []struct{ URL string }
	}
	if err := json.Unmarshal(text, &board, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	graphs, limits := 0, 0
	for _, p := range board.Panels {
		if p.Type == "row" {
			continue
		}
		graphs++
		if p.Title == "" || p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
			t.Errorf("%q has no description, unit or line", p.Title)
		}
		for _, l := range p.Targets {
			if l.Expr == "" || l.LegendFormat == "" {
				t.Errorf("a line of %q has no name", p.Title)
			}
		}
		if len(p.FieldConfig.Defaults.Thresholds.Steps) == 2 {
			limits++
		}
	}
	if graphs < 25 || limits < 12 || len(board.Links) == 0 || !strings.Contains(board.Links[0].URL, "operators.md#") {
		t.Errorf("%d panels, %d with a limit, links %v", graphs, limits, board.Links)
	}
}
