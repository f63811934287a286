package discovery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"ccms/internal/eureka"
)

const (
	hurryPause = 25 * time.Millisecond // between tries while somebody waits in Ready
	hurryTries = 400                   // about ten seconds of these
	tellAfter  = 5 * time.Second       // of failures
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second // between tries while the registry is away
	leaveTime  = 2 * time.Second // for both requests of leaving
)

// Run registers, keeps the lease and the list, and when ctx ends leaves the
// registry: status DOWN first, so that who still holds the entry stops calling,
// then gone.
func (c *Client) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	if c.cfg.Self != nil {
		every := func() time.Duration { return c.cfg.RenewEvery }
		renewal := loop{c, "registration", c.renewNow, every, c.renew, func() bool { return c.hurry() && !c.isRegistered() }}
		wg.Go(func() { renewal.run(ctx) })
	}
	fetching := loop{c, "fetch", c.fetchNow, c.fetchPause, c.fetch, c.hurry}
	wg.Go(func() { fetching.run(ctx) })
	wg.Wait()
	if c.cfg.Self != nil {
		c.leave(context.WithoutCancel(ctx))
	}
	return nil
}

func (c *Client) isRegistered() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.registered
}

// loop calls step now, and then every interval or when poked; after failures
// sooner, with growing pauses.
type loop struct {
	client *Client
	what   string
	poked  chan struct{}
	every  func() time.Duration
	step   func(context.Context) error
	hurry  func() bool
}

func (l loop) run(ctx context.Context) {
	failures, hurried := 0, 0
	var trouble outage
	for {
		err := l.step(ctx)
		if ctx.Err() != nil {
			return
		}
		trouble = l.report(trouble, err)
		failures++
		if err == nil {
			failures = 0
		}
		pause := l.pause(failures)
		if hurried < hurryTries && l.hurry() {
			hurried, pause = hurried+1, hurryPause
		} else if !l.hurry() {
			hurried = 0
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-l.poked:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// pause is the time to the next turn: jittered by a tenth, so that clients
// started together do not ask together.
func (l loop) pause(failures int) time.Duration {
	if failures == 0 {
		return jitter(l.every())
	}
	return jitter(min(firstPause<<min(failures-1, 10), maxPause))
}

// outage is a row of failures.
type outage struct {
	since time.Time
	told  bool
}

// report says once that something fails for a while, and once that it works
// again.
func (l loop) report(o outage, err error) outage {
	log, now := l.client.cfg.Log, l.client.cfg.Now()
	switch {
	case err == nil:
		if o.told {
			log.Info("registry: " + l.what + " works again")
		}
		return outage{}
	case o.since.IsZero():
		o.since = now
	case !o.told && now.Sub(o.since) >= tellAfter:
		o.told = true
		log.Warn("registry: "+l.what+" fails, trying on", "error.message", err.Error())
	}
	return o
}

func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

// renew sends a heartbeat, or registers where that is due.
func (c *Client) renew(ctx context.Context) error {
	unknown := c.locate()
	c.mu.Lock()
	self, registered := c.self, c.registered
	c.mu.Unlock()
	if !registered {
		if unknown != nil {
			return unknown
		}
		return c.register(ctx, self)
	}
	q := url.Values{"status": {string(self.Status)}, "lastDirtyTimestamp": {strconv.FormatInt(self.LastDirty, 10)}}
	answers, err := c.servers.everywhere(ctx, question{method: http.MethodPut, path: pathOf(self) + "?" + q.Encode()})
	switch {
	case err != nil:
		return err
	case some(answers, http.StatusNotFound):
		c.mu.Lock()
		if c.self == self {
			c.dirty(self.Status)
		}
		self = c.self
		c.mu.Unlock()
		return c.register(ctx, self)
	case !some(answers, http.StatusOK):
		return refused("heartbeat", answers[0])
	}
	return nil
}

// some reports whether a registry answered with status.
func some(answers []answer, status int) bool {
	return slices.ContainsFunc(answers, func(a answer) bool { return a.status == status })
}

// locate sees to it that what is registered is the address that Self has now.
func (c *Client) locate() error {
	if c.cfg.Address == nil {
		return nil
	}
	ip, err := c.cfg.Address()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if ip == "" || ip == c.self.IPAddr {
		return nil
	}
	base := address(c.self)
	base.Host = net.JoinHostPort(ip, base.Port())
	there, err := NewInstance(c.self.App, c.self.ID, base)
	if err != nil {
		return err
	}
	there.LastDirty = c.self.LastDirty
	there.Status, c.self = c.self.Status, there
	c.dirty(there.Status)
	return nil
}

func (c *Client) register(ctx context.Context, self *eureka.Instance) error {
	answers, err := c.servers.everywhere(ctx, registration(self))
	if err != nil {
		return err
	}
	if !some(answers, http.StatusNoContent) && !some(answers, http.StatusOK) {
		return refused("registration", answers[0])
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.self == self { // else the status changed meanwhile
		c.registered = true
		c.cfg.Log.Debug("registered", "eureka.app", self.App, "eureka.instance", self.ID, "eureka.status", string(self.Status))
	} else {
		poke(c.renewNow)
	}
	c.notify()
	poke(c.fetchNow)
	return nil
}

func registration(self *eureka.Instance) question {
	return question{method: http.MethodPost, path: "/apps/" + url.PathEscape(self.App), body: eureka.Form{}.Instance(nil, self)}
}

func refused(what string, a answer) error {
	if a.status == http.StatusForbidden {
		return fmt.Errorf("%s refused (403): the registry wants a proof made with its own internal credential", what)
	}
	return fmt.Errorf("%s refused (%d)", what, a.status)
}

func pathOf(in *eureka.Instance) string {
	return "/apps/" + url.PathEscape(in.App) + "/" + url.PathEscape(in.ID)
}

// leave tells the registry good-bye. Nobody waits long for a registry that is
// gone itself.
func (c *Client) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	c.mu.Lock()
	c.dirty(eureka.Down)
	self := c.self
	c.mu.Unlock()
	_, err := c.servers.everywhere(ctx, registration(self))
	if err == nil {
		_, err = c.servers.everywhere(ctx, question{method: http.MethodDelete, path: pathOf(self)})
	}
	if err != nil {
		c.cfg.Log.Debug("registry not told of the end", "error.message", err.Error())
	}
}
