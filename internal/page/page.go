// Package page owns what all pages share: the layout, the stylesheet, the
// response headers (CSP among them) and the rendering of a template into a
// buffer before anything is sent. It knows no page of a domain; those bring
// their own templates and data.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"

	"ccms/internal/problem"
)

//go:embed templates/*.html assets/*
var files embed.FS

// policy lets a page load our own style and images and post to ourselves,
// nothing else; no page has a script yet (PCI DSS 6.4.3, OWASP CSP).
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Set is a parsed set of pages that share the layout.
type Set struct {
	pages  map[string]*template.Template
	css    asset
	secure string // Strict-Transport-Security, "" over plain HTTP
}

type asset struct {
	path string
	body []byte
}

// View is what the layout shows around a page.
type View struct {
	Title string // of the document and the first heading
	Error bool   // the person has something to correct: the title says so
	Data  any    // the page's own
}

// Parse reads every *.html of pages as one page each; each defines "main".
// People reach them at publicURL, without a trailing slash: where that is
// https, browsers are told to stay with it.
func Parse(pages fs.FS, publicURL string) (*Set, error) {
	css, err := files.ReadFile("assets/site.css")
	if err != nil {
		return nil, fmt.Errorf("read stylesheet: %w", err)
	}
	sum := sha256.Sum256(css)
	s := &Set{pages: map[string]*template.Template{}, css: asset{"/assets/site-" + hex.EncodeToString(sum[:6]) + ".css", css}, secure: transportSecurity(publicURL)}
	layout, err := template.New("layout.html").Funcs(template.FuncMap{"stylesheet": func() string { return s.css.path }}).ParseFS(files, "templates/layout.html")
	if err != nil {
		return nil, fmt.Errorf("parse layout: %w", err)
	}
	names, err := fs.Glob(pages, "*.html")
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
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", v); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	if s.secure != "" {
		h.Set("Strict-Transport-Security", s.secure)
	}
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the person may have gone
	return nil
}

// RenderError shows the page for an error nobody can correct in a form. It
// fits httpserver.Mux.ErrorPage.
func (s *Set) RenderError(w http.ResponseWriter, _ *http.Request, status int, e *problem.Error) bool {
	title := e.Message
	if status == http.StatusNotFound {
		title = "Page not found"
	}
	return s.Render(w, status, "error.html", View{Title: title, Data: e}) == nil
}

// Stylesheet serves the one stylesheet. Its name changes with its content, so
// browsers may keep it for ever.
func (s *Set) Stylesheet(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Path != s.css.path {
		return problem.NoResource()
	}
	h := w.Header()
	h.Set("Content-Type", "text/css; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(s.css.body)
	return nil
}
