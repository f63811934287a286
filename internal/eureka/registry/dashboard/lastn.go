package dashboard

import (
	"net/http"
	"time"

	"ccms/internal/eureka/registry/lease"
)

// lastn is what the page at "/lastn" shows, newest first.
type lastn struct{ Cancelled, Registered []event }

type event struct{ At, Lease string }

// serveLastN lists the last thousand leases that were cancelled and the last
// thousand that were registered, on one page as the reference does.
func (d *Dashboard) serveLastN(w http.ResponseWriter, _ *http.Request) error {
	return d.render(w, d.lastn, "Last 1000 leases", lastn{
		Cancelled: shown(d.cfg.Table.LastCancelled()), Registered: shown(d.cfg.Table.LastRegistered()),
	})
}

func shown(leases []lease.Event) []event {
	all := make([]event, len(leases))
	for i, e := range leases {
		all[i] = event{stamp(time.UnixMilli(e.At)), leaseOf(e)}
	}
	return all
}

// leaseOf is a lease as the reference writes it.
func leaseOf(e lease.Event) string { return e.App + "(" + e.ID + ")" }
