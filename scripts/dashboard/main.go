// Command dashboard writes the Grafana dashboard of CCMS: dashboard FILE. Its
// panels are a list here, and JSON of hundreds of lines there. That every metric
// in it exists is a test's business (internal/e2e).
package main

import (
	"fmt"
	"log"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

//go:generate go run . ../../deploy/monitoring/grafana/ccms.json

func main() {
	log.SetFlags(0)
	log.SetPrefix("dashboard: ")
	if len(os.Args) != 2 {
		log.Fatal("name the file to write")
	}
	text, err := json.Marshal(lay(rows()), json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(os.Args[1], append(text, '\n'), 0o644); err != nil { //nolint:gosec // a file of the repository
		log.Fatal(err)
	}
}

// row is a headline and the graphs below it, three to a line.
type row struct {
	title  string
	graphs []graph
}

// graph is one panel: what it shows, in which unit, and its lines.
type graph struct {
	title, unit, about string
	lines              []line
}

// line is a query and the name of what it gives.
type line struct{ expr, legend string }

const traffic = `http_server_requests_seconds_count{job=~"$job",uri!~"/(actuator|eureka).*"}`

func rows() []row {
	return []row{
		{"How people fare", []graph{
			{"Requests", "reqps", "Without those of monitoring and the registry", []line{{`sum by (job) (rate(` + traffic + `[$__rate_interval]))`, "{{job}}"}}},
			{"Failed", "percentunit", "Goal: 0.1 % over 30 days", []line{{`job:ccms_errors:ratio_rate5m{job=~"$job"}`, "{{job}}"}}},
			{"Too slow", "percentunit", "Goal: 1 % over 30 days; slow is above 0.3 s, for the login service above 1 s", []line{{`job:ccms_slow:ratio_rate5m{job=~"$job"}`, "{{job}}"}}},
			{"99 % are answered within", "s", "Goal: 0.3 s, of the login service 1 s", []line{{`job:ccms_requests_seconds:p99{job=~"$job"}`, "{{job}}"}}},
			{"Slowest in the last minutes", "s", "By route, which is never a path", []line{{`topk(5, max by (job, uri) (http_server_requests_seconds_max{job=~"$job"}))`, "{{job}} {{uri}}"}}},
			{"Refused, by status", "reqps", "401 and 429 rise in an attack, 400 and 404 when a caller is changed", []line{{`sum by (status) (rate(http_server_requests_seconds_count{job=~"$job",outcome="CLIENT_ERROR"}[$__rate_interval]))`, "{{status}}"}}},
		}},
		{"An attack, or a bad day?", []graph{
			{"Logins", "ops", "Wrong ones rise with right ones on a busy day, without them in an attack", []line{{`sum by (outcome) (rate(ccms_login_attempts_total[$__rate_interval]))`, "{{outcome}}"}}},
			{"Accounts locked", "short", "Above 20 somebody is paged", []line{{`sum(increase(ccms_login_lockouts_total[15m]))`, "within 15 minutes"}}},
			{"Answers that tell whether an address is known", "ops", "login.enumeration=hardened ends them", []line{{`sum by (route) (rate(ccms_login_enumeration_probes_total[$__rate_interval]))`, "{{route}}"}}},
			{"Codes tried out, reveals refused", "short", "Above 10 somebody is paged", []line{
				{`sum(increase(ccms_card_code_guesses_refused_total[1h]))`, "codes of cardholders"},
				{`sum(increase(ccms_registration_code_guesses_refused_total[1h]))`, "codes at firms"},
				{`sum(increase(ccms_firm_card_reveals_refused_total[1h]))`, "reveals"}}},
			{"Password hashing", "short", "Who finds the queue full is turned away with a 503", []line{
				{`ccms_login_hash_queue_depth`, "waiting on {{instance}}"},
				{`rate(ccms_login_hash_shed_total[$__rate_interval])`, "turned away a second on {{instance}}"}}},
			{"One hash takes", "s", "Grows with login.bcrypt-cost, and when processors are missing", []line{{`histogram_quantile(0.5, sum by (le) (rate(ccms_login_hash_seconds_bucket[$__rate_interval])))`, "median"}}},
		}},
		{"What is done", []graph{
			{"Cards", "ops", "What succeeded", []line{
				{`sum(rate(ccms_cards_total[$__rate_interval]))`, "of cardholders"},
				{`sum(rate(ccms_firm_cards_total[$__rate_interval]))`, "of firms"},
				{`sum(rate(ccms_registrations_total[$__rate_interval]))`, "registrations"}}},
			{"Webhooks", "s", "Where an endpoint is down, its events wait for up to three days", []line{
				{`histogram_quantile(0.99, sum by (le) (rate(ccms_webhook_lag_seconds_bucket[$__rate_interval])))`, "99 % reach the firm within"},
				{`max(ccms_webhook_oldest_seconds)`, "the oldest waits"}}},
			{"Events given up", "short", "After ten tries in three days", []line{{`sum(increase(ccms_webhook_given_up_total[1h]))`, "within an hour"}}},
		}},
		{"Books", []graph{
			{"Audit log", "s", "Above 1 s somebody is paged", []line{{`max by (instance) (ccms_audit_lag_seconds)`, "acts wait at {{instance}}"}}},
			{"Acts not recorded", "short", "They were refused, too", []line{{`sum by (instance) (increase(ccms_audit_failures_total[1h]))`, "{{instance}}"}}},
			{"Oldest mail", "s", "Above 5 minutes the mail server takes nothing", []line{{`max by (queue) (ccms_outbox_oldest_seconds)`, "{{queue}}"}}},
			{"Mails", "short", "What was given up waits for ccms mail retry", []line{{`max by (queue) (ccms_outbox_queued)`, "wait in {{queue}}"}, {`max by (queue) (ccms_outbox_dead)`, "given up in {{queue}}"}}},
			{"Age of keys", "s", "Each is good for a year", []line{
				{`max by (job) (ccms_key_age_seconds)`, "oldest that wraps, {{job}}"},
				{`max(ccms_signing_key_age_seconds)`, "the one that signs tokens"}}},
			{"Embedded store", "short", "Failed is final until a restart", []line{{`ccms_store_queue`, "writes wait at {{instance}}"}, {`ccms_store_failed`, "failed at {{instance}}"}}},
			{"Full log files not copied yet", "short", "Where upload.url is set; five are kept", []line{{`max by (instance) (ccms_upload_waiting)`, "wait at {{instance}}"}, {`sum by (instance) (increase(ccms_upload_failures_total[1h]))`, "tries that failed within an hour at {{instance}}"}}},
		}},
		{"Between the services", []graph{
			{"Breaker to the login service", "short", "The state each is in", []line{{`max by (instance, state) (resilience4j_circuitbreaker_state) == 1`, "{{instance}} {{state}}"}}},
			{"A logout shows within", "s", "Never more than 0.9 s", []line{{`histogram_quantile(1, sum by (le) (rate(ccms_revocation_lag_seconds_bucket[$__rate_interval])))`, "at most"}}},
			{"Registered instances", "short", "By the status they tell", []line{{`sum by (status) (ccms_eureka_instances)`, "{{status}}"}}},
		}},
		{"Processes", []graph{
			{"Memory", "bytes", "Resident", []line{{`process_memory_rss_bytes{job=~"$job"}`, "{{job}} {{instance}}"}}},
			{"Processor", "percentunit", "Of all processors of the machine", []line{{`process_cpu_usage{job=~"$job"}`, "{{job}} {{instance}}"}}},
			{"Goroutines, open files", "short", "What grows without end is a fault", []line{{`go_goroutines{job=~"$job"}`, "goroutines of {{instance}}"}, {`process_files_open{job=~"$job"}`, "files of {{instance}}"}}},
		}},
	}
}

// object is one of Grafana's, as its documentation of dashboard JSON has it
// (schema 39).
type object = map[string]any

// limits are where a graph turns red: from there on an alert is on, or a goal is
// missed (deploy/monitoring/rules.yml, docs/monitoring.md).
func limits() map[string]float64 {
	return map[string]float64{
		"Failed": 0.001, "Too slow": 0.01, "99 % are answered within": 1,
		"Accounts locked": 20, "Answers that tell whether an address is known": 0.5, "Codes tried out, reveals refused": 10,
		"Audit log": 1, "Acts not recorded": 1, "Events given up": 1, "Oldest mail": 300, "A logout shows within": 0.9, "Age of keys": 365 * 86400,
	}
}

// lay gives panels their places: 24 columns, rows above their graphs.
func lay(rows []row) object {
	const width, height = 8, 7
	source := object{"type": "prometheus", "uid": "${source}"}
	var panels []object
	y := 0
	add := func(p object, x, w, h int) {
		p["id"], p["gridPos"] = len(panels)+1, object{"x": x, "y": y, "w": w, "h": h}
		panels = append(panels, p)
	}
	for _, r := range rows {
		add(object{"type": "row", "title": r.title, "collapsed": false, "panels": []object{}}, 0, 24, 1)
		y++
		for i, g := range r.graphs {
			if i > 0 && i%3 == 0 {
				y += height
			}
			add(panel(g, source), i%3*width, width, height)
		}
		y += height
	}
	return object{
		"uid": "ccms", "title": "CCMS", "tags": []string{"ccms"}, "schemaVersion": 39, "version": 1, "editable": true,
		"time": object{"from": "now-6h", "to": "now"}, "refresh": "1m", "timezone": "browser", "panels": panels,
		"links": []object{{
			"type": "link", "title": "What to do", "icon": "doc", "targetBlank": true,
			"url": "https://ccms.example/docs/operators.md#what-you-see-what-it-means-what-to-do",
		}},
		"templating": object{"list": []object{
			{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
			{"name": "job", "label": "Service", "type": "query", "datasource": source, "includeAll": true, "multi": true,
				"query": "label_values(ccms_requests_seconds_count, job)", "refresh": 2, "current": object{"text": "All", "value": "$__all"}},
		}},
	}
}

func panel(g graph, source object) object {
	var targets []object
	for i, l := range g.lines {
		targets = append(targets, object{"refId": fmt.Sprintf("%c", 'A'+i), "datasource": source, "expr": l.expr, "legendFormat": l.legend})
	}
	defaults := object{"unit": g.unit, "min": 0}
	if limit, ok := limits()[g.title]; ok {
		defaults["thresholds"] = object{"mode": "absolute", "steps": []object{{"color": "green", "value": nil}, {"color": "red", "value": limit}}}
		defaults["custom"] = object{"thresholdsStyle": object{"mode": "line"}}
	}
	return object{
		"type": "timeseries", "title": g.title, "description": g.about, "datasource": source, "targets": targets,
		"fieldConfig": object{"defaults": defaults, "overrides": []object{}},
		"options":     object{"legend": object{"displayMode": "list", "placement": "bottom"}, "tooltip": object{"mode": "multi"}},
	}
}
