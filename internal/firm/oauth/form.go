package oauth

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"ccms/internal/secret"
)

// Limits of a request's body (decision A4).
const (
	bodyLimit = 16 << 10 // bytes
	maxParams = 64
)

// form is the body of a request. Its values are wiped when the request is
// answered, because a client's secret may be among them.
type form map[string][]byte

// text is a parameter that is no secret, "" when it is absent.
func (f form) text(name string) string { return string(f[name]) }

// secret is a parameter that is one. It shares its bytes with the form.
func (f form) secret(name string) secret.Bytes { return secret.New(f[name]) }

// has reports whether a parameter was sent with a value: without one it counts
// as omitted (RFC 6749 section 3.2).
func (f form) has(name string) bool { return len(f[name]) > 0 }

func (f form) wipe() {
	for _, v := range f {
		clear(v[:cap(v)])
	}
}

// readForm reads the body of r and wipes what it was read into. What stands in
// the query is never looked at: a secret must not travel there (RFC 6749 section
// 2.3.1).
func readForm(w http.ResponseWriter, r *http.Request) (form, error) {
	if !isForm(r.Header.Get("Content-Type")) || r.Header.Get("Content-Encoding") != "" {
		return nil, malformed("Send the body as application/x-www-form-urlencoded.")
	}
	size := int64(bodyLimit)
	if 0 <= r.ContentLength && r.ContentLength < size {
		size = r.ContentLength
	}
	body := make([]byte, size+1)
	defer clear(body)
	n, err := io.ReadFull(http.MaxBytesReader(w, r.Body, bodyLimit), body)
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge || err == nil {
		return nil, tooLong()
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, malformed("Send the whole body without long pauses.")
	}
	return parseForm(body[:n])
}

const formType = "application/x-www-form-urlencoded"

func isForm(contentType string) bool {
	if contentType == formType {
		return true
	}
	t, params, err := mime.ParseMediaType(contentType)
	charset, named := params["charset"]
	return err == nil && t == formType && (!named || strings.EqualFold(charset, "utf-8"))
}

var (
	errEscape   = errors.New("malformed percent-encoding")
	errText     = errors.New("not UTF-8")
	errRepeated = errors.New("repeated parameter")
	errParams   = errors.New("too many parameters")
)

// parseForm takes a form apart (RFC 6749 appendix B). Unknown parameters are
// kept and not looked at; no parameter may come twice (section 3.2).
func parseForm(body []byte) (form, error) {
	f := form{}
	err := f.parse(body)
	if err == nil {
		return f, nil
	}
	f.wipe()
	if errors.Is(err, errRepeated) {
		return nil, malformed("Send each parameter once.")
	}
	return nil, malformed("Encode the parameters as application/x-www-form-urlencoded in UTF-8.")
}

func (f form) parse(body []byte) error {
	for pair := range bytes.SplitSeq(body, []byte("&")) {
		if len(pair) == 0 {
			continue
		}
		name, value, _ := bytes.Cut(pair, []byte("="))
		n, err := unescape(name)
		if err != nil {
			return err
		}
		if _, repeated := f[string(n)]; repeated {
			return errRepeated
		}
		if len(f) == maxParams {
			return errParams
		}
		v, err := unescape(value)
		if err != nil {
			return err
		}
		f[string(n)] = v
	}
	return nil
}

// unescape decodes one name or value into a new slice. The length is that of
// the input from the start, so that no half-filled copy is left behind.
func unescape(in []byte) ([]byte, error) {
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); i++ {
		switch c := in[i]; c {
		case '+':
			out = append(out, ' ')
		case '%':
			var b [1]byte
			if i+3 > len(in) {
				clear(out)
				return nil, errEscape
			}
			if _, err := hex.Decode(b[:], in[i+1:i+3]); err != nil {
				clear(out)
				return nil, errEscape
			}
			out = append(out, b[0])
			i += 2
		default:
			out = append(out, c)
		}
	}
	if !utf8.Valid(out) {
		clear(out)
		return nil, errText
	}
	return out, nil
}

// parseBasic reads a header of the scheme Basic (RFC 7617), whose two parts are
// form-encoded before they are joined (RFC 6749 section 2.3.1). ok is false for
// anything else.
func parseBasic(header string) (id string, password secret.Bytes, ok bool) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", secret.Bytes{}, false
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimLeft(encoded, " "))
	defer clear(raw)
	if err != nil {
		return "", secret.Bytes{}, false
	}
	first, rest, colon := bytes.Cut(raw, []byte(":"))
	if !colon {
		return "", secret.Bytes{}, false
	}
	name, err := unescape(first)
	if err != nil {
		return "", secret.Bytes{}, false
	}
	word, err := unescape(rest)
	if err != nil {
		return "", secret.Bytes{}, false
	}
	return string(name), secret.New(word), true
}
