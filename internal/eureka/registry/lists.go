package registry

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/peer"
	"ccms/internal/identity"
)

// fetch is a kind of reading.
type fetch int

const (
	fullFetch  fetch = iota // the whole registry
	deltaFetch              // what changed lately
	sinceFetch              // what changed after a version
	unchanged               // 304
	someFetch               // an application, or those behind a VIP address
	oneFetch                // an instance
	fetches
)

func (f fetch) String() string {
	return [...]string{"full", "delta", "since", "unchanged", "some", "one"}[f]
}

// tally counts the answers of one kind.
type tally struct{ answers, bytes atomic.Int64 }

// Fetches is how often, and with how many bytes as sent, one kind of reading
// was answered.
type Fetches struct {
	Kind           string
	Answers, Bytes int64
}

// Traffic is what readers were answered since the start, and how many wait for
// a change.
func (g *Registry) Traffic() (all []Fetches, waiting int64) {
	for f := range fetches {
		t := &g.fetched[f]
		all = append(all, Fetches{f.String(), t.answers.Load(), t.bytes.Load()})
	}
	return all, g.waiting.Load()
}

// maxWait bounds a long poll; listeners cut an answer off after a minute.
const maxWait = 50 * time.Second

// readable answers 403 while the registry copies a peer's list, and reports
// whether to go on: clients take it for "ask another registry".
func (g *Registry) readable(c *call) bool {
	if g.peers.Open() {
		return true
	}
	c.w.Header().Set("Retry-After", "1")
	empty(c.w, http.StatusForbidden)
	return false
}

func (g *Registry) getApps(c *call) {
	g.proving(c, c.r)
	g.list(c, false)
}

func (g *Registry) getDelta(c *call) { g.list(c, true) }

// list answers with the whole registry or its delta. With since the caller says
// which version it has: it is answered 304 if nothing changed, at once or after
// wait, and a delta holds only what changed after that version, if the registry
// still knows.
func (g *Registry) list(c *call, delta bool) {
	if !g.readable(c) {
		return
	}
	a, ok := negotiate(c.r)
	if !ok {
		empty(c.w, http.StatusNotAcceptable)
		return
	}
	if since, ok := c.since(); ok {
		if !g.changed(c, since) {
			g.fetched[unchanged].answers.Add(1)
			c.w.WriteHeader(http.StatusNotModified)
			return
		}
		if delta {
			if apps, ok := g.leases.Since(since); ok {
				c.fetched = &g.fetched[sinceFetch]
				c.send(http.StatusOK, a.label, a.form.Applications(nil, apps))
				return
			}
		}
	}
	c.fetched = &g.fetched[fullFetch]
	if delta {
		c.fetched = &g.fetched[deltaFetch]
	}
	if takesGzip(c.r) {
		c.sendPacked(a.label, g.lists.Packed(a.form, delta))
		return
	}
	c.send(http.StatusOK, a.label, g.lists.Plain(a.form, delta))
}

// since reads which version the caller has.
func (c *call) since() (int64, bool) {
	if c.r.URL.RawQuery == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(c.r.URL.Query().Get("since"), 10, 64)
	return n, err == nil
}

// wait reads how long the caller would wait for a change: 30s, or 30.
func (c *call) wait() time.Duration {
	text := c.r.URL.Query().Get("wait")
	d, err := time.ParseDuration(text)
	if n, bad := strconv.Atoi(text); bad == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < 0 {
		return 0
	}
	return min(d, maxWait)
}

// changed waits until the registry differs from a version and reports whether
// it does.
func (g *Registry) changed(c *call, since int64) bool {
	g.waiting.Add(1)
	defer g.waiting.Add(-1)
	timer := time.NewTimer(c.wait())
	defer timer.Stop()
	for {
		next, already := g.leases.Changes(since)
		if already {
			return true
		}
		select {
		case <-next:
		case <-timer.C:
			return false
		case <-g.ending:
			return false
		case <-c.r.Context().Done():
			return false
		}
	}
}

func (g *Registry) getVIP(c *call) {
	g.some(c, func() eureka.Applications { return g.leases.VIP(c.id, false) })
}

func (g *Registry) getSVIP(c *call) {
	g.some(c, func() eureka.Applications { return g.leases.VIP(c.id, true) })
}

// some answers with a few applications in the form asked for.
func (g *Registry) some(c *call, get func() eureka.Applications) {
	if !g.readable(c) {
		return
	}
	a, ok := negotiate(c.r)
	if !ok {
		empty(c.w, http.StatusNotAcceptable)
		return
	}
	c.fetched = &g.fetched[someFetch]
	c.send(http.StatusOK, a.label, a.form.Applications(nil, get()))
}

// proving lets the answer carry a proof when the request, as asked says, proved
// that a registry of ours sent it: only then does it believe what is said of
// reserved names (decision E3). The proof covers the answer's body.
func (g *Registry) proving(c *call, asked *http.Request) {
	if g.cfg.Sign == nil || asked.Header.Get(identity.ProofHeader) == "" || !g.cfg.Authorize(asked) {
		return
	}
	c.prove = func(body []byte) {
		proof, err := g.cfg.Sign(eureka.Audience, peer.Bound(peer.AnswerMethod, body), c.r.URL.EscapedPath())
		if err == nil {
			c.w.Header().Set(identity.ProofHeader, proof)
		}
	}
}
