// Package apidocs owns the description of the services' interfaces: one OpenAPI
// 3.1 document per service, written by hand in documents/, and the page that
// shows it, Swagger UI, whose files are in the binary so that nothing is loaded
// from elsewhere. It decides who may look by a function the caller hands in, as
// package actuator does, and knows no handler: a test in package boot compares
// the documents with the routes that are there.
package apidocs

import (
	"bytes"
	"compress/gzip"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"ccms/internal/httpserver"
	"ccms/internal/problem"
)

// The files of Swagger UI are those of the npm package, packed; scripts/swagger-ui
// fetches another release.
//
//go:embed assets documents/*.yaml
var files embed.FS

// policy lets the page load our own scripts and styles and call this service,
// nothing else. Swagger UI's style sheet has images written as data: URLs.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// Docs is the description of one service. Make it with New.
type Docs struct {
	document func() ([]byte, error) // JSON, made when first asked for
	allow    func(r *http.Request) error
}

// New returns the description of a service: "eureka", "login", "creditcard" or
// "portal".
func New(service string) *Docs {
	return &Docs{document: sync.OnceValues(func() ([]byte, error) { return Document(service) })}
}

// Routes adds the document and the page to mux. Local callers (decision A9) may
// see both; allow is asked about the others, and its error answers them. Nil
// allows nobody else. Call it once.
func (d *Docs) Routes(mux *httpserver.Mux, allow func(r *http.Request) error) {
	if allow == nil {
		allow = func(*http.Request) error { return problem.NoToken() }
	}
	d.allow = allow
	mux.Handle("GET /v3/api-docs", d.guarded(d.serveDocument))
	mux.Handle("GET /swagger-ui.html", d.guarded(servePage))
	mux.Handle("GET /swagger-ui/{name}", d.guarded(serveAsset))
}

func (d *Docs) guarded(h httpserver.Handler) httpserver.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !httpserver.Local(r) {
			if err := d.allow(r); err != nil {
				return err
			}
		}
		return h(w, r)
	}
}

func (d *Docs) serveDocument(w http.ResponseWriter, _ *http.Request) error {
	b, err := d.document()
	if err != nil {
		return err
	}
	send(w, "application/json; charset=utf-8", b)
	return nil
}

func servePage(w http.ResponseWriter, _ *http.Request) error {
	b, err := files.ReadFile("assets/index.html")
	if err != nil {
		return fmt.Errorf("read page: %w", err)
	}
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	send(w, "text/html; charset=utf-8", b)
	return nil
}

// contentTypes are named here because the system's table may name others.
var contentTypes = map[string]string{
	".js":  "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8",
	".txt": "text/plain; charset=utf-8",
}

// serveAsset serves a file of the page. Packed files go out as they are to who
// takes gzip, which every browser does. springdoc's address of the page is
// index.html here.
func serveAsset(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if name == "index.html" {
		return servePage(w, r)
	}
	b, packed, err := readAsset(name)
	contentType := contentTypes[path.Ext(name)]
	if contentType == "" || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return problem.NoResource()
	}
	if err == nil && packed && !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		b, err = unpack(b)
		packed = false
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if packed {
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Vary", "Accept-Encoding")
	w.Header().Set("Cache-Control", "private, max-age=3600")
	send(w, contentType, b)
	return nil
}

func readAsset(name string) (b []byte, packed bool, err error) {
	b, err = files.ReadFile("assets/" + name + ".gz")
	if err == nil {
		return b, true, nil
	}
	b, err = files.ReadFile("assets/" + name)
	return b, false, err
}

func unpack(b []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func send(w http.ResponseWriter, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // the reader may have gone
}
