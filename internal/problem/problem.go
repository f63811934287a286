// Package problem owns the vocabulary of failure: an Error has a Kind, which
// room one (package httpserver) turns into a status, and the members of the
// contract's error object (contract section 5.1). It knows nothing of HTTP and
// writes nothing; every other package may return its errors.
package problem

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of failure an Error is. One table in package httpserver
// maps each Kind to its status.
type Kind int

// The kinds, with the status each becomes.
const (
	Internal             Kind = iota // 500
	Invalid                          // 400
	Unauthorized                     // 401
	Forbidden                        // 403
	NotFound                         // 404
	MethodNotAllowed                 // 405
	Conflict                         // 409
	TooLarge                         // 413
	UnsupportedMediaType             // 415
	Misdirected                      // 421
	Unprocessable                    // 422
	TooMany                          // 429
	HeadersTooLarge                  // 431
	Unavailable                      // 503
	Timeout                          // 504
)

// Error is a failure a caller may see. Err is the cause: it is logged once, at
// the edge, and never sent.
type Error struct {
	Kind       Kind
	Code       string        // errorCode: a word of the contract or of decision A6
	Message    string        // error: the contract's sentence
	Details    string        // details: one sentence saying what to do; never data of the caller
	RetryAfter time.Duration // sent as Retry-After, rounded up to seconds, when above zero
	Allow      []string      // methods for MethodNotAllowed
	Scope      string        // what the token lacks, for Forbidden; told as RFC 6750 says
	At         time.Time     // timestamp: when it happened; zero means when it is answered
	Err        error
}

// New returns an Error without a cause.
func New(kind Kind, code, message, details string) *Error {
	return &Error{Kind: kind, Code: code, Message: message, Details: details}
}

// Error is for logs; it names the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Code, e.Err)
	}
	return e.Code
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Because returns a copy of e with the cause err.
func (e *Error) Because(err error) *Error {
	c := *e
	c.Err = err
	return &c
}

// After returns a copy of e that asks the caller to wait for d.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// With returns a copy of e with other details.
func (e *Error) With(details string) *Error {
	c := *e
	c.Details = details
	return &c
}

// Is reports whether target is an Error of the same kind and code, so that
// errors.Is works on copies made by Because, After and With.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && t.Code == e.Code
}

// From returns err as an Error; an error that carries none becomes Server.
func From(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Server().Because(err)
}
