// Package registry is the server of the Eureka protocol: the REST resources
// under /eureka, negotiation of forms, the proof that reserved names need, and
// the page at "/". The state is package lease's, the forms on the wire are
// package eureka's, listeners and proofs packages httpserver's and identity's.
package registry

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/lease"
	"ccms/internal/httpserver"
)

// Config describes a Registry. The zero value is a working one.
type Config struct {
	Log *slog.Logger     // default slog.Default()
	Now func() time.Time // default time.Now

	// Prefix is where the resources are mounted. Default "/eureka"; they are
	// served below it, and again below its /v1 and /v2.
	Prefix string
	// Snapshot is the file that lets a restart forget nobody; its folder must
	// exist. Default "": none.
	Snapshot string

	// Reserved names may be written only by who Authorize accepts (decision
	// E3). Default eureka.Reserved().
	Reserved []string
	// Authorize reports whether r carries a proof for reserved names. Default
	// nil: nobody does.
	Authorize func(r *http.Request) bool

	// Leases tunes bounds, eviction and self-preservation; the fields above
	// win over its own of the same name.
	Leases lease.Config
}

// Registry serves a table of leases.
type Registry struct {
	cfg     Config
	leases  *lease.Table
	page    *template.Template
	packers sync.Pool // of *gzip.Writer
}

// New returns a Registry that holds what the snapshot holds.
func New(cfg Config) *Registry {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Prefix == "" {
		cfg.Prefix = "/eureka"
	}
	if cfg.Reserved == nil {
		cfg.Reserved = eureka.Reserved()
	}
	if cfg.Authorize == nil {
		cfg.Authorize = func(*http.Request) bool { return false }
	}
	l := cfg.Leases
	l.Log, l.Now, l.Snapshot, l.Reserved = cfg.Log, cfg.Now, cfg.Snapshot, cfg.Reserved
	return &Registry{
		cfg:    cfg,
		leases: lease.New(l),
		page:   template.Must(template.New("page").Parse(pageHTML)),
	}
}

// Routes mounts the resources, and the page at "/".
func (g *Registry) Routes(mux *httpserver.Mux) {
	mux.Mount(g.cfg.Prefix, g)
	mux.Handle("GET /{$}", g.home)
}

// Run evicts expired leases and keeps the snapshot until ctx ends.
func (g *Registry) Run(ctx context.Context) error { return g.leases.Run(ctx) }

// Stats is the registry's condition, for metrics.
func (g *Registry) Stats() lease.Stats { return g.leases.Stats() }
