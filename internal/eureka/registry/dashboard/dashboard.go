// Package dashboard is the registry's pages for people: what it holds and how
// it fares, who came and went. They change nothing and run no script; an
// operator acts at the console, to which the buttons lead.
package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"ccms/internal/eureka/registry/lease"
	"ccms/internal/eureka/registry/peer"
	"ccms/internal/httpserver"
)

//go:embed layout.html home.html lastn.html style.css
var files embed.FS

// Section is a group of names and values that the registry says of itself.
type Section struct {
	Name    string // in the protocol
	Title   string // for people
	Figures []Figure
}

// Figure is one of them.
type Figure struct{ Name, Value string }

// Config describes a Dashboard.
type Config struct {
	Table *lease.Table
	Peers func() []peer.Status // default none
	// Info is what the registry says of itself. Default nothing.
	Info func() []Section
	Now  func() time.Time // default time.Now
	// Environment and DataCenter are shown as they are. Default "default".
	Environment, DataCenter string
	// Console is where an operator acts on an instance; application, id and
	// action go with it as query. Default "": there are no buttons.
	Console string
}

// Dashboard serves the pages.
type Dashboard struct {
	cfg    Config
	home   *template.Template
	lastn  *template.Template
	style  template.CSS
	policy string
}

// New returns a Dashboard.
func New(cfg Config) *Dashboard {
	if cfg.Peers == nil {
		cfg.Peers = func() []peer.Status { return nil }
	}
	if cfg.Info == nil {
		cfg.Info = func() []Section { return nil }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Environment == "" {
		cfg.Environment = "default"
	}
	if cfg.DataCenter == "" {
		cfg.DataCenter = "default"
	}
	style, _ := files.ReadFile("style.css") // embedded
	sum := sha256.Sum256(style)
	parse := func(name string) *template.Template {
		return template.Must(template.New("layout.html").Funcs(template.FuncMap{"count": count[int], "plural": plural}).ParseFS(files, "layout.html", name))
	}
	return &Dashboard{
		cfg: cfg, home: parse("home.html"), lastn: parse("lastn.html"), style: template.CSS(style),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	}
}

// Routes mounts the pages.
func (d *Dashboard) Routes(mux *httpserver.Mux) {
	mux.Handle("GET /{$}", d.serveHome)
	mux.Handle("GET /lastn", d.serveLastN)
}

// layout is what both pages show around their own.
type layout struct {
	Title string
	Style template.CSS
	Root  string // from this page to "/", so that a prefix of a proxy stays
	Page  any
}

func (d *Dashboard) render(w http.ResponseWriter, t *template.Template, title string, page any) error {
	var b bytes.Buffer
	if err := t.Execute(&b, layout{title, d.style, "./", page}); err != nil {
		return fmt.Errorf("dashboard: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", d.policy)
	_, _ = w.Write(b.Bytes()) // the reader may have gone
	return nil
}

// stamp is a time as the reference's page writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05 -0700") }

// Uptime is "1 day 03:04": days when there are any, hours and minutes.
func Uptime(d time.Duration) string {
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

// ago is a span in its largest unit.
func ago(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	}
	return strconv.Itoa(int(d.Hours())/24) + " days"
}

// count writes a number with commas between thousands.
func count[N int | int64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return count(n) + " " + word + "s"
}
