package problem

import "time"

// The failures every service shares (contract sections 5.2 and 5.3, decisions
// A5, A6 and G). Each call returns a fresh value, so no caller can change
// another's.

// Server is the neutral answer for a failure nobody foresaw.
func Server() *Error {
	return New(Internal, "SERVER_ERROR", "Internal server error", "Try again later; if it persists, tell the operator the time of this answer.")
}

// Database says that the store failed; err is what it said.
func Database(err error) *Error {
	return New(Unavailable, "DATABASE_ERROR", "Database operation failed", "Nothing was changed that was not acknowledged; try again shortly.").Because(err).After(time.Second)
}

// TimedOut says that a call outlasted its budget.
func TimedOut(err error) *Error {
	return New(Timeout, "TIMEOUT", "Request timed out", "The outcome is unknown; read the current state before trying again.").Because(err)
}

// ServiceUnavailable says that a breaker is open, a queue is full, or nobody
// answers.
func ServiceUnavailable(wait time.Duration) *Error {
	return New(Unavailable, "SERVICE_UNAVAILABLE", "Service temporarily unavailable", "Try again after the time given in Retry-After.").After(wait)
}

// Validation says that a request has the wrong shape.
func Validation(details string) *Error {
	return New(Invalid, "VALIDATION_ERROR", "Request validation failed", details)
}

// NoResource says that a path names nothing.
func NoResource() *Error {
	return New(NotFound, "NOT_FOUND", "Resource not found", "Check the path against the API description.")
}

// NoMethod says that a path does not take a method.
func NoMethod(allow []string) *Error {
	e := New(MethodNotAllowed, "METHOD_NOT_ALLOWED", "Method not allowed", "Use one of the methods named in the Allow header.")
	e.Allow = allow
	return e
}

// BodyTooLarge says that a body exceeds its limit.
func BodyTooLarge() *Error {
	return New(TooLarge, "PAYLOAD_TOO_LARGE", "Request body too large", "Send a smaller body.")
}

// WrongMediaType says that a body is not JSON.
func WrongMediaType() *Error {
	return New(UnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type", "Send the body as application/json.")
}

// HeadersOverLimit says that the header is above 16 KiB (decision A1).
func HeadersOverLimit() *Error {
	return New(HeadersTooLarge, "HEADERS_TOO_LARGE", "Request headers too large", "Send fewer or shorter headers.")
}

// WrongHost says that a loopback listener was addressed by a foreign name
// (decision A9).
func WrongHost() *Error {
	return New(Misdirected, "FORBIDDEN", "Access denied", "Address this service by its own name.")
}

// Denied says that a role is missing, or something else no other token would
// change (see NeedsScope).
func Denied(details string) *Error {
	return New(Forbidden, "FORBIDDEN", "Access denied", details)
}

// NeedsScope says that a token is good and lacks the scope of a path: RFC 6750
// section 3.1 calls it insufficient_scope.
func NeedsScope(scope string) *Error {
	e := Denied("This path needs a token with the scope " + scope + ".")
	e.Scope = scope
	return e
}

// NoToken says that a Bearer token is missing, forged, revoked or idle
// (contract section 3.2).
func NoToken() *Error {
	return New(Unauthorized, "UNAUTHORIZED", "Invalid or missing token", "Log in and send the token as Authorization: Bearer.")
}

// ExpiredToken says that a token is authentic and past its time.
func ExpiredToken() *Error {
	return New(Forbidden, "TOKEN_EXPIRED", "Token has expired", "Log in again for a new token.")
}

// Unverified says that the account's e-mail address was never confirmed.
func Unverified() *Error {
	return New(Forbidden, "UNVERIFIED_ACCOUNT", "Account not verified. Please verify email", "Open the link in the verification mail, or ask for a new one.")
}

// Throttled says that a caller must wait.
func Throttled(wait time.Duration) *Error {
	return New(TooMany, "TOO_MANY_REQUESTS", "Too many requests", "Wait for the time given in Retry-After.").After(wait)
}
