package e2e

import (
	"bytes"
	"crypto/rand"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/logging"
)

// logLine is one line of ECS JSON.
type logLine map[string]any

func (l logLine) text(field string) string { s, _ := l[field].(string); return s }

// readLog reads a log file whose every line is one JSON object without a member
// twice.
func readLog(t *testing.T, file string) []logLine {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []logLine
	for text := range bytes.Lines(b) {
		var l logLine
		if err := json.Unmarshal(text, &l); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		all = append(all, l)
	}
	return all
}

// awaitLines reads the log until some lines satisfy enough. The line of a
// request is written after its answer.
func awaitLines(t *testing.T, file string, keep func(logLine) bool, enough func([]logLine) bool) []logLine {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		lines := slices.DeleteFunc(readLog(t, file), func(l logLine) bool { return !keep(l) })
		if enough(lines) {
			return lines
		}
		if time.Now().After(deadline) {
			t.Fatalf("these lines are not all: %v", lines)
		}
		<-time.After(10 * time.Millisecond)
	}
}

var dateShape = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)

// fits reports whether a value may stand in a field of the type.
func fits(kind logging.Type, v any) bool {
	text, isText := v.(string)
	switch kind {
	case logging.Boolean:
		_, ok := v.(bool)
		return ok
	case logging.Long:
		n, ok := v.(float64)
		return ok && n == math.Trunc(n) && n >= 0
	case logging.Date:
		return dateShape.MatchString(text)
	case logging.IP:
		_, err := netip.ParseAddr(text)
		return err == nil
	case logging.Keyword, logging.Wildcard, logging.Text:
		return isText && (kind != logging.Keyword || len(text) <= 1024)
	}
	return false
}

// demanded are the fields a line must have: every line those of the ECS
// logging specification, in this order, and one of a request these too.
var (
	demanded        = []string{"@timestamp", "log.level", "message", "ecs.version"}
	demandedRequest = []string{"service.name", "http.request.id", "http.request.method", "http.response.status_code", "http.response.body.bytes",
		"http.route", "url.path", "client.ip", "event.duration", "trace.id", "span.id"}
)

func TestEveryLogLineIsECS(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ccms.log")
	p := start(t, "--log.format", "json", "--log.file", file)
	c := newClient(t)
	who := signUp(t, c, p, "log-reader")
	for _, call := range [][]string{
		{"GET", p.Portal + "/api/creditcards"}, {"GET", p.Portal + "/nowhere"}, {"DELETE", p.Login + "/api/customer/login"},
		{"GET", p.Portal + "/"}, {"GET", p.Eureka + "/"}, {"GET", p.CreditCard + "/internal/cardholders/x/cards"},
		{"GET", p.Portal + "/api/customer/jwt/validate?token=x"}, {"GET", p.Eureka + "/eureka/apps/none"}, {"GET", p.Login + "/actuator/health"},
		{"4111111111111111", p.Login + "/"},
	} {
		if _, _, err := c.send(call[0], call[1], nil, who.auth()...); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	types := map[string]logging.Type{}
	for _, f := range slices.Concat(logging.ECS(), logging.Own()) {
		types[f.Name] = f.Type
	}
	lines := awaitLines(t, file, func(logLine) bool { return true }, func(all []logLine) bool {
		return slices.ContainsFunc(all, func(l logLine) bool { return l["message"] == "settings read again" })
	})
	levels := map[string]int{}
	for _, l := range lines {
		levels[l.text("log.level")]++
		must := demanded
		if l["message"] == "request" {
			must = slices.Concat(demanded, demandedRequest)
		}
		for _, field := range must {
			if l[field] == nil || l[field] == "" {
				t.Errorf("no %s in %v", field, l)
			}
		}
		for field, v := range l {
			if kind, ok := types[field]; !ok || !fits(kind, v) {
				t.Errorf("%s (type %q) is %v in %v", field, kind, v, l)
			}
		}
	}
	if levels["info"] == 0 || levels["debug"] == 0 || len(lines) < 20 {
		t.Errorf("only %v lines were checked", levels)
	}
	p.await(t, regexp.MustCompile(`("settings read again".*\n)`)) // the console comes through a pipe
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b, _, _ = bytes.Cut(b, []byte(`"message":"settings read again"`))
	b = b[:bytes.LastIndexByte(b, '\n')+1]
	if bytes.Contains(b, []byte("4111111111111111")) {
		t.Error("a number that came as a method is in the log")
	}
	first := regexp.MustCompile(`^\{"` + strings.Join([]string{"@timestamp", "log\\.level", "message", "ecs\\.version"}, `":"[^"]*","`) + `":"8\.11\.0"[,}]`)
	for text := range bytes.Lines(b) {
		if !first.Match(text) {
			t.Errorf("the line begins otherwise: %s", text)
		}
		if !strings.Contains(p.output.String(), string(text)) {
			t.Errorf("the console lacks %s", text)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
}

// TestOneRequestHasOneIDEverywhere follows a request from the portal through
// both services, and one whose work is done later.
func TestOneRequestHasOneIDEverywhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ccms.log")
	p := start(t, "--log.format", "json", "--log.file", file)
	c := newClient(t)
	who := signUp(t, c, p, "follower")
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

	follow := func(method, path string, in any, services ...string) []logLine {
		t.Helper()
		mark := "/api" + path + "?" + rand.Text()
		chosen := rand.Text()[:16]
		header := append(who.auth(), "X-Request-Id", chosen, "traceparent", "00-"+trace+"-"+parent+"-01", "tracestate", "congo=t61rcWkgMzE")
		req, err := newRequest(method, p.Portal+mark, in, header...)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		ids := res.Header.Values("X-Request-Id")
		if len(ids) != 1 || ids[0] == chosen {
			t.Errorf("%s: the answer's ids are %v, the client's %s", path, ids, chosen)
		}
		return awaitLines(t, file, func(l logLine) bool { return l["http.request.id"] == ids[0] }, func(lines []logLine) bool {
			return !slices.ContainsFunc(services, func(s string) bool {
				return !slices.ContainsFunc(lines, func(l logLine) bool { return l["service.name"] == s })
			})
		})
	}
	check := func(lines []logLine) {
		t.Helper()
		spans := map[string]string{}
		for _, l := range lines {
			span := l.text("span.id")
			if l["trace.id"] != trace || span == "" || span == parent {
				t.Errorf("the line is of another trace: %v", l)
			}
			if s, ok := spans[span]; ok && s != l.text("service.name") {
				t.Errorf("%s and %s share a span", s, l["service.name"])
			}
			spans[span] = l.text("service.name")
		}
	}
	check(follow("POST", "/customer/creditcard", newCard(randomCard(t), "739"), "portal", "creditcard-service", "login-service"))
	lines := follow("DELETE", "/account", map[string]string{"password": who.password}, "portal", "login-service", "creditcard-service")
	check(lines) // the queue has the card service erase the cards
	if !slices.ContainsFunc(lines, func(l logLine) bool { return strings.HasSuffix(l.text("http.route"), "/erase") }) {
		t.Errorf("no line of the erasure: %v", lines)
	}
}

func TestALogFileThatWasMovedIsFollowedOnSIGHUP(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ccms.log")
	p := start(t, "--log.format", "json", "--log.file", file)
	if err := os.Rename(file, file+".moved"); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(within)
	for {
		if b, err := os.ReadFile(file); err == nil && bytes.Contains(b, []byte(`"message":"settings read again"`)) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("there is no new file\n%s", p.output)
		}
		<-time.After(5 * time.Millisecond)
	}
	if len(readLog(t, file+".moved")) == 0 {
		t.Error("the file that was moved has no lines")
	}
}
