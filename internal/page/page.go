// Package page owns what all pages share: the layout, style and scripts, the
// catalogue of texts, the response headers (CSP among them) and the rendering
// of a template into a buffer before anything is sent. It knows no page of a
// domain; those bring their own templates and data.
package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"ccms/internal/secret"
)

//go:embed templates/*.html assets/* catalogue/*.json
var files embed.FS

// policy lets a page load our own style, scripts and images, send to ourselves,
// and nothing else. A script may turn no text into markup (Trusted Types), so
// that a text that got into a page stays one (PCI DSS 6.4.3, OWASP CSP).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'; form-action 'self'"

// Set is a parsed set of pages that share the layout.
type Set struct {
	pages     map[string]*template.Template
	assets    map[string]*asset // by the name of the file
	byPath    map[string]*asset
	languages []*Language // the first is the default
	secure    string      // Strict-Transport-Security, "" over plain HTTP
}

// View is what the layout shows around a page.
type View struct {
	*Language          // of the page; default English
	Title     string   // of the document and the first heading
	Error     bool     // the person has something to correct: the title says so
	Here      string   // path of the page, for coming back to it
	Person    string   // who is logged in, "" for nobody
	Stay      *Stay    // how long he stays logged in; default nothing is said of it
	Scripts   []string // names of assets
	Hosted    bool     // a page for somebody else's customers: no way to log in
	Scheme    string   // light or dark; default as the person has it
	Embedders []string // origins that may show the page in a frame, then without a frame of its own; default none
	Onward    []string // origins that answers to its forms may lead to; default none
	Nav       *Nav     // a menu below the bar; default none
	// Once is a secret that stands where the template says {{once}}, in text; the
	// caller wipes it. Default none.
	Once secret.Bytes
	Data any // the page's own
}

// View begins the view of a page that answers r, whose title is the text of key.
func (s *Set) View(r *http.Request, key string, args ...any) View {
	lang := s.Language(r)
	return View{Language: lang, Title: lang.T(key, args...), Here: r.URL.Path}
}

// Parse reads every *.html of pages as one page each; each defines "main". What
// the others define whose names begin with an underscore, all of them may use.
// People reach them at publicURL, without a trailing slash: where that is
// https, browsers are told to stay with it.
func Parse(pages fs.FS, publicURL string) (*Set, error) {
	s := &Set{pages: map[string]*template.Template{}, secure: transportSecurity(publicURL)}
	if err := s.loadAssets(); err != nil {
		return nil, err
	}
	if err := s.loadLanguages(); err != nil {
		return nil, err
	}
	layout, err := template.New("layout.html").Funcs(template.FuncMap{"asset": s.asset, "once": once}).ParseFS(files, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("parse layout: %w", err)
	}
	if parts, _ := fs.Glob(pages, "_*.html"); len(parts) > 0 {
		if layout, err = layout.ParseFS(pages, parts...); err != nil {
			return nil, fmt.Errorf("parse parts: %w", err)
		}
	}
	names, err := fs.Glob(pages, "[^_]*.html")
	if err != nil {
		return nil, fmt.Errorf("list pages: %w", err)
	}
	own, err := files.ReadFile("templates/error.html")
	if err != nil {
		return nil, fmt.Errorf("read error page: %w", err)
	}
	if err := s.add(layout, "error.html", own); err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := fs.ReadFile(pages, name)
		if err != nil {
			return nil, fmt.Errorf("read page %s: %w", name, err)
		}
		if err := s.add(layout, name, text); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// transportSecurity is the header of RFC 6797, for a year. It does not speak
// for subdomains, which may be somebody else's, and hardly for localhost, which
// is everybody's: there it would take a developer's other servers along.
func transportSecurity(publicURL string) string {
	u, err := url.Parse(publicURL)
	switch {
	case err != nil || u.Scheme != "https":
		return ""
	case u.Hostname() == "localhost":
		return "max-age=300"
	}
	return "max-age=31536000"
}

func (s *Set) add(layout *template.Template, name string, text []byte) error {
	t, err := layout.Clone()
	if err != nil {
		return fmt.Errorf("clone layout for %s: %w", name, err)
	}
	if _, err := t.New(name).Parse(string(text)); err != nil {
		return fmt.Errorf("parse page: %w", err)
	}
	s.pages[name] = t
	return nil
}

// Render sends the page name, e.g. "verify.html".
func (s *Set) Render(w http.ResponseWriter, status int, name string, v View) error {
	t, ok := s.pages[name]
	if !ok {
		return fmt.Errorf("render: no page %q", name)
	}
	if v.Language == nil {
		v.Language = s.languages[0]
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", v); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	body := b.Bytes()
	if v.Once.Len() > 0 {
		var err error
		if body, err = insert(body, v.Once); err != nil {
			return err
		}
		defer clear(body)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.Tag)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	policyHeaders(h, v)
	if s.secure != "" {
		h.Set("Strict-Transport-Security", s.secure)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the person may have gone
	return nil
}

// policyHeaders say what the page may load, where its forms lead, and who may
// show it in a frame. X-Frame-Options knows no list, so it stands only where
// nobody may.
func policyHeaders(h http.Header, v View) {
	csp, list := policy, v.Embedders
	for _, origin := range v.Onward {
		csp += " " + origin
	}
	if len(list) == 0 {
		list = []string{"'none'"}
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
	} else {
		h.Set("Referrer-Policy", "strict-origin")
	}
	h.Set("Content-Security-Policy", csp+"; frame-ancestors "+strings.Join(list, " "))
}
