// Package discovery is the client of a Eureka registry: it registers its own
// service, keeps the lease alive, holds a copy of the registry's list, and
// resolves http://LOGIN-SERVICE/… over it. It owns no listener and decides no
// status; what crosses the wire is package eureka's.
//
// A registry that is down, slow, restarted or suddenly empty disturbs nobody:
// the last good list stays, and the client registers again when the registry
// has forgotten it.
package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ccms/internal/eureka"
)

// Config describes a Client.
type Config struct {
	// URLs of registries, such as http://user:password@host:8761/eureka/, in
	// order of preference. At least one.
	URLs []string
	// Self is registered; see NewInstance. Default nil: only look up.
	Self *eureka.Instance
	// Address is asked before each heartbeat for the IP address under which the
	// service is called: it may change, or be known late. Nothing is registered
	// before it is known; "" is what Self says. Default: always that.
	Address func() (string, error)
	// Sign makes the proof that reserved names need (decisions A8 and E3) for
	// a request. Default nil: none is sent.
	Sign func(audience, method, path string) (string, error)
	// HTTP sends requests to registries; redirects are never followed.
	// Default: a client without a proxy.
	HTTP *http.Client
	Now  func() time.Time // default time.Now
	Log  *slog.Logger     // default slog.Default()

	// RenewEvery is the time between heartbeats. Default: what Self's lease
	// promises, 30 s.
	RenewEvery time.Duration
	// FetchEvery is the time between looks at the list of a registry that
	// cannot tell of changes, as ours does. Default 5 s: a delta is small, and
	// Spring's 30 s are the commonest complaint.
	FetchEvery time.Duration
	// WatchFor is how long a registry that tells of changes is listened to at a
	// time. Default 20 s.
	WatchFor time.Duration
	// Timeout is for one request to one registry. Default 5 s.
	Timeout time.Duration
	// Keep is how long the instances of an application are kept that the
	// registry no longer names without having said that they left. Default
	// 90 s, a lease.
	Keep time.Duration

	// Reserved names are believed only of addresses Accept takes (decision
	// E3). Default eureka.Reserved().
	Reserved []string
	// Accept decides whether an instance that goes by a reserved name may be
	// called. Default: on loopback, and anywhere over HTTPS by a sender in
	// Secure, which checks whom it reached.
	Accept func(eureka.Instance) bool
	// Secure sends requests to instances that are called over HTTPS, by the
	// name of their application in upper case; each sender checks that the
	// certificate is that application's, whatever the address. Default: what
	// Transport was given sends them.
	Secure map[string]http.RoundTripper
}

// ErrNoInstance says that the registry names no instance of an application
// that is up and may be called.
var ErrNoInstance = errors.New("discovery: no instance")

// Client is a registry's client. Its methods may be called at any time, before
// Run too.
type Client struct {
	cfg     Config
	servers *servers
	next    atomic.Uint64 // round robin

	mu         sync.Mutex
	self       *eureka.Instance
	registered bool
	mirror     map[string]map[string]*eureka.Instance // the registry's own list
	version    int64
	epoch      string                // of the registry run the list came from
	watching   bool                  // that registry tells of changes
	cut        bool                  // and did not listen to the end last time: it will stop
	fetched    time.Time             // when mirror was last known to be right
	kept       map[string]*keep      // applications the registry lost
	conditions map[string]*condition // of addresses that were called
	awaited    int                   // Ready calls under way
	changed    chan struct{}         // closed and replaced on every change

	renewNow chan struct{}
	fetchNow chan struct{}
}

// New returns a Client, or an error that says which of cfg's URLs is wrong.
func New(cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	s, err := newServers(cfg)
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg: cfg, servers: s,
		mirror: map[string]map[string]*eureka.Instance{}, version: -1,
		kept: map[string]*keep{}, conditions: map[string]*condition{},
		changed:  make(chan struct{}),
		renewNow: make(chan struct{}, 1), fetchNow: make(chan struct{}, 1),
	}
	if cfg.Self != nil {
		c.self = cfg.Self.Clone()
		c.self.App = strings.ToUpper(c.self.App) // as the registry will say it
		c.self.LastDirty = cfg.Now().UnixMilli()
	}
	return c, nil
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.RenewEvery == 0 {
		c.RenewEvery = eureka.DefaultRenewal * time.Second
		if c.Self != nil && c.Self.Lease.RenewalInterval > 0 {
			c.RenewEvery = time.Duration(c.Self.Lease.RenewalInterval) * time.Second
		}
	}
	if c.FetchEvery == 0 {
		c.FetchEvery = 5 * time.Second
	}
	if c.WatchFor == 0 {
		c.WatchFor = 20 * time.Second
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	if c.Keep == 0 {
		c.Keep = eureka.DefaultDuration * time.Second
	}
	if c.Reserved == nil {
		c.Reserved = eureka.Reserved()
	}
	if c.Accept == nil {
		secure := c.Secure
		c.Accept = func(in eureka.Instance) bool {
			return in.SecurePort.Enabled && secure[strings.ToUpper(in.App)] != nil || Loopback(in)
		}
	}
	return c
}

// NewInstance describes a service at base, such as http://127.0.0.1:8081, the
// way Spring Boot's do: UP, VIP address and URLs filled in, a lease of 30 and
// 90 seconds. id must be the same after a restart, so that the service
// replaces its own entry (decision E2).
func NewInstance(app, id string, base *url.URL) (*eureka.Instance, error) {
	port, err := portOf(base)
	if err != nil {
		return nil, err
	}
	host, ip := base.Hostname(), base.Hostname()
	if LoopbackHost(host) {
		host = "localhost"
		if a, err := netip.ParseAddr(ip); err != nil || !a.IsLoopback() {
			ip = "127.0.0.1"
		}
	}
	vip := strings.ToLower(app)
	root := base.Scheme + "://" + base.Host
	in := &eureka.Instance{
		ID: id, App: strings.ToUpper(app), HostName: host, IPAddr: ip,
		Status: eureka.Up, Overridden: eureka.Unknown, CountryID: 1,
		Port:       eureka.Port{Number: port, Enabled: base.Scheme == "http"},
		SecurePort: eureka.Port{Number: 443},
		DataCenter: &eureka.DataCenter{Name: eureka.MyOwn},
		Lease:      eureka.Lease{RenewalInterval: eureka.DefaultRenewal, Duration: eureka.DefaultDuration},
		VIPAddress: &vip, SecureVIPAddress: &vip,
		HomePageURL:    new(root + "/"),
		StatusPageURL:  new(root + "/actuator/info"),
		HealthCheckURL: new(root + "/actuator/health"),
	}
	if base.Scheme == "https" {
		in.SecurePort = eureka.Port{Number: port, Enabled: true}
		in.SecureHealthCheckURL = in.HealthCheckURL
	}
	return in, nil
}

func portOf(u *url.URL) (int, error) {
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return 0, fmt.Errorf("discovery: %q is no base URL of a service", u.Redacted())
	}
	a, err := netip.ParseAddrPort("0.0.0.0:" + u.Port())
	switch {
	case err == nil:
		return int(a.Port()), nil
	case u.Port() != "":
		return 0, fmt.Errorf("discovery: %q has no valid port", u.Redacted())
	case u.Scheme == "https":
		return 443, nil
	}
	return 80, nil
}

// Loopback reports whether an instance would be called on this machine.
func Loopback(in eureka.Instance) bool { return LoopbackHost(callee(&in)) }

// LoopbackHost reports whether a name or address is this machine.
func LoopbackHost(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// callee is the host an instance is called at: its address (decision E2,
// prefer-ip-address), its name when it gave no address.
func callee(in *eureka.Instance) string {
	if in.IPAddr != "" {
		return in.IPAddr
	}
	return in.HostName
}

// Instances returns the instances of an application that are up and may be
// called; the name ignores case. Nil when there is none.
func (c *Client) Instances(app string) []eureka.Instance {
	app = strings.ToUpper(app)
	c.mu.Lock()
	defer c.mu.Unlock()
	byID := c.mirror[app]
	if len(byID) == 0 {
		if k := c.kept[app]; k != nil {
			byID = k.instances
		}
	}
	reserved := eureka.IsName(app, c.cfg.Reserved)
	var up []eureka.Instance
	for _, in := range byID {
		if in.Status == eureka.Up && (!reserved || c.cfg.Accept(*in)) {
			up = append(up, *in)
		}
	}
	slices.SortFunc(up, func(a, b eureka.Instance) int { return strings.Compare(a.ID, b.ID) })
	return up
}

// Ready waits until the service is registered and an instance of each
// application is found, or ctx ends. While it waits, the registry is asked
// again and again without the usual pauses.
func (c *Client) Ready(ctx context.Context, apps ...string) error {
	c.await(1)
	defer c.await(-1)
	poke(c.renewNow)
	poke(c.fetchNow)
	for {
		c.mu.Lock()
		changed, ready := c.changed, c.registered || c.self == nil
		c.mu.Unlock()
		missing := slices.DeleteFunc(slices.Clone(apps), func(app string) bool { return len(c.Instances(app)) > 0 })
		if ready && len(missing) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("discovery: registered: %t, not found: %s: %w", ready, strings.Join(missing, ", "), ctx.Err())
		}
	}
}

func (c *Client) await(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.awaited += n
}

// hurry reports whether somebody waits in Ready.
func (c *Client) hurry() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.awaited > 0
}

// notify wakes those who wait for a change; the caller holds the lock.
func (c *Client) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// poke asks a loop to act now.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Stats is the client's condition, for metrics.
type Stats struct {
	Registered   bool // false too when there is nothing to register
	Applications int  // the registry names
	Kept         int  // applications it lost, still called
	Fetched      time.Time
}

// Stats returns the present condition.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{c.registered, len(c.mirror), len(c.kept), c.fetched}
}

// SetStatus changes the status the service registers with, and registers it
// at once.
func (c *Client) SetStatus(s eureka.Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.self == nil || c.self.Status == s {
		return
	}
	c.dirty(s)
	poke(c.renewNow)
}

// dirty makes the next turn of the loop register again, with a status; the
// caller holds the lock. The time stamp moves, so that no registry keeps an
// older state.
func (c *Client) dirty(s eureka.Status) {
	self := *c.self
	self.Status = s
	self.LastDirty = max(c.cfg.Now().UnixMilli(), self.LastDirty+1)
	c.self = &self
	c.registered = false
}
