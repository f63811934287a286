package frame

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"ccms/internal/httpserver"
	"ccms/internal/page"
	"ccms/internal/page/session"
	"ccms/internal/problem"
	"ccms/internal/secret"
)

const forbidden = "FORBIDDEN"

// firm runs h for a person who has something to do with the firm in the path;
// others find no such firm.
func (f *Frame) firm(h Handler, from origin) httpserver.Handler {
	return f.desk(from, func(w http.ResponseWriter, r *http.Request, d Desk) error {
		mode := r.PathValue("mode")
		if mode != Test && mode != Live {
			return problem.NoResource()
		}
		asked := d.Caller()
		asked.Firm = r.PathValue("firm")
		found, err := f.c.Backend.Firm(r, asked)
		if err != nil {
			return err
		}
		d.Firm, d.Mode, d.Operator = found, mode, found.Role == ""
		return d.denied(w, r, h(w, r, d))
	})
}

// person runs h for who is logged in.
func (f *Frame) person(h Handler, from origin) httpserver.Handler {
	return f.desk(from, func(w http.ResponseWriter, r *http.Request, d Desk) (err error) {
		if d.Operator, err = f.c.Backend.Operator(r, d.Token()); err != nil {
			return err
		}
		return d.denied(w, r, h(w, r, d))
	})
}

// operator runs h for operators.
func (f *Frame) operator(h Handler, from origin) httpserver.Handler {
	return f.person(func(w http.ResponseWriter, r *http.Request, d Desk) error {
		if !d.Operator {
			return problem.Denied("This is for operators.")
		}
		return h(w, r, d)
	}, from)
}

func (f *Frame) desk(from origin, h Handler) httpserver.Handler {
	return f.c.Sessions.Person(from, func(w http.ResponseWriter, r *http.Request, who session.Session) error {
		d := Desk{frame: f, who: who, from: from}
		return d.denied(w, r, h(w, r, d))
	})
}

// deniedData is the data of denied.html.
type deniedData struct {
	Sheet
	Why        string
	Unverified bool // it is his address that has to be confirmed first
}

// denied shows a page for what somebody may not do; other errors go on.
func (d Desk) denied(w http.ResponseWriter, r *http.Request, err error) error {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok || e.Code != forbidden && e.Code != "UNVERIFIED_ACCOUNT" {
		return err
	}
	return d.Show(w, r, Shown{
		Title: "You cannot do this", Page: "denied.html", Status: http.StatusForbidden,
		Data: deniedData{Sheet: Sheet{Desk: d}, Why: e.Details, Unverified: e.Code != forbidden},
	})
}

// Shown is a page to be sent.
type Shown struct {
	Title   string
	Page    string       // the template's file
	Data    any          // a struct around a Sheet
	Status  int          // default 200; 400 marks the title as one of an error
	Scripts []string     // names of assets; default none
	Once    secret.Bytes // stands where the template says {{once}}, wiped by the caller; default none
}

// Show sends a page.
func (d Desk) Show(w http.ResponseWriter, r *http.Request, v Shown) error {
	status := cmp.Or(v.Status, http.StatusOK)
	english := d.Language("en")
	view := page.View{
		Language: english, Title: v.Title, Error: status == http.StatusBadRequest, Here: d.here(r),
		Person: d.who.Person, Stay: d.who.Stay(english, d.frame.c.Idle), Nav: d.nav(r.URL.Path), Data: v.Data, Once: v.Once, Scripts: v.Scripts,
	}
	return d.frame.pages.Render(w, status, v.Page, view)
}

// here is the page to come back to after logging in.
func (d Desk) here(r *http.Request) string {
	if r.Method == http.MethodGet {
		return session.Asked(r.URL)
	}
	return d.from(r)
}

// Once is a secret to be shown once.
type Once struct {
	Title    string
	Text     string       // what to do with it
	Label    string       // what it is called
	Secret   secret.Bytes // wiped by the caller
	ClientID string       // "" for what is of none
	Back     string       // path to go on to, once it is copied
}

// onceData is the data of once.html.
type onceData struct {
	Sheet
	Once
}

// ShowOnce shows a secret. It stands in this answer and nowhere else.
func (d Desk) ShowOnce(w http.ResponseWriter, r *http.Request, o Once) error {
	return d.Show(w, r, Shown{
		Title: o.Title, Page: "once.html", Once: o.Secret, Scripts: []string{"console.js"}, Data: onceData{Sheet{Desk: d}, o},
	})
}

// nav is the menu of the page at a path.
func (d Desk) nav(here string) *page.Nav {
	if d.Firm.ID != "" {
		return d.firmNav(here)
	}
	n := &page.Nav{Name: "Console", Home: Home}
	if !d.Operator {
		return n
	}
	n.Links = []page.Link{{Text: "Your firms", Path: Home, Here: here == Home}, {Text: "All firms", Path: FirmPath, Here: here == FirmPath}}
	for _, p := range d.frame.c.Parts {
		for _, e := range p.OperatorsMenu {
			path := OperationsPath + "/" + e.Name
			if e.For == nil || e.For(d) {
				n.Links = append(n.Links, page.Link{Text: e.Text, Path: path, Here: here == path || strings.HasPrefix(here, path+"/")})
			}
		}
	}
	return n
}

// firmNav is the menu of a firm's pages. A mode is changed to on the first page
// of the same section: what a deeper one shows lives in one mode.
func (d Desk) firmNav(here string) *page.Nav {
	section, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(here, d.Base()), "/"), "/")
	below := func(mode, name string) string { return strings.TrimSuffix(Base(d.Firm.ID, mode)+"/"+name, "/") }
	n := &page.Nav{Name: d.Firm.Name, Home: d.Base()}
	for _, mode := range []string{Test, Live} {
		n.Modes = append(n.Modes, page.Link{Text: modeName(mode), Path: below(mode, section), Here: mode == d.Mode})
	}
	for _, p := range d.frame.c.Parts {
		for _, e := range p.Menu {
			if e.For == nil || e.For(d) {
				n.Links = append(n.Links, page.Link{Text: e.Text, Path: below(d.Mode, e.Name), Here: e.Name == section})
			}
		}
	}
	return n
}
