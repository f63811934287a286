package httpserver

import (
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"

	"ccms/internal/problem"
)

// Mux routes by the patterns of http.ServeMux ("POST /register",
// "GET /status/{id}") and answers every failure in the contract's shape, its
// own 404 and 405 included. It never redirects: a Location would repeat a path
// that may hold a card number.
type Mux struct {
	mux      *http.ServeMux
	mounts   []mount
	patterns []string
	secrets  []string // what paths begin with that hold a secret
	log      *slog.Logger
	// ErrorPage, when set, answers an error for who asks for HTML, and reports
	// whether it did. Default nil: always JSON.
	ErrorPage func(w http.ResponseWriter, r *http.Request, status int, e *problem.Error) bool
}

type mount struct {
	prefix string
	h      http.Handler
}

// NewMux returns an empty Mux that logs causes to log.
func NewMux(log *slog.Logger) *Mux { return &Mux{mux: http.NewServeMux(), log: log} }

// Handle registers h for a ServeMux pattern with a method. What stands for a
// wildcard {secret} is in no log, whatever the method (decision A2).
func (m *Mux) Handle(pattern string, h Handler) {
	m.patterns = append(m.patterns, pattern)
	if before, _, ok := strings.Cut(pattern, "{secret}"); ok {
		m.secrets = append(m.secrets, before[strings.IndexByte(before, '/'):])
	}
	m.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			m.fail(w, r, err)
		}
	})
}

// Mount hands every path that is prefix or begins with prefix and a slash to
// h, before any pattern and uncleaned: h has its own router and error shape.
func (m *Mux) Mount(prefix string, h http.Handler) {
	m.mounts = append(m.mounts, mount{prefix, h})
}

// Patterns lists what was registered: the patterns of Handle, and PREFIX/**
// for each Mount.
func (m *Mux) Patterns() []string {
	all := slices.Clone(m.patterns)
	for _, mt := range m.mounts {
		all = append(all, mt.prefix+"/**")
	}
	return all
}

// ServeHTTP implements http.Handler.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := r.URL.EscapedPath()
	for _, prefix := range m.secrets {
		if strings.HasPrefix(p, prefix) {
			info(r.Context()).path = prefix + "{secret}"
		}
	}
	for _, mt := range m.mounts {
		if rest, ok := strings.CutPrefix(p, mt.prefix); ok && (rest == "" || rest[0] == '/') {
			info(r.Context()).route = mt.prefix + "/**"
			mt.h.ServeHTTP(w, r)
			return
		}
	}
	if !clean(r.URL.Path) {
		m.fail(w, r, problem.NoResource())
		return
	}
	h, pattern := m.mux.Handler(r)
	if pattern == "" || strings.Count(p, "/") < strings.Count(pattern, "/") { // no route, or a redirect to one with a slash
		m.fail(w, r, notRouted(h, r))
		return
	}
	info(r.Context()).route = pattern
	m.mux.ServeHTTP(w, r)
}

// notRouted turns the plain-text answer ServeMux would give into an error.
func notRouted(h http.Handler, r *http.Request) error {
	plain := answer{header: http.Header{}}
	h.ServeHTTP(&plain, r)
	if plain.status == http.StatusMethodNotAllowed {
		return problem.NoMethod(strings.Split(plain.header.Get("Allow"), ", "))
	}
	return problem.NoResource()
}

// answer is a ResponseWriter that keeps status and header only.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return len(b), nil }

// clean reports whether ServeMux would take p as it is; it would answer
// anything else with a redirect.
func clean(p string) bool {
	if p == "" || p[0] != '/' {
		return false
	}
	c := path.Clean(p)
	return c == p || c != "/" && c+"/" == p
}

func (m *Mux) fail(w http.ResponseWriter, r *http.Request, err error) {
	if m.ErrorPage != nil && wantsHTML(r) {
		e := problem.From(err)
		logCause(m.log, r, e, statuses[e.Kind])
		if m.ErrorPage(w, r, statuses[e.Kind], e) {
			return
		}
	}
	WriteError(m.log, w, r, err)
}

// wantsHTML reports whether r comes from a browser that navigates.
func wantsHTML(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}
