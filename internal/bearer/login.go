package bearer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"ccms/internal/identity"
	"ccms/internal/problem"
)

// answerLimit bounds what is read of an answer, in bytes.
const answerLimit = 64 << 10

// errFailure marks what counts as a failure for the breaker: connection
// errors, time-outs, 5xx and answers that are not the login service's.
var errFailure = errors.New("login service failed")

// login is the login service as seen from here.
type login struct {
	base   string
	client *http.Client
}

// session is the body of a positive answer (decision B12).
type session struct {
	Valid     bool   `json:"valid"`
	Username  string `json:"username"`
	Email     string `json:"email"`
	Validated bool   `json:"accountValidated"`
	FirmID    string `json:"firm_id"`
	ClientID  string `json:"client_id"`
	Scope     string `json:"scope"`
	Expires   int64  `json:"exp"`
}

// apply lets the current state win over what the token says.
func (s session) apply(p identity.Principal) identity.Principal {
	p.Username, p.Email, p.Validated = s.Username, s.Email, s.Validated
	p.FirmID, p.ClientID = s.FirmID, s.ClientID
	p.Scope = strings.Fields(s.Scope)
	if end := time.Unix(s.Expires, 0).UTC(); s.Expires > 0 && end.Before(p.Expires) {
		p.Expires = end
	}
	return p
}

// validate asks whether the session of a token lives.
func (l login) validate(ctx context.Context, token string) (session, error) {
	status, header, body, err := l.get(ctx, "/api/customer/jwt/validate", token)
	switch {
	case err != nil:
		return session{}, unreachable(ctx, err)
	case status == http.StatusOK:
		var s session
		if err := json.Unmarshal(body, &s); err != nil || !s.Valid {
			return session{}, problem.ServiceUnavailable(time.Second).Because(fmt.Errorf("%w: unintelligible answer", errFailure))
		}
		return s, nil
	case status == http.StatusUnauthorized:
		return session{}, problem.NoToken()
	case status == http.StatusForbidden && code(body) == problem.ExpiredToken().Code:
		return session{}, problem.ExpiredToken()
	}
	return session{}, refusal(status, header)
}

// refusal turns an answer that decides nothing into ours: 5xx is a failure,
// anything else (429, 404) an answer that does not help.
func refusal(status int, header http.Header) error {
	cause := fmt.Errorf("login service answered %d", status)
	if status >= http.StatusInternalServerError {
		cause = fmt.Errorf("%w: status %d", errFailure, status)
	}
	if status == http.StatusGatewayTimeout {
		return problem.TimedOut(cause)
	}
	wait := time.Second
	if s, err := strconv.Atoi(header.Get("Retry-After")); err == nil && s > 0 {
		wait = time.Duration(min(s, 60)) * time.Second
	}
	return problem.ServiceUnavailable(wait).Because(cause)
}

// unreachable names a call without an answer: too slow is 504, no connection
// or no instance 503.
func unreachable(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	cause := fmt.Errorf("%w: %w", errFailure, err)
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() || ctx.Err() != nil {
		return problem.TimedOut(cause)
	}
	return problem.ServiceUnavailable(time.Second).Because(cause)
}

// keys fetches the public keys.
func (l login) keys(ctx context.Context) (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	status, _, body, err := l.get(ctx, "/.well-known/jwks.json", "")
	if err != nil {
		return set, err
	}
	if status != http.StatusOK {
		return set, fmt.Errorf("key set: status %d", status)
	}
	return set, json.Unmarshal(body, &set)
}

// get sends one request and reads the answer whole, so that the connection is
// used again.
func (l login) get(ctx context.Context, path, token string) (int, http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.base+path, nil)
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header.Set("Accept", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	return resp.StatusCode, resp.Header, body, err
}

// code is the errorCode of the contract's error object, "" when there is none.
func code(body []byte) string {
	var e struct {
		Code string `json:"errorCode"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return ""
	}
	return e.Code
}
