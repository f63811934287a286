// Package frame owns what all pages of the console have in common: the menu, who
// is logged in, in which firm and mode he works, what he may not, and how a page
// is shown. The pages themselves are those of other packages, each of which gives
// the console a Part:
//
//	//go:embed pages/*.html
//	var pages embed.FS
//
//	// Part is the pages about keys.
//	func Part(cfg Config) frame.Part {
//		s := &service{cfg}
//		return frame.Part{
//			Pages:         pages, // pages/keys.html, which defines "main"
//			OperatorsMenu: []frame.Entry{{Text: "Keys", Name: "keys"}},
//			Operators:     frame.Routes{"GET /keys": s.keys, "POST /keys/rotate": s.rotate},
//		}
//	}
//
//	func (s *service) keys(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
//		all, err := s.ask(r, d.Token())
//		if err != nil {
//			return err // FORBIDDEN shows why, what no form can mend the error page
//		}
//		return d.Show(w, r, frame.Shown{Title: "Keys", Page: "keys.html", Data: keysData{frame.Sheet{Desk: d}, all}})
//	}
//
// The data of a page is a struct around a Sheet. Its template begins with
// {{define "main"}}{{template "top" .}}, which shows what was done, what was
// wrong and the heading, and has "fields" (of a form), "time", and "pages" (of a
// list whose data has First and Next) at hand, beside what package page has. A part never shows a card number, and a secret once, by
// Desk.ShowOnce.
package frame

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"ccms/internal/console/backend"
	"ccms/internal/httpserver"
	"ccms/internal/page"
	"ccms/internal/page/session"
)

//go:embed pages/*.html
var own embed.FS

// The paths below which pages stand.
const (
	Home           = "/console"           // of who is logged in
	FirmPath       = Home + "/firms"      // of a firm follow its id and a mode
	OperationsPath = Home + "/operations" // of operators
	firmPattern    = FirmPath + "/{firm}/{mode}"
)

// Handler is a page, or what a form on one does.
type Handler func(w http.ResponseWriter, r *http.Request, d Desk) error

// Routes are handlers by method and path, such as "GET /keys/{key}". A form that
// another site sent reaches none of them.
type Routes map[string]Handler

// Part is a group of pages.
type Part struct {
	// Pages are the templates: every pages/*.html is one, by its own name, which
	// no other part has.
	Pages fs.FS
	// Menu are the entries of the menu that all pages of a firm have, and
	// OperatorsMenu of that which operators have elsewhere. Default none.
	Menu, OperatorsMenu []Entry
	// Firm are the pages of a firm in a mode, below /console/firms/{firm}/{mode};
	// who has nothing to do with the firm finds none.
	Firm Routes
	// Operators are the pages of operators, below /console/operations.
	Operators Routes
	// People are the pages of everybody who is logged in, below /console.
	People Routes
}

// Entry is one of a menu.
type Entry struct {
	Text string
	Name string          // the first element of the path: that of its pages
	For  func(Desk) bool // who sees it; default everybody
}

// Config is what New needs.
type Config struct {
	// Backend asks the services. Required.
	Backend *backend.Backend
	// PublicURL is where people reach the pages, without a trailing slash.
	PublicURL string
	// Sessions tells who is logged in. Required.
	Sessions *session.Jar
	// Idle is the login service's login.session-idle, of which people are warned;
	// default 15 min.
	Idle time.Duration
	// Parts are the pages, in the order of the menu.
	Parts []Part
}

// Frame is the console with all its pages; safe for concurrent use.
type Frame struct {
	c     Config
	pages *page.Set
}

// New returns the console of parts.
func New(c Config) (*Frame, error) {
	sources := layers{own}
	for _, p := range c.Parts {
		if p.Pages != nil {
			sources = append(sources, p.Pages)
		}
	}
	if _, err := sources.ReadDir("."); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	pages, err := page.Parse(sources, c.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	return &Frame{c, pages}, nil
}

// Routes registers the pages of all parts.
func (f *Frame) Routes(mux *httpserver.Mux) {
	for _, p := range f.c.Parts {
		register(mux, firmPattern, p.Firm, f.firm)
		register(mux, OperationsPath, p.Operators, f.operator)
		register(mux, Home, p.People, f.person)
	}
}

// origin is the page to come back to from what was asked for.
type origin func(*http.Request) string

func register(mux *httpserver.Mux, below string, routes Routes, as func(Handler, origin) httpserver.Handler) {
	for pattern, h := range routes {
		method, name, _ := strings.Cut(pattern, " ")
		from := itself
		if _, opens := routes[http.MethodGet+" "+name]; !opens {
			from = above
		}
		handler := as(h, from)
		if method != http.MethodGet {
			handler = page.SameOrigin(handler)
		}
		mux.Handle(method+" "+below+name, handler)
	}
}

func itself(r *http.Request) string { return r.URL.Path }

// above is the page on which a form stands whose address is none of a page.
func above(r *http.Request) string { return path.Dir(r.URL.Path) }
