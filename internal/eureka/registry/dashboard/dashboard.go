// Package dashboard is the registry's pages for people: who is registered, who
// came and went. It changes nothing and runs no script; an operator's actions
// are at the console, to which its buttons lead.
package dashboard

import (
	_ "embed"
	"html/template"
	"net/http"
	"strings"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/lease"
	"ccms/internal/eureka/registry/peer"
	"ccms/internal/httpserver"
)

//go:embed home.html
var homeHTML string

// Config describes a Dashboard.
type Config struct {
	Table *lease.Table
	Peers func() []peer.Status // default none
	Now   func() time.Time     // default time.Now
	// Console is where an operator acts on an instance. Default "": nowhere.
	Console string
	Prefix  string // of the protocol's resources
}

// Dashboard serves the pages.
type Dashboard struct {
	cfg  Config
	home *template.Template
}

// New returns a Dashboard.
func New(cfg Config) *Dashboard {
	return &Dashboard{cfg: cfg, home: template.Must(template.New("home").Parse(homeHTML))}
}

// Routes mounts the pages.
func (d *Dashboard) Routes(mux *httpserver.Mux) {
	mux.Handle("GET /{$}", d.serveHome)
}

// pageData is what the page shows.
type pageData struct {
	Stats  lease.Stats
	Total  int
	Uptime time.Duration
	Now    string
	Apps   []eureka.Application
}

func (d *Dashboard) serveHome(w http.ResponseWriter, _ *http.Request) error {
	p := pageData{Stats: d.cfg.Table.Stats(), Apps: d.cfg.Table.All().Apps, Now: d.cfg.Now().UTC().Format("2006-01-02T15:04:05 -0700")}
	p.Uptime = p.Stats.Uptime.Round(time.Second)
	for _, n := range p.Stats.Instances {
		p.Total += n
	}
	var b strings.Builder
	if err := d.home.Execute(&b, p); err != nil {
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
