// Package registry is the server of the Eureka protocol: the REST resources
// under /eureka, negotiation of forms, who may write what, the answer to other
// registries, and long polls. The state is package lease's, the lists as they
// are sent package payload's, other registries package peer's, the pages
// package dashboard's; the forms on the wire are package eureka's, listeners
// and proofs packages httpserver's and identity's.
package registry

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/dashboard"
	"ccms/internal/eureka/registry/lease"
	"ccms/internal/eureka/registry/payload"
	"ccms/internal/eureka/registry/peer"
	"ccms/internal/eureka/registry/writers"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/problem"
)

// Config describes a Registry. The zero value is a working one.
type Config struct {
	Log *slog.Logger     // default slog.Default()
	Now func() time.Time // default time.Now

	// Prefix is where the resources are mounted. Default "/eureka"; they are
	// served below it, and again below its /v1 and /v2. "/" mounts /v1 and /v2
	// alone.
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
	// Sign makes such a proof of our own, for peers. Default nil: none is made.
	Sign func(audience, method, path string) (string, error)
	// Writers says who may write which of the other names. Default nil:
	// everybody, as in the reference.
	Writers *writers.Policy
	// Operator finds out which operator sent r, by a Bearer token; its error is
	// answered as it is. Default nil: nobody is one.
	Operator httpserver.Authenticate
	// Record puts on record what an operator does: before it happens with a
	// result of "", and afterwards what came of it (decision D9). Without the
	// first nothing happens. Default nil: the log alone says it.
	Record func(r *http.Request, a Act) error

	// Peers are the URLs of the other registries. Default none.
	Peers []string
	// Peer tunes replication; the fields above, and what only this package
	// knows, win over its own.
	Peer peer.Config

	// Console is where an operator acts on an instance; the page's buttons lead
	// to it, with the application and the id as query. Default "": no buttons.
	Console string

	// Environment is shown as it is. Default "default".
	Environment string

	// Leases tunes bounds, eviction and self-preservation; the fields above
	// win over its own of the same name.
	Leases lease.Config
}

// Registry serves a table of leases.
type Registry struct {
	cfg     Config
	epoch   string // this run, for who compares versions
	leases  *lease.Table
	lists   *payload.Store
	peers   *peer.Group
	pages   *dashboard.Dashboard
	packers sync.Pool // of *gzip.Writer
	fetched [fetches]tally
	waiting atomic.Int64 // readers
	retired sync.Once
	ending  chan struct{} // closed when nobody is to wait any more
}

// New returns a Registry that holds what the snapshot holds.
func New(cfg Config) *Registry {
	cfg = cfg.withDefaults()
	l := cfg.Leases
	l.Log, l.Now, l.Snapshot, l.Reserved = cfg.Log, cfg.Now, cfg.Snapshot, cfg.Reserved
	g := &Registry{cfg: cfg, epoch: rand.Text(), leases: lease.New(l), ending: make(chan struct{})}
	g.lists = payload.New(g.leases)
	p := cfg.Peer
	p.Log, p.Now, p.Reserved, p.Sign, p.URLs = cfg.Log, cfg.Now, cfg.Reserved, cfg.Sign, cfg.Peers
	p.Table, p.Epoch, p.Proven = g.leases, g.epoch, g.proven
	g.peers = peer.New(p)
	g.pages = dashboard.New(dashboard.Config{
		Table: g.leases, Peers: g.peers.Statuses, Info: g.info, Now: cfg.Now,
		Environment: cfg.Environment, Console: cfg.Console,
	})
	return g
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	switch c.Prefix {
	case "":
		c.Prefix = "/eureka"
	case "/":
		c.Prefix = ""
	}
	c.Environment = cmp.Or(c.Environment, "default")
	if c.Reserved == nil {
		c.Reserved = eureka.Reserved()
	}
	if c.Authorize == nil {
		c.Authorize = func(*http.Request) bool { return false }
	}
	if c.Operator == nil {
		c.Operator = func(*http.Request) (identity.Principal, error) { return identity.Principal{}, problem.NoToken() }
	}
	if c.Record == nil {
		c.Record = func(*http.Request, Act) error { return nil }
	}
	return c
}

// Routes mounts the resources, the pages, and what operators may do.
func (g *Registry) Routes(mux *httpserver.Mux) {
	if g.cfg.Prefix == "" {
		mux.Mount("/v1", g)
		mux.Mount("/v2", g)
	} else {
		mux.Mount(g.cfg.Prefix, g)
	}
	g.pages.Routes(mux)
	g.operatorRoutes(mux)
}

// Run evicts expired leases, keeps the snapshot and tells the peers until ctx
// ends.
func (g *Registry) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, g.Retire)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var failed [2]error
	wg.Go(func() { failed[0] = g.leases.Run(ctx) })
	wg.Go(func() {
		if failed[1] = g.peers.Run(ctx); failed[1] != nil {
			cancel() // a wrong setting
		}
	})
	wg.Wait()
	return errors.Join(failed[:]...)
}

// Retire answers those who wait for a change, so that the listener need not
// wait for them. Run does so at its end, which may be later than the
// listener's.
func (g *Registry) Retire() { g.retired.Do(func() { close(g.ending) }) }

// Stats is the registry's condition, for metrics.
func (g *Registry) Stats() lease.Stats { return g.leases.Stats() }

// Peers is the condition of the other registries, for metrics.
func (g *Registry) Peers() []peer.Status { return g.peers.Statuses() }

// Open reports whether the registry may be read: see peer.Group.Open. It is
// the registry's readiness.
func (g *Registry) Open() bool { return g.peers.Open() }

// proven reports whether a proof of purpose registry holds for a method, which
// may be one of peer.Bound, and a path.
func (g *Registry) proven(method, path, proof string) bool {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return false
	}
	return g.cfg.Authorize(&http.Request{Method: method, URL: u, Header: http.Header{identity.ProofHeader: {proof}}})
}
