package registry

import (
	"fmt"
	"html"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/eureka"
)

// figure is one name and value, in the order they are shown.
type figure struct{ name, value string }

// statusInfo is the registry's report on itself, in the reference's words.
type statusInfo struct{ general, application, instance []figure }

func (g *Registry) info() statusInfo {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	stats := g.Stats()
	var registered, available, unavailable []string
	for _, p := range g.peers.Statuses() {
		if p.Self {
			continue
		}
		registered = append(registered, p.URL)
		if p.Available {
			available = append(available, p.URL)
		} else {
			unavailable = append(unavailable, p.URL)
		}
	}
	used := int64(0)
	if m.Sys > 0 {
		used = int64(100 * m.HeapAlloc / m.Sys)
	}
	return statusInfo{
		general: []figure{
			{"environment", "production"},
			{"num-of-cpus", strconv.Itoa(runtime.NumCPU())},
			{"total-avail-memory", megabytes(m.Sys)},
			{"current-memory-usage", fmt.Sprintf("%s (%d%%)", megabytes(m.HeapAlloc), used)},
			{"server-uptime", uptime(stats.Uptime)},
		},
		application: []figure{
			{"registered-replicas", strings.Join(registered, ", ")},
			{"available-replicas", eachComma(available)},
			{"unavailable-replicas", eachComma(unavailable)},
		},
		instance: []figure{{"status", string(eureka.Up)}},
	}
}

func megabytes(n uint64) string { return strconv.FormatUint(n>>20, 10) + "mb" }

// eachComma follows every word with a comma, as the reference does.
func eachComma(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return strings.Join(words, ",") + ","
}

// uptime is "1 day 03:04", in the reference's words.
func uptime(d time.Duration) string {
	days := int(d.Hours()) / 24
	clock := fmt.Sprintf("%02d:%02d", int(d.Hours())%24, int(d.Minutes())%60)
	switch days {
	case 0:
		return clock
	case 1:
		return "1 day " + clock
	}
	return strconv.Itoa(days) + " days " + clock
}

// getInfo is the report in either syntax. The reference's JSON lacks its last
// brace.
func (g *Registry) getInfo(c *call) {
	a, ok := negotiate(c.r)
	if !ok {
		empty(c.w, http.StatusNotAcceptable)
		return
	}
	info := g.info()
	sections := []struct {
		name    string
		figures []figure
	}{{"generalStats", info.general}, {"applicationStats", info.application}, {"instanceInfo", info.instance}}
	var b []byte
	if a.form.XML {
		b = append(b, "<com.netflix.eureka.util.StatusInfo>\n"...)
		for _, s := range sections {
			b = fmt.Appendf(b, "  <%s>\n", s.name)
			for _, f := range s.figures {
				b = fmt.Appendf(b, "    <%[1]s>%[2]s</%[1]s>\n", f.name, html.EscapeString(f.value))
			}
			b = fmt.Appendf(b, "  </%s>\n", s.name)
		}
		b = append(b, "</com.netflix.eureka.util.StatusInfo>"...)
	} else {
		b = append(b, '{')
		for i, s := range sections {
			b = appendMember(b, i, s.name)
			b = append(b, '{')
			for j, f := range s.figures {
				b = appendMember(b, j, f.name)
				b, _ = jsontext.AppendQuote(b, f.value)
			}
			b = append(b, '}')
		}
		b = append(b, '}')
	}
	c.send(http.StatusOK, a.label, b)
}

func appendMember(b []byte, i int, name string) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	b, _ = jsontext.AppendQuote(b, name)
	return append(b, ':')
}

// getOverrides lists the overrides in force by instance id, as the reference
// does, which knows of no application there.
func (g *Registry) getOverrides(c *call) {
	held := map[string]eureka.Status{}
	for in, override := range g.leases.Overrides {
		held[in.ID] = override
	}
	b, err := json.Marshal(held, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		empty(c.w, http.StatusInternalServerError)
		return
	}
	c.send(http.StatusOK, "application/json", b)
}
