package discovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"ccms/internal/eureka"
)

// keep is the last good instances of an application the registry no longer
// names, though it never said that they left: a registry that restarted empty
// looks like that.
type keep struct {
	instances map[string]*eureka.Instance
	since     time.Time
}

// errMismatch says that a delta does not lead to the registry's list.
var errMismatch = errors.New("discovery: delta does not add up")

// watchPause is the time between two looks at a registry that tells of changes,
// so that many of them come together.
const watchPause = 20 * time.Millisecond

// fetch brings the list up to date: by a delta where one is held and the hash
// then agrees, else whole. A registry that tells of changes is listened to
// until there is one.
func (c *Client) fetch(ctx context.Context) error {
	c.mu.Lock()
	held, watching := c.version >= 0, c.watching && c.awaited == 0
	c.mu.Unlock()
	if held && watching {
		if err := c.watch(ctx); err == nil || errors.Is(err, errUnreachable) {
			return err
		}
	} else if held {
		if err := c.fetchDelta(ctx, question{method: http.MethodGet, path: "/apps/delta"}); err == nil || errors.Is(err, errUnreachable) {
			return err
		}
	}
	a, list, err := c.get(ctx, question{method: http.MethodGet, path: "/apps/"})
	if err != nil {
		return err
	}
	c.replace(a, list)
	return nil
}

// fetchPause is the time to the next look.
func (c *Client) fetchPause() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watching && !c.cut {
		return watchPause
	}
	return c.cfg.FetchEvery
}

// watch waits for the next change. Who cannot wait for that, because an
// instance does not answer, asks for a look at once.
func (c *Client) watch(ctx context.Context) error {
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	poked := make(chan bool, 1)
	go func() {
		select {
		case <-c.fetchNow:
			poked <- true
			stop()
		case <-waiting.Done():
			poked <- false
		}
	}()
	c.mu.Lock()
	since := strconv.FormatInt(c.version, 10)
	c.mu.Unlock()
	err := c.fetchDelta(waiting, question{method: http.MethodGet, path: "/apps/delta?since=" + since + "&wait=" + c.cfg.WatchFor.String(), wait: c.cfg.WatchFor})
	stop()
	if <-poked && err != nil && ctx.Err() == nil {
		return c.fetchDelta(ctx, question{method: http.MethodGet, path: "/apps/delta?since=" + since})
	}
	return err
}

func (c *Client) get(ctx context.Context, q question) (answer, eureka.Applications, error) {
	a, err := c.servers.do(ctx, q)
	switch {
	case err != nil:
		return answer{}, eureka.Applications{}, err
	case a.status == http.StatusNotModified:
		return a, eureka.Applications{}, nil
	case a.status != http.StatusOK:
		return answer{}, eureka.Applications{}, fmt.Errorf("fetch refused (%d)", a.status)
	}
	list, err := eureka.ParseApplications(false, a.body)
	return a, list, err
}

func (c *Client) fetchDelta(ctx context.Context, q question) error {
	began := c.cfg.Now()
	a, list, err := c.get(ctx, q)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = q.wait > 0 && a.status == http.StatusNotModified && c.cfg.Now().Sub(began) < q.wait/2
	if a.epoch != c.epoch {
		return errMismatch // another registry, or one that began anew
	}
	if a.status == http.StatusNotModified {
		c.settle()
		return nil
	}
	if list.Version < c.version {
		return errMismatch
	}
	for _, app := range list.Apps {
		for _, in := range app.Instances {
			c.apply(app.Name, in)
		}
	}
	c.version = list.Version
	if list.Hash != hashOf(c.mirror) {
		c.version = -1
		return errMismatch
	}
	c.settle()
	return nil
}

// apply takes over one entry of a delta. A deletion is the registry's word
// that the instance left, so nothing is kept of it.
func (c *Client) apply(app string, in *eureka.Instance) {
	byID := c.mirror[app]
	if in.Action == eureka.Deleted {
		delete(byID, in.ID)
		if len(byID) == 0 {
			delete(c.mirror, app)
		}
		if k := c.kept[app]; k != nil {
			delete(k.instances, in.ID)
		}
		return
	}
	if byID == nil {
		byID = map[string]*eureka.Instance{}
		c.mirror[app] = byID
	}
	byID[in.ID] = in
	delete(c.kept, app)
}

// replace takes over a whole list. Applications it no longer names are kept
// for a while.
func (c *Client) replace(from answer, list eureka.Applications) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := make(map[string]map[string]*eureka.Instance, len(list.Apps))
	for _, app := range list.Apps {
		byID := make(map[string]*eureka.Instance, len(app.Instances))
		for _, in := range app.Instances {
			if in.Action != eureka.Deleted {
				byID[in.ID] = in
			}
		}
		if len(byID) > 0 {
			fresh[app.Name] = byID
			delete(c.kept, app.Name)
		}
	}
	for name, byID := range c.mirror {
		if fresh[name] == nil {
			c.kept[name] = &keep{byID, c.cfg.Now()}
			c.cfg.Log.Debug("registry no longer names an application; keeping it for a while", "eureka.app", name)
		}
	}
	c.mirror = fresh
	c.version, c.epoch, c.watching = list.Version, from.epoch, from.tells
	c.settle()
}

// settle forgets what was kept long enough, finds out whether the registry
// forgot this service, and wakes those who wait. The caller holds the lock.
func (c *Client) settle() {
	now := c.cfg.Now()
	c.fetched = now
	for name, k := range c.kept {
		if now.Sub(k.since) >= c.cfg.Keep {
			delete(c.kept, name)
		}
	}
	maps.DeleteFunc(c.conditions, func(_ string, d *condition) bool { return d.idle(now) })
	if c.self != nil && c.registered && c.mirror[c.self.App][c.self.ID] == nil {
		poke(c.renewNow) // the heartbeat's 404 makes it register again
	}
	c.notify()
}

func hashOf(mirror map[string]map[string]*eureka.Instance) string {
	counts := map[eureka.Status]int{}
	for _, byID := range mirror {
		for _, in := range byID {
			counts[in.Status]++
		}
	}
	return eureka.Hash(counts)
}
