// Package operations owns the pages of operators (decision B13): the registry and
// what they do to its instances, keys, the audit log, backups, and who else is
// one. Firms are package console's. It keeps nothing and does nothing itself: the
// services do, with the token of who is logged in.
package operations

import (
	"embed"
	"net/http"
	"net/url"
	"time"

	"ccms/internal/console/frame"
	"ccms/internal/upstream"
)

//go:embed pages/*.html
var pages embed.FS

// Config is what Part needs.
type Config struct {
	// Services asks the login and the card service. Required.
	Services *upstream.Client
	// Registry asks the registry, with the proof that opens our own services'
	// names too (decision E3). Required.
	Registry *upstream.Client
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// service has the pages.
type service struct{ c Config }

// Part is the pages of operators.
func Part(c Config) frame.Part {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &service{c}
	return frame.Part{
		Pages: pages,
		OperatorsMenu: []frame.Entry{
			{Text: "Registry", Name: "registry"}, {Text: "Keys", Name: "keys"}, {Text: "Audit log", Name: "audit"},
			{Text: "Backups", Name: "backups"}, {Text: "Operators", Name: "people"},
		},
		Operators: frame.Routes{
			"GET /registry":                s.registry,
			"GET /registry/act":            s.confirm,
			"POST /registry/act":           s.act,
			"GET /keys":                    s.keys,
			"POST /keys/rotate":            s.rotate,
			"POST /keys/rewrap":            s.rewrap,
			"GET /audit":                   s.audit,
			"POST /audit/verify":           s.verify,
			"GET /audit/heads.json":        s.heads,
			"GET /backups":                 s.backups,
			"GET /people":                  s.people,
			"POST /people":                 s.addPerson,
			"GET /people/{person}/remove":  s.confirmRemoval,
			"POST /people/{person}/remove": s.removePerson,
		},
	}
}

// holder is a service that has keys and a record, and what people call it.
type holder struct{ service, prefix, name string }

// holders are those there are.
func holders() []holder {
	return []holder{{upstream.Login, "/api/operator", "Login service"}, {upstream.Cards, "/v1/operator", "Card service"}}
}

// of is the holder somebody chose in a form.
func of(service string) (holder, bool) {
	for _, h := range holders() {
		if h.service == service {
			return h, true
		}
	}
	return holder{}, false
}

// ask asks a service for something of operators.
func (s *service) ask(r *http.Request, d frame.Desk, h holder, c upstream.Call) error {
	c.Service, c.Token, c.Path = h.service, d.Token(), h.prefix+c.Path
	return s.c.Services.Ask(r, c)
}

// path is that of a page here.
func path(page string, q url.Values) string {
	return frame.WithQuery(frame.OperationsPath+"/"+page, q)
}

// Task is something that takes long, as a service tells it.
type Task struct {
	State   string    `json:"state"`
	Started time.Time `json:"started_at"`
	Ended   time.Time `json:"ended_at"`
}

// Running reports whether it goes on.
func (t Task) Running() bool { return t.State == "running" }
