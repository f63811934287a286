package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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

// fetch brings the list up to date: by a delta where one is held and the hash
// then agrees, else whole.
func (c *Client) fetch(ctx context.Context) error {
	c.mu.Lock()
	held := c.version >= 0
	c.mu.Unlock()
	if held {
		if err := c.fetchDelta(ctx); err == nil || errors.Is(err, errUnreachable) {
			return err
		}
	}
	a, err := c.get(ctx, "/apps/")
	if err != nil {
		return err
	}
	c.replace(a)
	return nil
}

func (c *Client) get(ctx context.Context, path string) (eureka.Applications, error) {
	a, err := c.servers.do(ctx, question{http.MethodGet, path, nil})
	if err != nil {
		return eureka.Applications{}, err
	}
	if a.status != http.StatusOK {
		return eureka.Applications{}, fmt.Errorf("fetch refused (%d)", a.status)
	}
	return eureka.ParseApplications(false, a.body)
}

func (c *Client) fetchDelta(ctx context.Context) error {
	a, err := c.get(ctx, "/apps/delta")
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.Version < c.version {
		return errMismatch // another registry, or one that began anew
	}
	for _, app := range a.Apps {
		for _, in := range app.Instances {
			c.apply(app.Name, in)
		}
	}
	c.version = a.Version
	if a.Hash != hashOf(c.mirror) {
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
func (c *Client) replace(a eureka.Applications) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := make(map[string]map[string]*eureka.Instance, len(a.Apps))
	for _, app := range a.Apps {
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
	c.version = a.Version
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
	for address, until := range c.avoid {
		if !now.Before(until) {
			delete(c.avoid, address)
		}
	}
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
