// Package peer keeps registries alike: what clients tell this one it passes on
// to the others in batches, as Netflix's and Spring's registries do among
// themselves, and at the start it copies what they hold. Who decides what a
// change means is package lease; what a peer passes on to us comes in through
// package registry.
//
// What waits for a peer is kept per instance and read when it is sent, so a
// peer that was away for an hour is told the present state and not an hour of
// history.
package peer

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/lease"
)

// The headers by which our own registries know each other; others ignore them.
const (
	EpochHeader = "X-Eureka-Epoch" // one run of one registry
	// AnswerMethod stands for the method in the proof of an answer.
	AnswerMethod = "ANSWER"
)

// Bound is what stands for the method in a proof between registries: it covers
// the body too, as sent. A peer that is not ours, and may pass on what it was
// sent, or what another of ours answered, can do so only unchanged.
func Bound(method string, body []byte) string {
	return fmt.Sprintf("%s sha256:%x", method, sha256.Sum256(body))
}

// Config describes a Group.
type Config struct {
	Table *lease.Table // whose changes are passed on
	// URLs of the other registries, such as http://user:password@host:8761/eureka/.
	// This registry's own may be among them.
	URLs []string
	// Epoch is this run of this registry: an answer that carries it comes from
	// ourselves.
	Epoch string
	// HTTP sends to peers; redirects are never followed. Default: one with a
	// second to connect and without a proxy.
	HTTP *http.Client
	// Sign makes the proof that reserved names need (decisions A8 and E3) for
	// a request. Default nil: none is sent.
	Sign func(audience, method, path string) (string, error)
	// Proven reports whether a proof holds that came with the answer to a
	// request for path; method is Bound to the answer's body. Default nil: none
	// does, and what an answer says of reserved names is passed over.
	Proven func(method, path, proof string) bool
	// Reserved names need that proof. Default eureka.Reserved().
	Reserved []string

	Now func() time.Time // default time.Now
	Log *slog.Logger     // default slog.Default()

	// Timeout is for one request. Default 5 s.
	Timeout time.Duration
	// Gather is how long a batch waits for more. Default 100 ms.
	Gather time.Duration
	// Batch is the most items in one request. Default 250.
	Batch int
	// Queue is the most instances that wait for one peer. Default 10,000.
	Queue int
	// Warmup bounds the wait for a first copy of a peer's list. Default 30 s.
	Warmup time.Duration
}

func (c Config) withDefaults() Config {
	if c.HTTP == nil {
		c.HTTP = &http.Client{Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: time.Second}).DialContext,
			MaxIdleConnsPerHost: 2, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true,
		}}
	}
	client := *c.HTTP
	// A redirect would take proof and credentials to wherever it points.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.HTTP = &client
	if c.Proven == nil {
		c.Proven = func(string, string, string) bool { return false }
	}
	if c.Reserved == nil {
		c.Reserved = eureka.Reserved()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Timeout = cmp.Or(c.Timeout, 5*time.Second)
	c.Gather = cmp.Or(c.Gather, 100*time.Millisecond)
	c.Batch = cmp.Or(c.Batch, 250)
	c.Queue = cmp.Or(c.Queue, 10_000)
	c.Warmup = cmp.Or(c.Warmup, 30*time.Second)
	return c
}

// Group is the other registries.
type Group struct {
	cfg    Config
	peers  []*peer
	wrong  error // a URL that is none
	opened atomic.Bool
}

// peer is one of them.
type peer struct {
	*Group
	base  string // without user and trailing slash
	user  *url.Userinfo
	queue *queue
	self  atomic.Bool // found out to be ourselves

	mu      sync.Mutex
	heard   time.Time // its last good answer
	failing error     // why the latest request failed, nil when it did not
	told    bool      // that it fails
	sent    int64     // items it took
}

// New returns a Group. A URL that is none makes Run fail.
func New(cfg Config) *Group {
	g := &Group{cfg: cfg.withDefaults()}
	for _, raw := range cfg.URLs {
		u, err := url.Parse(strings.TrimSpace(raw))
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			g.wrong = errors.New("peer: the URL of a registry must look like http://host:8761/eureka/")
			continue
		}
		g.peers = append(g.peers, &peer{
			Group: g, base: u.Scheme + "://" + u.Host + strings.TrimSuffix(u.EscapedPath(), "/"), user: u.User,
			queue: newQueue(g.cfg.Queue, g.cfg.Now),
		})
	}
	g.opened.Store(len(g.peers) == 0)
	return g
}

// Open reports whether the registry may be read: it has copied a peer's list,
// or waited long enough, or has no peers. Else who asks a registry that has
// just restarted would take half a list for the whole.
func (g *Group) Open() bool { return g.opened.Load() }

// Tell passes on what a client did to an instance. value is the status of a
// StatusUpdate or DeleteStatusOverride.
func (g *Group) Tell(app, id string, a Action, value eureka.Status) {
	for _, p := range g.peers {
		if !p.self.Load() {
			p.queue.tell(key{app, id}, a, value)
		}
	}
}

// Run copies the peers' lists and then passes changes on until ctx ends; what
// waits then is sent once more. Its error is that of a wrong URL.
func (g *Group) Run(ctx context.Context) error {
	if g.wrong != nil {
		return g.wrong
	}
	var wg sync.WaitGroup
	if len(g.peers) > 0 {
		wg.Go(func() { g.warmUp(ctx) })
	}
	for _, p := range g.peers {
		wg.Go(func() { p.run(ctx) })
	}
	wg.Wait()
	g.cfg.HTTP.CloseIdleConnections()
	return nil
}

// Status is the condition of a peer, for metrics and the page.
type Status struct {
	URL       string // without credentials
	Self      bool   // it is this registry
	Available bool   // its latest answer was a good one
	Heard     time.Time
	Waiting   int           // instances to tell it of
	Lag       time.Duration // since the oldest of these
	Dropped   int64         // that it will not be told of
	Sent      int64         // items it took
}

// Statuses returns the condition of all peers.
func (g *Group) Statuses() []Status {
	all := make([]Status, len(g.peers))
	for i, p := range g.peers {
		n, oldest, dropped := p.queue.backlog()
		p.mu.Lock()
		all[i] = Status{
			URL: p.base + "/", Self: p.self.Load(), Available: p.failing == nil && !p.heard.IsZero(), Heard: p.heard,
			Waiting: n, Dropped: dropped, Sent: p.sent,
		}
		p.mu.Unlock()
		if n > 0 {
			all[i].Lag = g.cfg.Now().Sub(oldest)
		}
	}
	return all
}

// note remembers how a request ended, and says once that a peer fails and once
// that it is back.
func (p *peer) note(err error, items int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failing = err
	if err != nil {
		if !p.told && !p.self.Load() {
			p.cfg.Log.Warn("a peer registry cannot be told of changes, trying on", "server.address", hostOf(p.base), "error.message", err.Error())
		}
		p.told = true
		return
	}
	if p.told {
		p.cfg.Log.Info("a peer registry answers again", "server.address", hostOf(p.base))
	}
	p.told = false
	p.heard = p.cfg.Now()
	p.sent += int64(items)
}

func hostOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return u.Host
}
