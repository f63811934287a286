// Package registry is the server of the Eureka protocol: leases, status rules,
// delta, self-preservation, snapshot, and the REST resources under /eureka. A
// change is visible to the very next request: there is no read cache.
//
// It owns the state of all instances; the forms on the wire are package
// eureka's, listeners and proofs package httpserver's and identity's.
//
// Instances are copy-on-write: a stored *eureka.Instance is never changed, so
// a reader that holds one never sees half a change. Every change passes one
// ordered log, which feeds the delta.
package registry

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ccms/internal/card"
	"ccms/internal/eureka"
	"ccms/internal/httpserver"
)

// Config describes a Registry. The zero value is a working one.
type Config struct {
	Log *slog.Logger     // default slog.Default()
	Now func() time.Time // default time.Now

	// Prefix is where the resources are mounted. Default "/eureka"; they are
	// served below it, and again below its /v1 and /v2.
	Prefix string
	// Snapshot is the file that lets a restart forget nobody. Default "": none.
	Snapshot string

	// Reserved names may be written only by who Authorize accepts (decision
	// E3). Default eureka.Reserved().
	Reserved []string
	// Authorize reports whether r carries a proof for reserved names. Default
	// nil: nobody does.
	Authorize func(r *http.Request) bool

	// MaxInstances bounds the registry; a registration beyond it is 503.
	// Default 100,000.
	MaxInstances int
	// MaxBytes bounds what all instances hold, in bytes. Default 512 MiB.
	MaxBytes int
	// MaxInstanceBytes bounds one instance, metadata included; above it a
	// registration is 413. Default 64 KiB.
	MaxInstanceBytes int

	// EvictEvery is the time between looks for expired leases. Default 2 s.
	EvictEvery time.Duration
	// Retention is how long a change stays in the delta. Default 180 s.
	Retention time.Duration
	// Exact ends a lease one duration after the last heartbeat. Default
	// false: two, as in the reference, because some clients beat only about
	// once a duration.
	Exact bool
	// NoSelfPreservation evicts however many heartbeats are missing.
	NoSelfPreservation bool
	// RenewalPercent is the share of expected heartbeats below which nothing
	// is evicted. Default 0.85.
	RenewalPercent float64
	// ProtectFrom is the size from which a registry is protected. Default 10:
	// in a smaller one the loss of a single instance looks like an outage.
	ProtectFrom int
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Prefix == "" {
		c.Prefix = "/eureka"
	}
	if c.Reserved == nil {
		c.Reserved = eureka.Reserved()
	}
	if c.Authorize == nil {
		c.Authorize = func(*http.Request) bool { return false }
	}
	c.MaxInstances = or(c.MaxInstances, 100_000)
	c.MaxBytes = or(c.MaxBytes, 512<<20)
	c.MaxInstanceBytes = or(c.MaxInstanceBytes, 64<<10)
	c.EvictEvery = or(c.EvictEvery, 2*time.Second)
	c.Retention = or(c.Retention, 180*time.Second)
	c.RenewalPercent = or(c.RenewalPercent, 0.85)
	c.ProtectFrom = or(c.ProtectFrom, 10)
	return c
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// The refusals of a write that the protocol does not know.
var (
	errFull     = errors.New("registry: full")
	errTooLarge = errors.New("registry: instance too large")
)

// Registry is the state and its HTTP side.
type Registry struct {
	cfg     Config
	page    *template.Template
	renewed renewals
	started time.Time
	saver   chan struct{} // asks for a snapshot
	packers sync.Pool     // of *gzip.Writer

	mu      sync.RWMutex
	apps    map[string]map[string]*lease // by application, by id
	counts  map[eureka.Status]int
	size    int // instances
	bytes   int // they hold, about
	perMin  float64
	log     changeLog
	version int64
	budget  budget
}

// lease is an instance and how long it stays. Its instance is replaced under
// the registry's lock; what a heartbeat changes is atomic, so that heartbeats
// share the lock.
type lease struct {
	inst     *eureka.Instance
	bytes    int
	reserved bool // writes need a proof
	duration time.Duration
	// override outlives a registration and ends with the lease: it is a
	// matter of application and id, so no other application's instance of the
	// same id can inherit it. Unknown means none.
	override eureka.Status
	// cleared says that the status is UNKNOWN because an override was removed:
	// the next registration counts whatever its time stamp says.
	cleared bool

	renewed  atomic.Int64 // Unix milliseconds
	deadline atomic.Int64 // Unix milliseconds
}

// New returns a Registry that holds what the snapshot holds. A snapshot that
// cannot be read is logged and passed over: clients register again by
// themselves.
func New(cfg Config) *Registry {
	cfg = cfg.withDefaults()
	g := &Registry{
		cfg:     cfg,
		page:    template.Must(template.New("page").Parse(pageHTML)),
		started: cfg.Now(),
		saver:   make(chan struct{}, 1),
		apps:    map[string]map[string]*lease{},
		counts:  map[eureka.Status]int{},
		version: 1,
	}
	g.log.max = 2 * cfg.MaxInstances
	g.log.maxBytes = cfg.MaxBytes / 4
	g.renewed.opened = g.started
	if cfg.Snapshot == "" {
		return g
	}
	if err := g.load(); err != nil {
		cfg.Log.Warn("registry snapshot not loaded; starting empty", "error.message", err.Error())
	}
	return g
}

// Routes mounts the resources, and the page at "/".
func (g *Registry) Routes(mux *httpserver.Mux) {
	mux.Mount(g.cfg.Prefix, g)
	mux.Handle("GET /{$}", g.home)
}

// Run evicts expired leases, trims the delta and keeps the snapshot until ctx
// ends; then it writes the snapshot once more.
func (g *Registry) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { g.evictLoop(ctx) })
	var err error
	if g.cfg.Snapshot != "" {
		wg.Go(func() { g.saveLoop(ctx) })
	}
	wg.Wait()
	if g.cfg.Snapshot != "" {
		if err = g.save(); err != nil {
			err = fmt.Errorf("registry: last snapshot: %w", err)
		}
	}
	return err
}

func (g *Registry) now() int64 { return g.cfg.Now().UnixMilli() }

// find returns a lease; the caller holds the lock.
func (g *Registry) find(app, id string) (*lease, bool) {
	l, ok := g.apps[strings.ToUpper(app)][id]
	return l, ok
}

// put stores in as the instance of a lease and counts it; the caller holds the
// lock and logs the change.
func (g *Registry) put(l *lease, in *eureka.Instance) {
	g.forget(l)
	l.inst = in
	l.bytes = sizeOf(in)
	l.reserved = in.Claims(g.cfg.Reserved)
	g.size++
	g.bytes += l.bytes
	g.counts[in.Status]++
	g.perMin += perMinute(in)
	byID := g.apps[in.App]
	if byID == nil {
		byID = map[string]*lease{}
		g.apps[in.App] = byID
	}
	byID[in.ID] = l
}

// forget takes a lease's instance out of the counts.
func (g *Registry) forget(l *lease) {
	if l.inst == nil {
		return
	}
	g.size--
	g.bytes -= l.bytes
	g.counts[l.inst.Status]--
	g.perMin -= perMinute(l.inst)
}

// remove drops a lease for good and logs the deletion.
func (g *Registry) remove(l *lease, now int64) {
	g.forget(l)
	in := *l.inst
	byID := g.apps[in.App]
	delete(byID, in.ID)
	if len(byID) == 0 {
		delete(g.apps, in.App)
		g.perMin = settle(g.perMin, g.size)
	}
	in.Action = eureka.Deleted
	in.LastUpdated = now
	in.Lease.Evicted = now
	in.Lease.Renewed = l.renewed.Load()
	g.record(&in)
}

// settle keeps rounding errors from outliving the instances they came from.
func settle(sum float64, size int) float64 {
	if size == 0 {
		return 0
	}
	return sum
}

// record appends a change to the log and moves the version on.
func (g *Registry) record(in *eureka.Instance) {
	g.version++
	g.log.add(change{version: g.version, at: in.LastUpdated, key: key{in.App, in.ID}, action: in.Action}, in)
	select {
	case g.saver <- struct{}{}:
	default: // one is asked for already
	}
}

// renew prolongs a lease.
func (g *Registry) renew(l *lease, now int64) {
	l.renewed.Store(now)
	life := l.duration
	if !g.cfg.Exact {
		life *= 2
	}
	l.deadline.Store(now + life.Milliseconds())
}

// expired reports whether a lease is past its end but not yet evicted, and
// would be: nobody is evicted under self-preservation.
func (g *Registry) expired(l *lease, now int64) bool {
	return now > l.deadline.Load() && !g.protected()
}

// room reports whether the registry can hold in instead of old, which may be
// nil.
func (g *Registry) room(in *eureka.Instance, old *lease) error {
	n, size := sizeOf(in), g.size+1
	if n > g.cfg.MaxInstanceBytes {
		return errTooLarge
	}
	bytes := g.bytes + n
	if old != nil {
		size--
		bytes -= old.bytes
	}
	if size > g.cfg.MaxInstances || bytes > g.cfg.MaxBytes {
		return errFull
	}
	return nil
}

// sizeOf is about what an instance takes in memory.
func sizeOf(in *eureka.Instance) int {
	n := 600 + len(in.ID) + len(in.App) + len(in.HostName) + len(in.IPAddr) + len(in.SID)
	for _, s := range []*string{in.AppGroup, in.HomePageURL, in.StatusPageURL, in.HealthCheckURL,
		in.SecureHealthCheckURL, in.VIPAddress, in.SecureVIPAddress, in.ASGName} {
		if s != nil {
			n += len(*s)
		}
	}
	n += sizeOfMap(in.Metadata)
	if in.DataCenter != nil {
		n += sizeOfMap(in.DataCenter.Metadata)
	}
	return n
}

func sizeOfMap(m map[string]string) int {
	n := 0
	for k, v := range m {
		n += 64 + len(k) + len(v)
	}
	return n
}

// note logs what happened to an instance.
func (g *Registry) note(what string, in *eureka.Instance) {
	g.cfg.Log.Info(what, "eureka.app", card.MaskRuns(in.App), "eureka.instance", card.MaskRuns(in.ID), "eureka.status", string(in.Status))
}

// shuffle puts leases in random order.
func shuffle(l []*lease) {
	rand.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] })
}
