// Package actuator owns what operators watch: health, info and metrics of one
// service, in Spring Boot's shapes (decision F1). Metrics have one source, a
// registry of package meter, which other packages add collectors to; both
// /actuator/prometheus and /actuator/metrics read it. It decides who may look
// by a function the caller hands in, and writes no errors: room one does.
package actuator

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/httpserver"
	"ccms/internal/meter"
	"ccms/internal/problem"
)

// Config describes an Actuator.
type Config struct {
	Service string // name of the service, as in the registry; must be set
	Version string // of the program; default "devel"
	// Started is when the process began. Default: now.
	Started time.Time
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Log is told when the health of a component changes. Default: nobody.
	Log *slog.Logger
}

// Actuator is one service's monitoring. Make it with New.
type Actuator struct {
	cfg      Config
	registry meter.Registry
	requests *requestTimer
	latency  *meter.Histogram
	failed   *meter.Counter

	components []*component
	checks     sync.WaitGroup
	refusing   atomic.Bool

	allow func(r *http.Request) error
}

// New returns an Actuator with the metrics of requests and of the process.
func New(cfg Config) *Actuator {
	if cfg.Version == "" {
		cfg.Version = "devel"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Started.IsZero() {
		cfg.Started = cfg.Now()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	a := &Actuator{cfg: cfg, requests: newRequestTimer(cfg.Now), latency: newLatency(), failed: newFailed()}
	a.registry.Add(a.requests, a.latency, a.failed, newProcess(cfg.Started, cfg.Now))
	a.addStates()
	return a
}

// Registry takes further collectors. A family name_seconds, name_bytes or
// name_total shows in /actuator/metrics as name with dots for underscores.
func (a *Actuator) Registry() *meter.Registry { return &a.registry }

// Observe counts a finished request; it is for httpserver.Config.
func (a *Actuator) Observe(o httpserver.Observation) {
	a.requests.observe(o)
	if !chatter(route(o.Route)) {
		a.latency.Observe(o.Duration.Seconds())
		if o.Status >= 500 {
			a.failed.Inc()
		}
	}
}

// Routes adds /actuator and what is below it to mux. Local callers (decision
// A9) may see all; allow is asked about the others, and its error answers
// them. Nil allows nobody else. Health, liveness and readiness are open to
// all, without details. Call it once.
func (a *Actuator) Routes(mux *httpserver.Mux, allow func(r *http.Request) error) {
	if allow == nil {
		allow = func(*http.Request) error { return problem.NoToken() }
	}
	a.allow = allow
	mux.Handle("GET /actuator", a.guarded(a.links))
	mux.Handle("GET /actuator/health", a.health(everything))
	mux.Handle("GET /actuator/health/liveness", a.health(liveness))
	mux.Handle("GET /actuator/health/readiness", a.health(readiness))
	mux.Handle("GET /actuator/health/{component}", a.guarded(a.component))
	mux.Handle("GET /actuator/info", a.guarded(a.info))
	mux.Handle("GET /actuator/metrics", a.guarded(a.metricNames))
	mux.Handle("GET /actuator/metrics/{name}", a.guarded(a.metric))
	mux.Handle("GET /actuator/prometheus", a.guarded(a.prometheus))
}

// Close waits for health checks that are still running; each has a second.
func (a *Actuator) Close() { a.checks.Wait() }

// permit returns nil when r may see everything.
func (a *Actuator) permit(r *http.Request) error {
	if httpserver.Local(r) {
		return nil
	}
	return a.allow(r)
}

func (a *Actuator) guarded(h httpserver.Handler) httpserver.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := a.permit(r); err != nil {
			return err
		}
		return h(w, r)
	}
}

// springType is the media type of Spring's own clients (Spring Boot Admin).
const springType = "application/vnd.spring-boot.actuator.v3+json"

// write answers with v, as the media type that r asks for.
func write(w http.ResponseWriter, r *http.Request, status int, v any) error {
	if !strings.Contains(r.Header.Get("Accept"), springType) {
		return httpserver.WriteJSON(w, status, v)
	}
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", springType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(b) // the client may have gone
	return nil
}

type link struct {
	Href      string `json:"href"`
	Templated bool   `json:"templated"`
}

// links is Spring's discovery page.
func (a *Actuator) links(w http.ResponseWriter, r *http.Request) error {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	base := scheme + "://" + r.Host + "/actuator"
	return write(w, r, http.StatusOK, map[string]map[string]link{"_links": {
		"self":                       {base, false},
		"health":                     {base + "/health", false},
		"health-path":                {base + "/health/{*path}", true},
		"info":                       {base + "/info", false},
		"metrics":                    {base + "/metrics", false},
		"metrics-requiredMetricName": {base + "/metrics/{requiredMetricName}", true},
		"prometheus":                 {base + "/prometheus", false},
	}})
}

// info says what runs: the shape of Spring's app, build, git and java parts.
func (a *Actuator) info(w http.ResponseWriter, r *http.Request) error {
	info := map[string]map[string]any{
		"app":   {"name": a.cfg.Service, "version": a.cfg.Version},
		"build": {"name": "ccms", "version": a.cfg.Version},
		"go":    {"version": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH},
	}
	if b, ok := debug.ReadBuildInfo(); ok {
		commit := map[string]string{}
		for _, s := range b.Settings {
			switch s.Key {
			case "vcs.time":
				info["build"]["time"] = s.Value
				commit["time"] = s.Value
			case "vcs.revision":
				commit["id"] = s.Value
			}
		}
		if len(commit) > 0 {
			info["git"] = map[string]any{"commit": commit}
		}
	}
	return write(w, r, http.StatusOK, info)
}
