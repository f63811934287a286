package httpserver

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"ccms/internal/problem"
	"ccms/internal/secret"
)

// Limits of request bodies (decision A4).
const (
	BodyLimit       = 64 << 10
	CredentialLimit = 4 << 10
)

const jsonType = "application/json; charset=utf-8"

// JSONOptions adjusts JSON.
type JSONOptions struct {
	Status int   // of a success; default 200
	Limit  int64 // of the body in bytes; default BodyLimit
}

// JSON adapts f: it decodes the body strictly into In (nothing is read for
// None), calls f, and encodes Out into a buffer before the header is written.
// An Out of secret.Bytes is JSON already; it is sent as it is and wiped.
func JSON[In, Out any](f func(r *http.Request, in In) (Out, error), opts ...JSONOptions) Handler {
	o := JSONOptions{}
	if len(opts) > 0 {
		o = opts[0]
	}
	if o.Status == 0 {
		o.Status = http.StatusOK
	}
	if o.Limit == 0 {
		o.Limit = BodyLimit
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		var in In
		if _, none := any(in).(None); !none {
			if err := decode(w, r, o.Limit, &in); err != nil {
				return err
			}
		}
		out, err := f(r, in)
		if err != nil {
			return err
		}
		if finished, ok := any(out).(secret.Bytes); ok {
			defer finished.Wipe()
			writeBody(w, o.Status, jsonType, finished.Reveal())
			return nil
		}
		return WriteJSON(w, o.Status, out)
	}
}

// WriteJSON sends v with the headers of decision A3. One value gives the same
// bytes every time, maps too.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	writeBody(w, status, jsonType, body)
	return nil
}

func writeBody(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have gone; nobody is left to tell
}

// decode reads one JSON object into in: no unknown or duplicate members, names
// matched by case, valid UTF-8 (decision A4). The raw body is wiped, because it
// may hold a password or a card number.
func decode(w http.ResponseWriter, r *http.Request, limit int64, in any) error {
	if !isJSON(r) {
		return problem.WrongMediaType()
	}
	body, err := ReadBody(w, r, limit)
	defer body.Wipe()
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return problem.BodyTooLarge()
		}
		return problem.Validation("Send the whole body without long pauses.").Because(err)
	}
	if !bytes.HasPrefix(bytes.TrimLeft(body.Reveal(), " \t\r\n"), []byte("{")) {
		return problem.Validation("Send one JSON object.")
	}
	secret.Do(func() { err = json.Unmarshal(body.Reveal(), in, json.RejectUnknownMembers(true)) })
	if err != nil {
		wipe(reflect.ValueOf(in))
		// The cause would quote the caller's data, so it is dropped.
		return problem.Validation("Send one JSON object with only the members the API description names, each once and of its type.")
	}
	return nil
}

// ReadBody returns the body of r, which the caller wipes, up to limit bytes;
// what it read comes with an error too, of which a *http.MaxBytesError says that
// there is more.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) (secret.Bytes, error) {
	return secret.ReadAll(http.MaxBytesReader(w, r.Body, limit), int(max(0, min(r.ContentLength, limit))))
}

func isJSON(r *http.Request) bool {
	t, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || t != "application/json" || r.Header.Get("Content-Encoding") != "" {
		return false
	}
	charset, ok := params["charset"]
	return !ok || strings.EqualFold(charset, "utf-8")
}
