package registry

import (
	"fmt"
	"html"
	"net/http"
	"runtime"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/dashboard"
)

// info is the registry's report on itself, in the reference's words.
func (g *Registry) info() []dashboard.Section {
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
	used := 100 * m.HeapAlloc / max(m.Sys, 1)
	return []dashboard.Section{
		{Name: "generalStats", Title: "General Info", Figures: []dashboard.Figure{
			{Name: "environment", Value: g.cfg.Environment},
			{Name: "num-of-cpus", Value: strconv.Itoa(runtime.NumCPU())},
			{Name: "total-avail-memory", Value: megabytes(m.Sys)},
			{Name: "current-memory-usage", Value: fmt.Sprintf("%s (%d%%)", megabytes(m.HeapAlloc), used)},
			{Name: "server-uptime", Value: dashboard.Uptime(stats.Uptime)},
		}},
		{Name: "applicationStats", Title: "Replication", Figures: []dashboard.Figure{
			{Name: "registered-replicas", Value: strings.Join(registered, ", ")},
			{Name: "available-replicas", Value: eachComma(available)},
			{Name: "unavailable-replicas", Value: eachComma(unavailable)},
		}},
		{Name: "instanceInfo", Title: "Instance Info", Figures: []dashboard.Figure{{Name: "status", Value: string(eureka.Up)}}},
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

// getInfo is the report in either syntax. The reference's JSON lacks its last
// brace.
func (g *Registry) getInfo(c *call) {
	a, ok := negotiate(c.r)
	if !ok {
		empty(c.w, http.StatusNotAcceptable)
		return
	}
	format := infoJSON
	if a.form.XML {
		format = infoXML
	}
	c.send(http.StatusOK, a.label, format(g.info()))
}

func infoXML(sections []dashboard.Section) []byte {
	b := []byte("<com.netflix.eureka.util.StatusInfo>\n")
	for _, s := range sections {
		b = fmt.Appendf(b, "  <%s>\n", s.Name)
		for _, f := range s.Figures {
			b = fmt.Appendf(b, "    <%[1]s>%[2]s</%[1]s>\n", f.Name, html.EscapeString(f.Value))
		}
		b = fmt.Appendf(b, "  </%s>\n", s.Name)
	}
	return append(b, "</com.netflix.eureka.util.StatusInfo>"...)
}

func infoJSON(sections []dashboard.Section) []byte {
	b := []byte{'{'}
	for i, s := range sections {
		b = append(appendMember(b, i, s.Name), '{')
		for j, f := range s.Figures {
			b, _ = jsontext.AppendQuote(appendMember(b, j, f.Name), f.Value)
		}
		b = append(b, '}')
	}
	return append(b, '}')
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
	for _, e := range g.leases.Entries() {
		if e.Override != eureka.Unknown {
			held[e.ID] = e.Override
		}
	}
	b, err := json.Marshal(held, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		empty(c.w, http.StatusInternalServerError)
		return
	}
	c.send(http.StatusOK, "application/json", b)
}
