package registry

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"ccms/internal/eureka"
)

const (
	bodyLimit = 1 << 20 // of a registration, unpacked
	gzipFrom  = 1 << 10 // bytes; below it packing saves nothing
)

var (
	errMediaType = errors.New("registry: body is neither JSON nor XML")
	errBodySize  = errors.New("registry: body too large")
)

// accepted is what an Accept header asks for.
type accepted struct {
	form  eureka.Form
	label string // Content-Type
}

// negotiate reads Accept: the first of JSON and XML that is named, XML when
// neither is and a wildcard allows it (rule 5). Not ok is 406.
func negotiate(r *http.Request) (accepted, bool) {
	values := r.Header.Values("Accept")
	likesJSON, wildcard := false, false
	for v := range strings.SplitSeq(strings.Join(values, ","), ",") {
		t, params := mediaRange(v)
		if q, err := strconv.ParseFloat(params["q"], 64); err == nil && q == 0 {
			continue
		}
		switch t {
		case "application/json", "application/xml":
			return accept(r, t == "application/xml", params["charset"]), true
		case "*/*", "application/*", "":
			wildcard = true
		}
		_, subtype, _ := strings.Cut(t, "/")
		likesJSON = likesJSON || strings.Contains(subtype, "json")
	}
	return accept(r, !likesJSON, ""), wildcard
}

// mediaRange is one element of Accept in lower case; what cannot be parsed is
// taken up to its parameters.
func mediaRange(v string) (string, map[string]string) {
	t, params, err := mime.ParseMediaType(v)
	if err != nil {
		t, _, _ = strings.Cut(v, ";")
		return strings.ToLower(strings.TrimSpace(t)), nil
	}
	return t, params
}

func accept(r *http.Request, isXML bool, charset string) accepted {
	a := accepted{form: eureka.Form{XML: isXML, Compact: strings.EqualFold(r.Header.Get("X-Eureka-Accept"), "compact")}}
	a.label = a.form.MediaType()
	if strings.EqualFold(charset, "utf-8") { // named only to who named it
		a.label += ";charset=UTF-8"
	}
	return a
}

// send answers with a document, packed when the caller takes it.
func (c *call) send(status int, contentType string, body []byte) {
	encoding := ""
	if len(body) >= gzipFrom && takesGzip(c.r) {
		encoding, body = "gzip", pack(c.packers, body)
	}
	c.write(status, contentType, encoding, body)
}

// sendPacked answers with a document that is packed already.
func (c *call) sendPacked(contentType string, body []byte) {
	c.write(http.StatusOK, contentType, "gzip", body)
}

func (c *call) write(status int, contentType, encoding string, body []byte) {
	h := c.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept, Accept-Encoding, X-Eureka-Accept")
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if c.prove != nil {
		c.prove(body)
	}
	if c.fetched != nil {
		c.fetched.answers.Add(1)
		c.fetched.bytes.Add(int64(len(body)))
	}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // the client may have gone; nobody is left to tell
}

// pack compresses for speed: the registry's lists repeat themselves so much
// that a higher level gains little. A packer takes a megabyte to make, so they
// are used again.
func pack(packers *sync.Pool, body []byte) []byte {
	var b bytes.Buffer
	z, ok := packers.Get().(*gzip.Writer)
	if !ok {
		z, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
	}
	z.Reset(&b)
	_, _ = z.Write(body) // into memory: cannot fail
	_ = z.Close()
	packers.Put(z)
	return b.Bytes()
}

func takesGzip(r *http.Request) bool {
	for v := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, params, _ := strings.Cut(v, ";")
		if name = strings.TrimSpace(name); !strings.EqualFold(name, "gzip") && name != "*" {
			continue
		}
		_, q, ok := strings.Cut(params, "=")
		weight, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
		return !ok || err != nil || weight > 0
	}
	return false
}

// body reads a request body in one of the two syntaxes, unpacked and in UTF-8.
func (c *call) body(limit int64) (b []byte, isXML bool, err error) {
	t, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || t != "application/json" && t != "application/xml" {
		return nil, false, errMediaType
	}
	latin1 := strings.EqualFold(params["charset"], "iso-8859-1")
	if cs, ok := params["charset"]; ok && !latin1 && !strings.EqualFold(cs, "utf-8") {
		return nil, false, errMediaType
	}
	var in io.Reader = http.MaxBytesReader(c.w, c.r.Body, limit)
	switch enc := c.r.Header.Get("Content-Encoding"); {
	case strings.EqualFold(enc, "gzip"):
		if in, err = gzip.NewReader(in); err != nil {
			return nil, t == "application/xml", err
		}
	case enc != "" && !strings.EqualFold(enc, "identity"):
		return nil, false, errMediaType
	}
	b, err = io.ReadAll(io.LimitReader(in, limit+1))
	if _, over := errors.AsType[*http.MaxBytesError](err); over || int64(len(b)) > limit {
		err = errBodySize
	}
	if latin1 {
		b = eureka.Latin1(b)
	}
	return b, t == "application/xml", err
}
