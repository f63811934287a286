package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"ccms/internal/console/backend"
	"ccms/internal/httpserver"
	"ccms/internal/page"
	"ccms/internal/page/session"
	"ccms/internal/problem"
	"ccms/internal/secret"
)

// The modes of decision D8.
const (
	testMode = "test"
	liveMode = "live"
)

const firmPath = "/console/firms/{firm}/{mode}"

// Desk is where a person works on a firm: which firm, in which mode, and what he
// may do there. What he may not the services refuse; the desk spares him the
// button.
type Desk struct {
	Firm backend.Firm
	Mode string
	who  session.Session
}

// Base is the path of the firm's pages in this mode.
func (d Desk) Base() string { return base(d.Firm.ID, d.Mode) }

func base(firm, mode string) string { return "/console/firms/" + url.PathEscape(firm) + "/" + mode }

// Member reports whether he is one, and no operator without a role.
func (d Desk) Member() bool { return d.Firm.Role != "" }

// Manages reports whether he may change clients, cards, links and rules.
func (d Desk) Manages() bool {
	return (d.Firm.Role == "admin" || d.Firm.Role == "owner") && !d.Firm.Suspended
}

// ManagesPeople reports whether he may invite and remove people.
func (d Desk) ManagesPeople() bool { return d.Manages() || !d.Member() }

// ManagesOwners reports whether he may make and remove owners.
func (d Desk) ManagesOwners() bool { return d.ManagesPeople() && d.Firm.Role != "admin" }

func (d Desk) caller() backend.Caller {
	return backend.Caller{Token: d.who.Token, Firm: d.Firm.ID, Mode: d.Mode}
}

// deskHandler is a page of a firm.
type deskHandler func(w http.ResponseWriter, r *http.Request, d Desk) error

// desk runs h for a person who has something to do with the firm in the path;
// others find no such firm.
func (s *Service) desk(h deskHandler) httpserver.Handler {
	return s.sessions.Person("/console", func(w http.ResponseWriter, r *http.Request, who session.Session) error {
		d := Desk{Mode: r.PathValue("mode"), who: who}
		if d.Mode != testMode && d.Mode != liveMode {
			return problem.NoResource()
		}
		var err error
		d.Firm, err = s.ask.Firm(r, backend.Caller{Token: who.Token, Firm: r.PathValue("firm")})
		if err != nil {
			return s.denied(w, r, who, err)
		}
		err = h(w, r, d)
		if e, ok := errors.AsType[*problem.Error](err); ok && e.Code == forbidden {
			return s.show(w, r, shown{desk: &d, title: "You cannot do this", page: "denied.html", status: http.StatusForbidden, data: deniedData{sheet: sheet{Desk: d}, Why: e.Details}})
		}
		return err
	})
}

const forbidden = "FORBIDDEN"

// deniedData is the data of denied.html.
type deniedData struct {
	sheet
	Why        string
	Unverified bool // it is his address that has to be confirmed first
}

// denied shows a page for what somebody may not do; other errors go on.
func (s *Service) denied(w http.ResponseWriter, r *http.Request, who session.Session, err error) error {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok || e.Code != forbidden && e.Code != "UNVERIFIED_ACCOUNT" {
		return err
	}
	return s.show(w, r, shown{who: who, title: "You cannot do this", page: "denied.html", status: http.StatusForbidden, data: deniedData{Why: e.Details, Unverified: e.Code != forbidden}})
}

// sheet is what the data of every page has.
type sheet struct {
	Desk
	Form   *page.Form // nil where nothing is filled in
	Done   string     // what was just done
	Notice string     // what went wrong that no field can mend
}

// refused puts what a service said of a form to the field it names, else to the
// top. Errors that are no refusal are returned.
func (h *sheet) refused(err error, fields map[string]string) error {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok || e.Kind != problem.Invalid && e.Kind != problem.Conflict {
		return err
	}
	for word, id := range fields {
		if f := h.Form.Field(id); f != nil && strings.Contains(e.Details, word) {
			f.Error = e.Details
			return nil
		}
	}
	h.Notice = cmp.Or(e.Details, e.Message)
	return nil
}

// status is that of a page with a form on it.
func (h *sheet) status() int {
	if h.Notice != "" || h.Form != nil && len(h.Form.Wrong()) > 0 {
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// shown is a page to be sent.
type shown struct {
	desk   *Desk // nil for pages of no firm
	who    session.Session
	title  string
	page   string       // file
	data   any          // a struct around a sheet
	status int          // default 200
	once   secret.Bytes // shown once; default none
}

func (s *Service) show(w http.ResponseWriter, r *http.Request, v shown) error {
	status := cmp.Or(v.status, http.StatusOK)
	view := page.View{
		Language: s.english(), Title: v.title, Error: status == http.StatusBadRequest, Here: r.URL.Path,
		Person: v.who.Person, Nav: &page.Nav{Name: "Console", Home: "/console"}, Data: v.data, Once: v.once,
	}
	if v.once.Len() > 0 {
		view.Scripts = []string{"console.js"}
	}
	if v.desk != nil {
		view.Person, view.Nav = v.desk.who.Person, v.desk.nav(r.URL.Path)
	}
	return s.pages.Render(w, status, v.page, view)
}

func (s *Service) english() *page.Language { return s.pages.Named("en") }

// nav is the menu of the firm's pages. A mode is changed to on the first page of
// the same section: what a deeper one shows lives in one mode.
func (d Desk) nav(here string) *page.Nav {
	section, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(here, d.Base()), "/"), "/")
	n := &page.Nav{Name: d.Firm.Name, Home: d.Base()}
	for _, mode := range []string{testMode, liveMode} {
		path := base(d.Firm.ID, mode)
		if section != "" {
			path += "/" + section
		}
		n.Modes = append(n.Modes, page.Link{Text: modeName(mode), Path: path, Here: mode == d.Mode})
	}
	add := func(text, name string) {
		path := d.Base()
		if name != "" {
			path += "/" + name
		}
		n.Links = append(n.Links, page.Link{Text: text, Path: path, Here: name == section})
	}
	add("Overview", "")
	if d.Member() {
		add("Registrations", "registrations")
	}
	if d.Manages() {
		add("Links", "links") // a viewer may not even look at them
	}
	if d.Member() {
		add("API clients", "clients")
	}
	add("People", "people")
	add("Audit", "audit")
	if d.Member() {
		add("Settings", "settings")
	}
	return n
}

// modeName is how a mode is called on pages.
func modeName(mode string) string { return map[string]string{testMode: "Test", liveMode: "Live"}[mode] }

// ModeName is how the desk's mode is called.
func (d Desk) ModeName() string { return modeName(d.Mode) }

// done returns the sentence for what the query says was done, "" for nothing.
func done(r *http.Request, sentences map[string]string) string {
	return sentences[r.URL.Query().Get("done")]
}
