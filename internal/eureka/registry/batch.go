package registry

import (
	"errors"
	"net/http"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/lease"
	"ccms/internal/eureka/registry/peer"
)

// batchLimit bounds a peer's batch, unpacked: 250 instances are about a third
// of a megabyte.
const batchLimit = 16 << 20

// postBatch takes over what a peer's clients did. Every item counts as
// replicated and is answered by itself, in order. A proof must cover the body.
func (g *Registry) postBatch(c *call) {
	b, isXML, err := c.body(batchLimit)
	var items []peer.Item
	if err == nil && isXML {
		err = errMediaType
	}
	if err == nil {
		items, err = peer.ParseBatch(b)
	}
	switch {
	case errors.Is(err, errMediaType):
		empty(c.w, http.StatusUnsupportedMediaType)
		return
	case errors.Is(err, errBodySize):
		empty(c.w, http.StatusRequestEntityTooLarge)
		return
	case errors.Is(err, peer.ErrEmpty):
		empty(c.w, http.StatusInternalServerError) // as the reference
		return
	case err != nil:
		c.unreadable(false)
		return
	}
	asked := c.r.Clone(c.r.Context())
	asked.Method = peer.Bound(asked.Method, b)
	results := make([]peer.Result, len(items))
	for i, item := range items {
		results[i] = g.replicate(asked, item)
	}
	body, err := peer.FormatResults(results)
	if err != nil {
		empty(c.w, http.StatusInternalServerError)
		return
	}
	g.proving(c, asked)
	c.send(http.StatusOK, "application/json", body)
}

// replicate carries out one item.
func (g *Registry) replicate(r *http.Request, item peer.Item) peer.Result {
	if item.Action == peer.Register {
		return g.replicateInstance(r, item)
	}
	if g.admits(r, item.App, item.ID, nil) != 0 {
		return peer.Result{Status: http.StatusForbidden}
	}
	switch item.Action {
	case peer.Heartbeat:
		v, in := g.leases.Heartbeat(item.App, item.ID, lease.Beat{Dirty: item.Dirty, Override: item.Overridden, Replicated: true})
		switch v {
		case lease.Missing:
			return peer.Result{Status: http.StatusNotFound}
		case lease.Conflict:
			return peer.Result{Status: http.StatusConflict, Instance: in}
		}
		return peer.Result{Status: http.StatusOK}
	case peer.Cancel:
		return found(g.leases.Cancel(item.App, item.ID))
	}
	if _, known := g.leases.Instance(item.App, item.ID); !known {
		return peer.Result{Status: http.StatusNotFound}
	}
	status, ok := eureka.ParseStatus(item.Status)
	switch {
	case item.Action == peer.StatusUpdate && ok:
		return found(g.leases.SetStatus(item.App, item.ID, status, item.Dirty))
	case item.Action == peer.DeleteStatusOverride && (ok || item.Status == ""):
		return found(g.leases.ClearStatus(item.App, item.ID, status, item.Dirty))
	}
	return peer.Result{Status: http.StatusInternalServerError}
}

func found(ok bool) peer.Result {
	if ok {
		return peer.Result{Status: http.StatusOK}
	}
	return peer.Result{Status: http.StatusNotFound}
}

// replicateInstance registers a peer's instance. As in the reference one that
// would be refused of a client is passed over with 200; a name that does not
// agree with itself is refused where either is reserved (decision E3).
func (g *Registry) replicateInstance(r *http.Request, item peer.Item) peer.Result {
	in := item.Instance
	if in == nil {
		return peer.Result{Status: http.StatusInternalServerError}
	}
	id := in.ResolveID()
	if g.admits(r, item.App, item.ID, in) != 0 || g.admits(r, in.App, id, in) != 0 {
		return peer.Result{Status: http.StatusForbidden}
	}
	if g.check(item.App, in) != "" {
		return peer.Result{Status: http.StatusOK}
	}
	complete(in)
	switch err := g.leases.Register(in, true); {
	case errors.Is(err, lease.ErrTooLarge):
		return peer.Result{Status: http.StatusRequestEntityTooLarge}
	case err != nil:
		return peer.Result{Status: http.StatusServiceUnavailable}
	}
	return peer.Result{Status: http.StatusOK}
}
