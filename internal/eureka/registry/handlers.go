package registry

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/lease"
	"ccms/internal/eureka/registry/peer"
)

func (g *Registry) getApp(c *call) {
	if !g.readable(c) {
		return
	}
	a, ok := negotiate(c.r)
	if !ok {
		empty(c.w, http.StatusNotAcceptable)
		return
	}
	app, ok := g.leases.Application(c.app)
	if !ok {
		empty(c.w, http.StatusNotFound)
		return
	}
	c.fetched = &g.fetched[someFetch]
	c.send(http.StatusOK, a.label, a.form.Application(nil, app))
}

func (g *Registry) getInstance(c *call) {
	c.fetched = &g.fetched[oneFetch]
	c.one(g.leases.Instance(c.app, c.id))
}

func (g *Registry) getAnywhere(c *call) {
	c.fetched = &g.fetched[oneFetch]
	c.one(g.leases.Anywhere(c.id))
}

func (c *call) one(in *eureka.Instance, found bool) {
	a, ok := negotiate(c.r)
	switch {
	case !ok:
		empty(c.w, http.StatusNotAcceptable)
	case !found:
		empty(c.w, http.StatusNotFound)
	default:
		c.send(http.StatusOK, a.label, a.form.Instance(nil, in))
	}
}

// postInstance registers. The checks come in the reference's order.
func (g *Registry) postInstance(c *call) {
	b, isXML, err := c.body(bodyLimit)
	var in *eureka.Instance
	if err == nil {
		in, err = eureka.ParseInstance(isXML, b)
	}
	switch {
	case errors.Is(err, errMediaType):
		empty(c.w, http.StatusUnsupportedMediaType)
		return
	case errors.Is(err, errBodySize):
		empty(c.w, http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		c.unreadable(isXML)
		return
	}
	if complaint := g.check(c.app, in); complaint != "" {
		c.send(http.StatusBadRequest, "text/plain", []byte(complaint))
		return
	}
	complete(in)
	c.id = in.ID
	if !g.admitted(c, in) {
		return
	}
	err = g.leases.Register(in, c.replicated())
	if err == nil {
		g.tell(c, peer.Register, "")
	}
	c.stored(err, http.StatusNoContent)
}

// tell passes on to the peers what a client did; what a peer passed on goes no
// further.
func (g *Registry) tell(c *call, a peer.Action, value eureka.Status) {
	if !c.replicated() {
		g.peers.Tell(c.app, c.id, a, value)
	}
}

// unreadable is the reference's answer to a body it cannot parse, in the
// syntax of the request.
func (c *call) unreadable(isXML bool) {
	form := eureka.Form{XML: isXML}
	body := `{"error": "cannot parse request body"}`
	if isXML {
		body = `<error><message>cannot parse request body</message></error>`
	}
	c.send(http.StatusBadRequest, form.MediaType(), []byte(body))
}

// check returns what is wrong with a registration, "" for nothing.
func (g *Registry) check(app string, in *eureka.Instance) string {
	switch {
	case blank(in.ResolveID()):
		return "Missing instanceId"
	case blank(in.HostName):
		return "Missing hostname"
	case blank(in.IPAddr):
		return "Missing ip address"
	case blank(in.App):
		return "Missing appName"
	case in.App != app:
		return "Mismatched appName, expecting " + app + " but was " + in.App
	case in.DataCenter == nil:
		return "Missing dataCenterInfo"
	case in.DataCenter.Name == "":
		return "Missing dataCenterInfo Name"
	}
	return ""
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// complete fills in the id: a client that reads an instance without one drops
// it, and Amazon's keeps it in its metadata too.
func complete(in *eureka.Instance) {
	in.ID = in.ResolveID()
	if d := in.DataCenter; d.Name == eureka.Amazon && d.Metadata["instance-id"] == "" {
		if d.Metadata == nil {
			d.Metadata = map[string]string{}
		}
		d.Metadata["instance-id"] = in.ID
	}
}

// stored answers a write that may have met the registry's bounds.
func (c *call) stored(err error, status int) {
	switch {
	case errors.Is(err, lease.ErrTooLarge):
		empty(c.w, http.StatusRequestEntityTooLarge)
	case err != nil:
		c.w.Header().Set("Retry-After", "30")
		empty(c.w, http.StatusServiceUnavailable)
	case status == http.StatusNoContent:
		c.w.WriteHeader(status)
	default:
		empty(c.w, status)
	}
}

// putHeartbeat renews a lease. Its 200 and 404 have no body: a client that
// finds one takes the answer for a failure.
func (g *Registry) putHeartbeat(c *call) {
	q := c.r.URL.Query()
	dirty, ok := dirtyOf(q)
	if !ok {
		empty(c.w, http.StatusBadRequest)
		return
	}
	if !g.authorized(c) {
		return
	}
	override, _ := eureka.ParseStatus(q.Get("overriddenstatus"))
	v, in := g.leases.Heartbeat(c.app, c.id, lease.Beat{Dirty: dirty, Override: override, Replicated: c.replicated()})
	switch v {
	case lease.Renewed:
		g.tell(c, peer.Heartbeat, "")
		empty(c.w, http.StatusOK)
	case lease.Missing:
		empty(c.w, http.StatusNotFound)
	case lease.Conflict:
		form, label := eureka.Form{}, "application/json"
		if a, ok := negotiate(c.r); ok {
			form, label = a.form, a.label
		}
		c.send(http.StatusConflict, label, form.Instance(nil, in))
	}
}

func (g *Registry) deleteInstance(c *call) {
	if !g.authorized(c) {
		return
	}
	ok := g.leases.Cancel(c.app, c.id)
	if ok {
		g.tell(c, peer.Cancel, "")
	}
	c.found(ok)
}

func (c *call) found(ok bool) {
	if ok {
		empty(c.w, http.StatusOK)
		return
	}
	empty(c.w, http.StatusNotFound)
}

func (g *Registry) putStatus(c *call) {
	g.statusCall(c, peer.StatusUpdate, g.leases.SetStatus)
}

func (g *Registry) deleteStatus(c *call) {
	g.statusCall(c, peer.DeleteStatusOverride, g.leases.ClearStatus)
}

// statusCall reads value and lastDirtyTimestamp; without a value an override is
// removed to UNKNOWN.
func (g *Registry) statusCall(c *call, a peer.Action, do func(app, id string, s eureka.Status, dirty *int64) bool) {
	if !g.authorized(c) {
		return
	}
	q := c.r.URL.Query()
	if _, known := g.leases.Instance(c.app, c.id); !known {
		empty(c.w, http.StatusNotFound)
		return
	}
	value := q.Get("value")
	if value == "" && a == peer.DeleteStatusOverride {
		value = string(eureka.Unknown)
	}
	status, ok := eureka.ParseStatus(value)
	if !ok {
		empty(c.w, http.StatusInternalServerError) // as the reference
		return
	}
	dirty, ok := dirtyOf(q)
	if !ok {
		empty(c.w, http.StatusBadRequest)
		return
	}
	done := do(c.app, c.id, status, dirty)
	if done {
		g.tell(c, a, status)
	}
	c.found(done)
}

// dirtyOf reads lastDirtyTimestamp, nil when absent; not ok when it is no
// number.
func dirtyOf(q url.Values) (*int64, bool) {
	text := q.Get("lastDirtyTimestamp")
	if text == "" {
		return nil, true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return &n, err == nil
}

func (g *Registry) putMetadata(c *call) {
	if !g.authorized(c) {
		return
	}
	add := map[string]string{}
	for k, v := range c.r.URL.Query() {
		if k != "@class" { // Java's, never the registrant's
			add[k] = v[0]
		}
	}
	ok, err := g.leases.AddMetadata(c.app, c.id, add)
	if !ok {
		empty(c.w, http.StatusNotFound)
		return
	}
	if err == nil {
		g.tell(c, peer.Register, "")
	}
	c.stored(err, http.StatusOK)
}

// putASG is for Amazon's auto-scaling groups, which this registry is not in.
func (g *Registry) putASG(c *call) {
	empty(c.w, http.StatusBadRequest)
}
