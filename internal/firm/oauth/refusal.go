package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"ccms/internal/httpserver"
	"ccms/internal/problem"
)

// refusal is an error answer of these endpoints (RFC 6749 section 5.2). Its
// description says what to do and repeats nothing the caller sent.
type refusal struct {
	status      int
	code        string
	description string
	wait        time.Duration // for Retry-After
	reason      string        // for the record, not for the caller
}

// Error is for logs and the record.
func (e *refusal) Error() string {
	if e.reason != "" {
		return e.code + ": " + e.reason
	}
	return e.code
}

func malformed(description string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "invalid_request", description: description}
}

func tooLong() *refusal {
	return &refusal{status: http.StatusRequestEntityTooLarge, code: "invalid_request", description: "Send a body of at most 16 KiB."}
}

// notProven is the one answer to every failed authentication of a client: an
// unknown client, a wrong secret and a suspended firm look alike.
func notProven(reason string) *refusal {
	return &refusal{
		status: http.StatusUnauthorized, code: "invalid_client", reason: reason,
		description: "Authenticate as an active client, by client_secret_basic, client_secret_post or private_key_jwt.",
	}
}

// slowDown is what follows after too many failures of a client or a network.
// RFC 6749 has no code for it; this one says that trying later helps.
func slowDown(wait time.Duration) *refusal {
	return &refusal{
		status: http.StatusTooManyRequests, code: "temporarily_unavailable", wait: wait,
		description: "Too many failed authentications; wait for the time given in Retry-After.",
	}
}

func badGrant() *refusal {
	return &refusal{status: http.StatusBadRequest, code: "unsupported_grant_type", description: "Use grant_type=client_credentials."}
}

func badScope(description string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "invalid_scope", description: description}
}

func notYours() *refusal {
	return &refusal{status: http.StatusBadRequest, code: "unauthorized_client", description: "Revoke tokens of your own client only."}
}

// failure tells a failure of ours in the shape of these endpoints; cause is what
// the log hears of it.
func failure(err error) *refusal {
	e := problem.From(err)
	f := &refusal{status: httpserver.Status(err), code: "server_error", description: e.Message + ".", wait: e.RetryAfter, reason: fmt.Sprint(err)}
	if f.status == http.StatusServiceUnavailable || f.status == http.StatusGatewayTimeout {
		f.code = "temporarily_unavailable"
	}
	return f
}

// body is the JSON of a refusal.
type body struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// refuse writes err as a refusal.
func (s *Service) refuse(w http.ResponseWriter, r *http.Request, err error) error {
	e, ok := errors.AsType[*refusal](err)
	if !ok {
		e = failure(err)
		if r.Context().Err() == nil {
			s.cfg.Log.ErrorContext(r.Context(), "request failed", "error.code", e.code, "error.message", e.reason)
		}
	}
	h := w.Header()
	if e.status == http.StatusUnauthorized {
		// RFC 9110 section 15.5.2 asks for it whatever the client tried; of the
		// ways there are, Basic is the only one with a name as a scheme.
		h.Set("WWW-Authenticate", `Basic realm="ccms", charset="UTF-8"`)
	}
	if e.wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int((e.wait+time.Second-1)/time.Second)))
	}
	return httpserver.WriteJSON(w, e.status, body{e.code, e.description})
}
