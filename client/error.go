package client

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// The codes a program is most likely to tell apart; docs/firms.md explains them.
const (
	CodeValidation    = "VALIDATION_ERROR"
	CodeInvalidCard   = "INVALID_CARD"
	CodeInvalidCVV    = "INVALID_CVV"
	CodeInvalidExpiry = "INVALID_EXPIRY"
	CodeUnauthorized  = "UNAUTHORIZED"
	CodeTokenExpired  = "TOKEN_EXPIRED"
	CodeForbidden     = "FORBIDDEN"
	CodeNotFound      = "NOT_FOUND"
	CodeInProgress    = "IDEMPOTENCY_IN_PROGRESS"
	CodeInvalidClient = "invalid_client" // no token: the client or its secret is not good
)

// Error is an answer that is no success. The first five members are those of
// the service's error object; an answer that is none, such as a proxy's, leaves
// Code empty.
type Error struct {
	Message   string    `json:"error"`     // one sentence, the same for each Code
	Code      string    `json:"errorCode"` // such as INVALID_CARD
	Timestamp time.Time `json:"timestamp"`
	Path      string    `json:"path"`    // of the request, digits masked
	Details   string    `json:"details"` // what to do, in one sentence

	// Status is the HTTP status.
	Status int `json:"-"`
	// RetryAfter is how long the service asks to wait; 0 when it does not say.
	RetryAfter time.Duration `json:"-"`
	// RequestID finds the request in the service's log.
	RequestID string `json:"-"`
}

// Error implements error. It holds no card data: the service's sentences never
// do.
func (e *Error) Error() string {
	text := fmt.Sprintf("ccms: %d %s: %s", e.Status, cmp.Or(e.Code, "without a code"), e.Message)
	if e.Details != "" {
		text += ": " + e.Details
	}
	return text
}

// Temporary reports whether the same request may succeed later without being
// changed: 429, 502, 503, 504 and 409 IDEMPOTENCY_IN_PROGRESS.
func (e *Error) Temporary() bool {
	switch e.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return e.Code == CodeInProgress
}

// errorOf reads an answer that is no success. now is when it came.
func errorOf(res *http.Response, body []byte, now time.Time) *Error {
	e := &Error{}
	var oauth struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, e) != nil || e.Code == "" {
		*e = Error{Message: http.StatusText(res.StatusCode)}
		if json.Unmarshal(body, &oauth) == nil && oauth.Code != "" { // RFC 6749 section 5.2
			e.Message, e.Code, e.Details = "No token was issued", oauth.Code, oauth.Description
		}
	}
	e.Status = res.StatusCode
	e.RetryAfter = retryAfter(res.Header.Get("Retry-After"), now)
	e.RequestID = res.Header.Get("X-Request-Id")
	return e
}

// retryAfter reads the header in both its forms (RFC 9110 section 10.2.3).
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// malformed says that an answer could not be read; its text might be secret.
func malformed(method, path string) error {
	return fmt.Errorf("ccms: the answer to %s %s is not what the service says; is the base URL right?", method, path)
}
