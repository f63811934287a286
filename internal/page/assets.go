package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"

	"ccms/internal/problem"
)

//go:generate ../../scripts/assets

//go:embed inventory.json
var inventory []byte

// asset is a file pages load. Its path changes with its content, so browsers
// may keep it for ever, and Integrity lets them refuse another content under
// that path (PCI DSS 6.4.3).
type asset struct {
	Path      string
	Integrity string
	mime      string
	body      []byte
	packed    []byte // gzip
}

// mimes of assets by extension. Other files are none.
func mimes(ext string) string {
	return map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}[ext]
}

func (s *Set) loadAssets() error {
	s.assets, s.byPath = map[string]*asset{}, map[string]*asset{}
	entries, err := files.ReadDir("assets")
	if err != nil {
		return fmt.Errorf("list assets: %w", err)
	}
	for _, e := range entries {
		ext := path.Ext(e.Name())
		body, err := files.ReadFile("assets/" + e.Name())
		if err != nil {
			return fmt.Errorf("read asset: %w", err)
		}
		sum := sha512.Sum384(body)
		a := &asset{
			Path:      "/assets/" + strings.TrimSuffix(e.Name(), ext) + "-" + hex.EncodeToString(sum[:6]) + ext,
			Integrity: "sha384-" + base64.StdEncoding.EncodeToString(sum[:]),
			mime:      mimes(ext), body: body, packed: pack(body),
		}
		s.assets[e.Name()], s.byPath[a.Path] = a, a
	}
	return nil
}

// pack compresses into memory, which does not fail.
func pack(body []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = z.Write(body)
	_ = z.Close()
	return b.Bytes()
}

// asset finds an asset for a template.
func (s *Set) asset(name string) (*asset, error) {
	a, ok := s.assets[name]
	if !ok {
		return nil, fmt.Errorf("no asset %q", name)
	}
	return a, nil
}

// Asset serves GET /assets/{name}.
func (s *Set) Asset(w http.ResponseWriter, r *http.Request) error {
	a, ok := s.byPath[r.URL.Path]
	if !ok {
		return problem.NoResource()
	}
	a.serve(w, r, "public, max-age=31536000, immutable")
	return nil
}

// Loader serves GET /embed/v1/card-form.js: the script for firms' pages, under a
// path that stays while its content gets better.
func (s *Set) Loader(w http.ResponseWriter, r *http.Request) error {
	a, err := s.asset("card-form.v1.js")
	if err != nil {
		return err
	}
	a.serve(w, r, "public, max-age=3600")
	return nil
}

// Inventory serves GET /assets/inventory.json: every script of every page, what
// it must be byte for byte, and why it is there (PCI DSS 6.4.3).
func (s *Set) Inventory(w http.ResponseWriter, r *http.Request) error {
	a := asset{mime: "application/json; charset=utf-8", body: inventory, packed: pack(inventory)}
	a.serve(w, r, "no-cache")
	return nil
}

// serve sends the asset. Anybody's page may load it, which integrity on another
// origin needs (W3C SRI §3.4): it is the same for everybody.
func (a *asset) serve(w http.ResponseWriter, r *http.Request, cache string) {
	h, body := w.Header(), a.body
	h.Set("Content-Type", a.mime)
	h.Set("Cache-Control", cache)
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = a.packed
	}
	_, _ = w.Write(body)
}
