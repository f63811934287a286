// Package backend owns how a page speaks to the login and the card service on
// behalf of the person at it: one method per question, in the words of the
// contract. It keeps nothing; passwords, numbers and codes pass through buffers
// that are wiped.
package backend

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/httpserver"
	"ccms/internal/problem"
	"ccms/internal/secret"
)

// The names under which the services are found.
const (
	Login = "login-service"
	Cards = "creditcard-service"
)

// Config is what a Backend needs.
type Config struct {
	// Transport reaches http://login-service/… and http://creditcard-service/…
	// and proves us to them (decision A8).
	Transport http.RoundTripper
	// Vouch adds to a request the address of the client it is made for, in the
	// way the other services believe (decision A7).
	Vouch func(r *http.Request, client netip.Addr)
}

// Backend is safe for concurrent use.
type Backend struct{ cfg Config }

// New returns a Backend.
func New(cfg Config) *Backend { return &Backend{cfg} }

const (
	askFor      = 10 * time.Second // how long a page waits for an answer
	answerLimit = 1 << 20          // bytes of an answer that are read
)

// call is one question. body is wiped once it was sent.
type call struct {
	method, service, path string
	token                 string
	key                   string // Idempotency-Key, "" for none
	body                  []byte
	out                   any
}

// ask makes one call for the person who sent r. An error answer comes back as a
// *problem.Error whose code the page chooses its words by.
func (b *Backend) ask(r *http.Request, c call) error {
	defer clear(c.body)
	ctx, cancel := context.WithTimeout(r.Context(), askFor)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, c.method, "http://"+c.service+c.path, bytes.NewReader(c.body))
	if err != nil {
		return fmt.Errorf("make call: %w", err)
	}
	if c.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", r.UserAgent()) // tells a person his devices apart
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.key != "" {
		req.Header.Set("Idempotency-Key", c.key)
	}
	b.cfg.Vouch(req, httpserver.Client(r))
	res, err := b.cfg.Transport.RoundTrip(req)
	if err != nil {
		return Unreachable(ctx, err)
	}
	defer res.Body.Close()
	return read(res, c.out)
}

func read(res *http.Response, out any) error {
	body, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if err != nil {
		return problem.ServiceUnavailable(time.Second).Because(err)
	}
	if res.StatusCode/100 == 2 {
		if out == nil {
			return nil
		}
		if err := json.Unmarshal(body, out); err != nil {
			return fmt.Errorf("decode answer: %w", err)
		}
		return nil
	}
	var e struct {
		Error     string `json:"error"`
		ErrorCode string `json:"errorCode"`
		Details   string `json:"details"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return problem.Server().Because(fmt.Errorf("a service answered %d", res.StatusCode))
	}
	p := problem.New(kind(res.StatusCode), e.ErrorCode, e.Error, e.Details)
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	return p
}

// kind turns a status back into a kind.
func kind(status int) problem.Kind {
	switch status {
	case http.StatusBadRequest:
		return problem.Invalid
	case http.StatusUnauthorized:
		return problem.Unauthorized
	case http.StatusForbidden:
		return problem.Forbidden
	case http.StatusNotFound:
		return problem.NotFound
	case http.StatusConflict:
		return problem.Conflict
	case http.StatusTooManyRequests:
		return problem.TooMany
	case http.StatusServiceUnavailable:
		return problem.Unavailable
	case http.StatusGatewayTimeout:
		return problem.Timeout
	}
	return problem.Internal
}

// member is a name and a value of a JSON object: a string, an int, a
// secret.Bytes, or members.
type member struct {
	name  string
	value any
}

// object encodes members into a buffer that is large enough from the start, so
// that no copy of a secret stays behind when it grows.
func object(members ...member) []byte {
	return appendObject(make([]byte, 0, room(members)), members)
}

// room is an upper bound of the length of the encoded members: a byte takes six
// at most.
func room(members []member) int {
	size := 2
	for _, m := range members {
		size += 6*len(m.name) + 32
		switch v := m.value.(type) {
		case string:
			size += 6 * len(v)
		case secret.Bytes:
			size += 6 * v.Len()
		case []member:
			size += room(v)
		}
	}
	return size
}

func appendObject(to []byte, members []member) []byte {
	to = append(to, '{')
	for i, m := range members {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(quote(to, []byte(m.name)), ':')
		switch v := m.value.(type) {
		case string:
			to = quote(to, []byte(v))
		case secret.Bytes:
			to = quote(to, v.Reveal())
		case int:
			to = fmt.Append(to, v)
		case []member:
			to = appendObject(to, v)
		}
	}
	return append(to, '}')
}

// quote fails only for invalid UTF-8, which it replaces.
func quote(to, text []byte) []byte {
	to, _ = jsontext.AppendQuote(to, text)
	return to
}
