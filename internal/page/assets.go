package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"

	"ccms/internal/problem"
)

//go:generate ../../scripts/assets

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
	h, body := w.Header(), a.body
	h.Set("Content-Type", a.mime)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = a.packed
	}
	_, _ = w.Write(body)
	return nil
}
