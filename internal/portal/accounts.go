package portal

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/httpserver"
	"ccms/internal/problem"
)

// accounts asks the login service on behalf of the person at a page.
type accounts struct{ cfg Config }

// askFor is how long a page waits for the login service.
const askFor = 10 * time.Second

// owner returns the username of the account a verification token belongs to,
// without using the token.
func (a accounts) owner(r *http.Request, token string) (string, error) {
	var out struct {
		Username string `json:"username"`
	}
	err := a.ask(r, question{method: http.MethodGet, path: "/internal/verification?token=" + url.QueryEscape(token), out: &out})
	return out.Username, err
}

// verify uses a verification token.
func (a accounts) verify(r *http.Request, token string) error {
	return a.ask(r, question{method: http.MethodGet, path: "/api/customer/verify?token=" + url.QueryEscape(token)})
}

// reset sets a new password with a reset token.
func (a accounts) reset(r *http.Request, token, password, confirm string) error {
	return a.ask(r, question{
		method: http.MethodPost,
		path:   "/api/customer/forgot-password/reset-password",
		in:     map[string]string{"token": token, "newPassword": password, "confirmPassword": confirm},
	})
}

// question is one call to the login service; in and out may be nil.
type question struct {
	method, path string
	in, out      any
}

// ask makes one call; an error answer comes back as a *problem.Error whose
// code the page chooses its words by.
func (a accounts) ask(r *http.Request, q question) error {
	ctx, cancel := context.WithTimeout(r.Context(), askFor)
	defer cancel()
	var body io.Reader
	if q.in != nil {
		b, err := json.Marshal(q.in)
		if err != nil {
			return fmt.Errorf("encode call: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, "http://"+loginService+q.path, body)
	if err != nil {
		return fmt.Errorf("make call: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	a.cfg.Vouch(req, httpserver.Client(r))
	res, err := a.cfg.Transport.RoundTrip(req)
	if err != nil {
		return unreachable(ctx, err)
	}
	defer res.Body.Close()
	return read(res, q.out)
}

// answerLimit bounds what is read of an answer.
const answerLimit = 64 << 10

func read(res *http.Response, out any) error {
	body, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if err != nil {
		return problem.ServiceUnavailable(time.Second).Because(err)
	}
	if res.StatusCode == http.StatusOK {
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
		return problem.Server().Because(fmt.Errorf("login service answered %d", res.StatusCode))
	}
	return problem.New(kinds[res.StatusCode], e.ErrorCode, e.Error, e.Details)
}

// kinds turns the statuses the pages meet back into kinds; others are Internal.
var kinds = map[int]problem.Kind{
	http.StatusBadRequest:         problem.Invalid,
	http.StatusNotFound:           problem.NotFound,
	http.StatusTooManyRequests:    problem.TooMany,
	http.StatusServiceUnavailable: problem.Unavailable,
	http.StatusGatewayTimeout:     problem.Timeout,
}
