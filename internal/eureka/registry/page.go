package registry

import (
	_ "embed"
	"net/http"
	"strings"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/lease"
)

//go:embed page.html
var pageHTML string

// pageData is what the page shows.
type pageData struct {
	Stats  lease.Stats
	Total  int
	Uptime time.Duration
	Now    string
	Apps   []eureka.Application
}

// home is the page at "/": who is registered, in the words of the reference's
// dashboard, without a script.
func (g *Registry) home(w http.ResponseWriter, _ *http.Request) error {
	d := pageData{Stats: g.Stats(), Apps: g.leases.All().Apps, Now: g.cfg.Now().UTC().Format("2006-01-02T15:04:05 -0700")}
	d.Uptime = d.Stats.Uptime.Round(time.Second)
	for _, n := range d.Stats.Instances {
		d.Total += n
	}
	var b strings.Builder
	if err := g.page.Execute(&b, d); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_, _ = w.Write([]byte(b.String())) // the reader may have gone
	return nil
}
