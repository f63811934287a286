package dashboard

import (
	"net/http"
	"time"

	"ccms/internal/eureka/registry/lease"
)

// lastn is what the page at "/lastn" shows.
type lastn struct {
	Registered bool // which of the two lists
	Events     []event
}

type event struct{ At, Lease string }

// serveLastN lists the last thousand leases that were cancelled or, with
// list=registered, registered.
func (d *Dashboard) serveLastN(w http.ResponseWriter, r *http.Request) error {
	p := lastn{Registered: r.URL.Query().Get("list") == "registered"}
	events := d.cfg.Table.LastCancelled
	if p.Registered {
		events = d.cfg.Table.LastRegistered
	}
	for _, e := range events() {
		p.Events = append(p.Events, event{stamp(time.UnixMilli(e.At)), leaseOf(e)})
	}
	return d.render(w, d.lastn, "Last 1000 leases", p)
}

// leaseOf is a lease as the reference writes it.
func leaseOf(e lease.Event) string { return e.App + "(" + e.ID + ")" }
