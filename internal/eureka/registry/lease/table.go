// Package lease is the state behind a service registry: instances and how long
// they stay, the rules that decide their status, the log of changes that feeds
// the delta, self-preservation, and the snapshot that survives a restart. A
// change is visible to the very next reader: there is no read cache.
//
// It knows nothing of HTTP (package registry) or of forms on the wire (package
// eureka).
//
// Instances are copy-on-write: a stored *eureka.Instance is never changed, so
// a reader that holds one never sees half a change. Every change passes one
// ordered log.
package lease

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ccms/internal/card"
	"ccms/internal/eureka"
)

// Config describes a Table. The zero value is a working one.
type Config struct {
	Log *slog.Logger     // default slog.Default()
	Now func() time.Time // default time.Now

	// Snapshot is the file that lets a restart forget nobody. Default "": none.
	Snapshot string

	// Reserved names need a proof to be written (decision E3); see
	// Table.Reserved. Default eureka.Reserved().
	Reserved []string

	// SelfID is the id of the registry's own entry, which its answers mark as
	// the coordinating one. Default "": it has none.
	SelfID string

	// MaxInstances bounds the table; beyond it is ErrFull. Default 100,000.
	MaxInstances int
	// MaxBytes bounds what all instances hold, in bytes. Default 512 MiB.
	MaxBytes int
	// MaxInstanceBytes bounds one instance, metadata included; above it is
	// ErrTooLarge. Default 64 KiB.
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
	if c.Reserved == nil {
		c.Reserved = eureka.Reserved()
	}
	c.MaxInstances = cmp.Or(c.MaxInstances, 100_000)
	c.MaxBytes = cmp.Or(c.MaxBytes, 512<<20)
	c.MaxInstanceBytes = cmp.Or(c.MaxInstanceBytes, 64<<10)
	c.EvictEvery = cmp.Or(c.EvictEvery, 2*time.Second)
	c.Retention = cmp.Or(c.Retention, 180*time.Second)
	c.RenewalPercent = cmp.Or(c.RenewalPercent, 0.85)
	c.ProtectFrom = cmp.Or(c.ProtectFrom, 10)
	return c
}

// The refusals of a write that the protocol does not know.
var (
	ErrFull     = errors.New("lease: the registry is full")
	ErrTooLarge = errors.New("lease: instance too large")
)

// Table is the leases of all instances. Its methods may be called at any time.
type Table struct {
	cfg     Config
	renewed renewals
	started time.Time
	saver   chan struct{} // asks for a snapshot

	version atomic.Int64 // of the registry and its delta; written under mu

	mu      sync.RWMutex
	apps    map[string]*application
	counts  map[eureka.Status]int
	size    int // instances
	bytes   int // they hold, about
	perMin  float64
	log     changeLog
	changed int64         // the version of the last change; later ones only moved the delta's window
	waiting chan struct{} // closed at the next change; nil when nobody waits
	last    [2]ring       // who came and who went
	evicted int64         // since the start
	left    atomic.Bool   // an operator ended self-preservation
	budget  budget
}

// application is the leases of one name, and what the delta says of it.
type application struct {
	leases  map[string]*lease // by id
	recent  map[string]change // by id: the latest change that the delta shows
	version int64             // of the last change to leases
	delta   int64             // of the last change to recent
}

// lease is an instance and how long it stays. Its instance is replaced under
// the registry's lock; what a heartbeat changes is atomic, so that heartbeats
// share the lock.
type lease struct {
	inst     *eureka.Instance
	own      eureka.Status // what it said of itself, before any rule
	version  int64         // of its last change
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

// New returns a Table that holds what the snapshot holds. A snapshot that
// cannot be read is logged and passed over: clients register again by
// themselves.
func New(cfg Config) *Table {
	cfg = cfg.withDefaults()
	t := &Table{
		cfg:     cfg,
		started: cfg.Now(),
		saver:   make(chan struct{}, 1),
		apps:    map[string]*application{},
		counts:  map[eureka.Status]int{},
	}
	t.version.Store(1)
	t.changed = 1
	t.log.max = 2 * cfg.MaxInstances
	t.log.maxBytes = cfg.MaxBytes / 4
	t.renewed.opened = t.started
	if cfg.Snapshot == "" {
		return t
	}
	if err := t.load(); err != nil {
		cfg.Log.Warn("registry snapshot not loaded; starting empty", "error.message", err.Error())
	}
	return t
}

// Run evicts expired leases, trims the delta and keeps the snapshot until ctx
// ends; then it writes the snapshot once more.
func (t *Table) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { t.evictLoop(ctx) })
	if t.cfg.Snapshot != "" {
		wg.Go(func() { t.saveLoop(ctx) })
	}
	wg.Wait()
	if t.cfg.Snapshot == "" {
		return nil
	}
	if err := t.save(); err != nil {
		return fmt.Errorf("registry: last snapshot: %w", err)
	}
	return nil
}

func (t *Table) now() int64 { return t.cfg.Now().UnixMilli() }

// find returns a lease; the caller holds the lock.
func (t *Table) find(app, id string) (*lease, bool) {
	a, ok := t.apps[strings.ToUpper(app)]
	if !ok {
		return nil, false
	}
	l, ok := a.leases[id]
	return l, ok
}

// application returns the one of a name, which it makes if need be; the caller
// holds the lock.
func (t *Table) application(name string) *application {
	a, ok := t.apps[name]
	if !ok {
		a = &application{leases: map[string]*lease{}, recent: map[string]change{}}
		t.apps[name] = a
	}
	return a
}

// tidy drops an application of which there is nothing left to say.
func (t *Table) tidy(name string) {
	if a := t.apps[name]; a != nil && len(a.leases)+len(a.recent) == 0 {
		delete(t.apps, name)
	}
}

// put stores in as the instance of a lease and counts it; the caller holds the
// lock and logs the change.
func (t *Table) put(l *lease, in *eureka.Instance) {
	t.forget(l)
	l.inst = in
	l.bytes = sizeOf(in)
	l.reserved = in.Claims(t.cfg.Reserved)
	t.size++
	t.bytes += l.bytes
	t.counts[in.Status]++
	t.perMin += perMinute(in)
	t.application(in.App).leases[in.ID] = l
}

// forget takes a lease's instance out of the counts.
func (t *Table) forget(l *lease) {
	if l.inst == nil {
		return
	}
	t.size--
	t.bytes -= l.bytes
	t.counts[l.inst.Status]--
	t.perMin -= perMinute(l.inst)
}

// remove drops a lease for good and logs the deletion.
func (t *Table) remove(l *lease, now int64) {
	t.forget(l)
	in := *l.inst
	delete(t.apps[in.App].leases, in.ID)
	t.perMin = settle(t.perMin, t.size)
	in.Action = eureka.Deleted
	in.LastUpdated = now
	in.Lease.Evicted = now
	in.Lease.Renewed = l.renewed.Load()
	t.record(&in)
	t.last[gone].add(Event{now, in.App, in.ID})
}

// settle keeps rounding errors from outliving the instances they came from.
func settle(sum float64, size int) float64 {
	if size == 0 {
		return 0
	}
	return sum
}

// touch moves the version on for a change to an instance, wakes who waits for
// one, and asks for a snapshot.
func (t *Table) touch(a *application, id string) {
	t.changed = t.version.Add(1)
	a.version = t.changed
	if l, ok := a.leases[id]; ok {
		l.version = t.changed
	}
	if t.waiting != nil {
		close(t.waiting)
		t.waiting = nil
	}
	select {
	case t.saver <- struct{}{}:
	default: // one is asked for already
	}
}

// renew prolongs a lease.
func (t *Table) renew(l *lease, now int64) {
	l.renewed.Store(now)
	life := l.duration
	if !t.cfg.Exact {
		life *= 2
	}
	l.deadline.Store(now + life.Milliseconds())
}

// expired reports whether a lease is past its end but not yet evicted, and
// would be: nobody is evicted under self-preservation.
func (t *Table) expired(l *lease, now int64) bool {
	return now > l.deadline.Load() && !t.protected()
}

// room reports whether the registry can hold in instead of old, which may be
// nil.
func (t *Table) room(in *eureka.Instance, old *lease) error {
	n, size := sizeOf(in), t.size+1
	if n > t.cfg.MaxInstanceBytes {
		return ErrTooLarge
	}
	bytes := t.bytes + n
	if old != nil {
		size--
		bytes -= old.bytes
	}
	if size > t.cfg.MaxInstances || bytes > t.cfg.MaxBytes {
		return ErrFull
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
func (t *Table) note(what string, in *eureka.Instance) {
	t.cfg.Log.Info(what, "eureka.app", card.MaskRuns(in.App), "eureka.instance", card.MaskRuns(in.ID), "eureka.status", string(in.Status))
}

// shuffle puts leases in random order.
func shuffle(l []*lease) {
	rand.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] })
}
