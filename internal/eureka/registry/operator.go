package registry

import (
	"net/http"
	"strings"

	"ccms/internal/audit"
	"ccms/internal/card"
	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/peer"
	"ccms/internal/httpserver"
	"ccms/internal/problem"
)

// The operator's actions are beside the protocol: they need a Bearer token
// (decision E4) and answer in the contract's shape. They reach peers like a
// client's.
func (g *Registry) operatorRoutes(mux *httpserver.Mux) {
	handle := func(pattern string, h httpserver.Handler) {
		mux.Handle(pattern, httpserver.As(g.cfg.Operator, h))
	}
	handle("PUT /operator/instances/{app}/{id}/status", httpserver.JSON(g.override))
	handle("DELETE /operator/instances/{app}/{id}/status", httpserver.JSON(g.bringBack))
	handle("DELETE /operator/instances/{app}/{id}", httpserver.JSON(g.deregister))
	handle("DELETE /operator/self-preservation", httpserver.JSON(g.leave))
}

// overrideIn is the status an operator gives an instance.
type overrideIn struct {
	Status string `json:"status"`
}

func (g *Registry) override(r *http.Request, in overrideIn) (httpserver.Message, error) {
	status, ok := eureka.ParseStatus(in.Status)
	if !ok || status == eureka.Unknown {
		return httpserver.Message{}, problem.Validation("status must be UP, DOWN, STARTING or OUT_OF_SERVICE.")
	}
	err := g.act(r, action{"registry.override", peer.StatusUpdate, status, func(app, id string) bool {
		return g.leases.SetStatus(app, id, status, nil)
	}})
	return httpserver.Message{Message: "Status overridden"}, err
}

// bringBack removes an override. The instance is shown UP at once, until its
// next registration says what it is.
func (g *Registry) bringBack(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	err := g.act(r, action{"registry.bring-back", peer.DeleteStatusOverride, eureka.Up, func(app, id string) bool {
		return g.leases.ClearStatus(app, id, eureka.Up, nil)
	}})
	return httpserver.Message{Message: "Override removed"}, err
}

func (g *Registry) deregister(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	err := g.act(r, action{"registry.deregister", peer.Cancel, "", g.leases.Cancel})
	return httpserver.Message{Message: "Instance deregistered"}, err
}

// leave ends self-preservation until it is needed again.
func (g *Registry) leave(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	err := g.recorded(r, Act{Name: "registry.leave-protection"}, func() error {
		g.leases.Leave()
		return nil
	})
	return httpserver.Message{Message: "Self-preservation ended"}, err
}

// Act is something an operator does, for the record.
type Act struct {
	Name   string // a dotted word
	Object string // application and id, a slash between; "" for the registry itself
	Result string // one of package audit; "" before it happens
}

// recorded does what an operator asked for, on record before and after.
func (g *Registry) recorded(r *http.Request, a Act, do func() error) error {
	if err := g.cfg.Record(r, a); err != nil {
		return err
	}
	err := do()
	if a.Result = audit.Success; err != nil {
		a.Result = audit.Refused
	}
	if told := g.cfg.Record(r, a); told != nil {
		g.cfg.Log.WarnContext(r.Context(), "outcome of an act was not recorded", "event.action", a.Name, "error.message", told)
	}
	g.cfg.Log.InfoContext(r.Context(), "an operator acts on the registry, which comes to: "+a.Result, "event.action", a.Name, "eureka.instance", card.MaskRuns(a.Object))
	return err
}

// action is what an operator does to an instance: its name, as peers are told,
// and how.
type action struct {
	name  string
	tell  peer.Action
	value eureka.Status
	do    func(app, id string) bool
}

// act does something to the instance of r's path. A reserved name needs our own
// proof beside the token (decision E3).
func (g *Registry) act(r *http.Request, a action) error {
	app, id := strings.ToUpper(r.PathValue("app")), r.PathValue("id")
	if g.leases.Reserved(app, id) && !g.cfg.Authorize(r) {
		return problem.Denied("The name is one of our own services'; act on it from the console.")
	}
	return g.recorded(r, Act{Name: a.name, Object: app + "/" + id}, func() error {
		if !a.do(app, id) {
			return problem.NoResource()
		}
		g.peers.Tell(app, id, a.tell, a.value)
		return nil
	})
}
