// Package upstream owns how a page asks the services behind the portal on behalf
// of the person at it: the call, its error in words a page can choose by, and a
// body that is wiped. It knows no route; packages of pages do, each its own.
package upstream

import (
	"bytes"
	"cmp"
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
	"ccms/internal/patience"
	"ccms/internal/problem"
	"ccms/internal/secret"
)

// The names under which the services are found.
const (
	Login = "login-service"
	Cards = "creditcard-service"
	// Registry is found by what it is asked through; see Client.
	Registry = "eureka"
)

// Client asks the services. It is safe for concurrent use.
type Client struct {
	// Transport reaches http://login-service/… and http://creditcard-service/…
	// and proves us to them (decision A8).
	Transport http.RoundTripper
	// Vouch adds to a request the address of the client it is made for, in the
	// way the other services believe (decision A7).
	Vouch func(r *http.Request, client netip.Addr)
}

const (
	askFor      = patience.Times * 10 * time.Second // how long a page waits for an answer
	answerLimit = 1 << 20                           // bytes of an answer that are read, unless the call says otherwise
)

// Call is one question.
type Call struct {
	Method, Service, Path string
	Token                 string // Bearer, "" for none
	Header                map[string]string
	Body                  []byte // JSON, wiped once it was sent; nil for none
	Out                   any    // what the answer is decoded into; nil for nothing
	Limit                 int    // bytes of the answer that are read; default 1 MiB
}

// Ask makes one call for the person who sent r. An error answer comes back as a
// *problem.Error whose code the page chooses its words by.
func (u *Client) Ask(r *http.Request, c Call) error {
	ctx, cancel := context.WithTimeout(r.Context(), askFor)
	defer cancel()
	res, err := u.send(ctx, r, c)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return read(res, c.Out, cmp.Or(c.Limit, answerLimit))
}

// Open makes one call as Ask does, and returns the answer to be read as it comes,
// for as long as r lasts. The caller closes its Body. Call.Out is not used.
func (u *Client) Open(r *http.Request, c Call) (*http.Response, error) {
	res, err := u.send(r.Context(), r, c)
	if err != nil || res.StatusCode/100 == 2 {
		return res, err
	}
	defer res.Body.Close()
	return nil, read(res, nil, answerLimit)
}

// send makes the call and wipes its body.
func (u *Client) send(ctx context.Context, r *http.Request, c Call) (*http.Response, error) {
	defer clear(c.Body)
	req, err := http.NewRequestWithContext(ctx, c.Method, "http://"+c.Service+c.Path, bytes.NewReader(c.Body))
	if err != nil {
		return nil, fmt.Errorf("make call: %w", err)
	}
	if c.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", r.UserAgent()) // tells a person his devices apart
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	for name, value := range c.Header {
		req.Header.Set(name, value)
	}
	u.Vouch(req, httpserver.Client(r))
	res, err := u.Transport.RoundTrip(req)
	if err != nil {
		return nil, Unreachable(ctx, err)
	}
	return res, nil
}

// read decodes an answer, which may hold a secret: nothing of it stays here.
func read(res *http.Response, out any, limit int) error {
	answer, err := secret.ReadAll(io.LimitReader(res.Body, int64(limit)), int(min(max(res.ContentLength, 0), int64(limit))))
	defer answer.Wipe()
	if err != nil {
		return problem.ServiceUnavailable(time.Second).Because(err)
	}
	body := answer.Reveal()
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

// Member is a name and a value of a JSON object: a string, an int, a bool, a
// secret.Bytes, strings, or members.
type Member struct {
	Name  string
	Value any
}

// Field makes a member.
func Field(name string, value any) Member { return Member{Name: name, Value: value} }

// Object encodes members into a buffer that is large enough from the start, so
// that no copy of a secret stays behind when it grows.
func Object(members ...Member) []byte {
	return appendObject(make([]byte, 0, room(members)), members)
}

// room is an upper bound of the length of the encoded members: a byte takes six
// at most.
func room(members []Member) int {
	size := 2
	for _, m := range members {
		size += 6*len(m.Name) + 32
		switch v := m.Value.(type) {
		case string:
			size += 6 * len(v)
		case []string:
			for _, text := range v {
				size += 6*len(text) + 3
			}
		case secret.Bytes:
			size += 6 * v.Len()
		case []Member:
			size += room(v)
		}
	}
	return size
}

func appendObject(to []byte, members []Member) []byte {
	to = append(to, '{')
	for i, m := range members {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(quote(to, []byte(m.Name)), ':')
		switch v := m.Value.(type) {
		case string:
			to = quote(to, []byte(v))
		case secret.Bytes:
			to = quote(to, v.Reveal())
		case int, bool:
			to = fmt.Append(to, v)
		case []string:
			to = append(to, '[')
			for i, text := range v {
				if i > 0 {
					to = append(to, ',')
				}
				to = quote(to, []byte(text))
			}
			to = append(to, ']')
		case []Member:
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
