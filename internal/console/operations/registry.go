package operations

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"ccms/internal/console/frame"
	"ccms/internal/page"
	"ccms/internal/problem"
	"ccms/internal/upstream"
)

const (
	listLimit = 32 << 20 // bytes of the registry's list that are read: 30,000 instances
	onePage   = 200      // instances or applications on a page
)

// instance is one in the registry.
type instance struct {
	ID         string `json:"instanceId"`
	App        string `json:"app"`
	Host       string `json:"hostName"`
	Address    string `json:"ipAddr"`
	Status     string `json:"status"`
	Overridden string `json:"overriddenStatus"`
}

// IsOverridden reports whether somebody gave it a status.
func (i instance) IsOverridden() bool { return i.Overridden != "" && i.Overridden != "UNKNOWN" }

// Path is the page that asks whether to do something to it.
func (i instance) Path(action string) string {
	return path("registry/act", url.Values{"action": {action}, "app": {i.App}, "id": {i.ID}})
}

// application is those that share a name.
type application struct {
	Name      string     `json:"name"`
	Instances []instance `json:"instance"`
}

// Path is the page of its instances.
func (a application) Path() string { return path("registry", url.Values{"app": {a.Name}}) }

// States are its instances by status: "UP 3, DOWN 1".
func (a application) States() string {
	counts := map[string]int{}
	for _, i := range a.Instances {
		counts[i.Status]++
	}
	var all []string
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, status+" "+count(counts[status]))
	}
	return strings.Join(all, ", ")
}

// registryData is the data of registry.html and registry-app.html.
type registryData struct {
	frame.Sheet
	Filter       string
	Total        int // instances that match
	Applications []application
	App          application // the one whose instances are shown
	Hidden       int         // applications or instances beyond a page
}

// asked turns the registry's answer into the contract's: its protocol has none.
func (s *service) askRegistry(r *http.Request, d frame.Desk, c upstream.Call) error {
	c.Service, c.Token, c.Limit = upstream.Registry, d.Token(), listLimit
	return s.c.Registry.Ask(r, c)
}

func (s *service) registry(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	data := registryData{Filter: r.URL.Query().Get("q"), Sheet: frame.Sheet{Desk: d, Done: frame.Done(r, map[string]string{
		"out-of-service": "The instance is out of service: nobody is sent to it until it is brought back.",
		"bring-back":     "The instance is back.",
		"deregister":     "The instance is removed. If it lives, it is back with its next heartbeat.",
	})}}
	if app := r.URL.Query().Get("app"); app != "" {
		return s.showApplication(w, r, data, app)
	}
	var out struct {
		Applications struct {
			All []application `json:"application"`
		} `json:"applications"`
	}
	call := upstream.Call{Method: http.MethodGet, Path: "/eureka/apps", Header: map[string]string{"X-Eureka-Accept": "compact"}, Out: &out}
	if err := s.askRegistry(r, d, call); err != nil {
		return err
	}
	for _, a := range out.Applications.All {
		if strings.Contains(strings.ToUpper(a.Name), strings.ToUpper(strings.TrimSpace(data.Filter))) {
			data.Applications = append(data.Applications, a)
			data.Total += len(a.Instances)
		}
	}
	slices.SortFunc(data.Applications, func(a, b application) int { return cmp.Compare(a.Name, b.Name) })
	data.Hidden = max(0, len(data.Applications)-onePage)
	data.Applications = data.Applications[:len(data.Applications)-data.Hidden]
	return d.Show(w, r, frame.Shown{Title: "Registry", Page: "registry.html", Data: data})
}

func (s *service) showApplication(w http.ResponseWriter, r *http.Request, data registryData, app string) error {
	found, err := s.application(r, data.Desk, app)
	if e, ok := errors.AsType[*problem.Error](err); ok && e.Kind == problem.NotFound {
		found, err = application{Name: app}, nil // it had one instance, which is gone
	}
	if err != nil {
		return err
	}
	data.App, data.Total = found, len(found.Instances)
	data.Hidden = max(0, data.Total-onePage)
	data.App.Instances = data.App.Instances[:data.Total-data.Hidden]
	return data.Show(w, r, frame.Shown{Title: found.Name, Page: "registry-app.html", Data: data})
}

// application asks for one with its instances.
func (s *service) application(r *http.Request, d frame.Desk, app string) (application, error) {
	var out struct {
		Application application `json:"application"`
	}
	err := s.askRegistry(r, d, upstream.Call{Method: http.MethodGet, Path: "/eureka/apps/" + url.PathEscape(app), Out: &out})
	if e, ok := errors.AsType[*problem.Error](err); ok && e.Kind == problem.Internal {
		err = problem.NoResource() // the protocol's 404 has no body
	}
	slices.SortFunc(out.Application.Instances, func(a, b instance) int { return cmp.Compare(a.ID, b.ID) })
	return out.Application, err
}

// action is something to be done to an instance.
type action struct {
	Title  string
	Text   string // what comes of it
	Button string
	Danger bool

	method, below, body string
}

// actionOf finds an action by the name the registry's own page uses.
func actionOf(name string) (action, bool) {
	switch name {
	case "out-of-service":
		return action{"Take out of service", "Clients are sent to it no more, once they have the new list: within half a minute. It keeps running.", "Take out of service", false, http.MethodPut, "/status", `{"status":"OUT_OF_SERVICE"}`}, true
	case "bring-back":
		return action{"Bring back", "What was said of its status counts no more; clients are sent to it again.", "Bring back", false, http.MethodDelete, "/status", ""}, true
	case "deregister":
		return action{"Deregister", "It leaves the list at once. An instance that lives is back with its next heartbeat; take it out of service to keep clients away.", "Deregister", true, http.MethodDelete, "", ""}, true
	}
	return action{}, false
}

// confirmData is the data of registry-act.html.
type confirmData struct {
	frame.Sheet
	Action   action
	Name     string // of the action
	Instance instance
}

// Back is the page of the instance's application.
func (c confirmData) Back() string { return application{Name: c.Instance.App}.Path() }

// confirm shows what will be done, to whom.
func (s *service) confirm(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	q := r.URL.Query()
	todo, known := actionOf(q.Get("action"))
	if !known {
		return problem.NoResource()
	}
	app, err := s.application(r, d, q.Get("app"))
	if err != nil {
		return err
	}
	at := slices.IndexFunc(app.Instances, func(i instance) bool { return i.ID == q.Get("id") })
	if at < 0 {
		return problem.NoResource()
	}
	data := confirmData{frame.Sheet{Desk: d}, todo, q.Get("action"), app.Instances[at]}
	return d.Show(w, r, frame.Shown{Title: todo.Title, Page: "registry-act.html", Data: data})
}

func (s *service) act(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	todo, known := actionOf(posted.Text("action"))
	if !known {
		return problem.NoResource()
	}
	app, id := posted.Text("app"), posted.Text("id")
	call := upstream.Call{Method: todo.method, Path: "/operator/instances/" + url.PathEscape(app) + "/" + url.PathEscape(id) + todo.below}
	if todo.body != "" {
		call.Body = []byte(todo.body)
	}
	if err := s.askRegistry(r, d, call); err != nil {
		return err
	}
	return page.Redirect(w, path("registry", url.Values{"app": {app}, "done": {posted.Text("action")}}))
}
