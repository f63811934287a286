// Package httpserver is room one: listener, time-outs, request id, limits,
// strict decoding, the two handler shapes (JSON and pages) and the one place
// that turns an error into a status. It knows no domain; what needs a person
// is authenticated by a function the caller hands in.
package httpserver

import (
	"context"
	"net/http"
	"net/netip"

	"ccms/internal/identity"
	"ccms/internal/problem"
)

// Handler is a page or a raw handler: it writes its answer or returns an
// error, never both. JSON makes one from a typed function.
type Handler func(w http.ResponseWriter, r *http.Request) error

// None is the In of a JSON handler that reads no body.
type None struct{}

// Message is the success body the contract leaves open (decision B10).
type Message struct {
	Message string `json:"message"`
}

// Authenticate finds out who sent r. Its errors are answered as they are.
type Authenticate func(r *http.Request) (identity.Principal, error)

// As runs h only for callers auth accepts, before a body is read; h finds the
// principal with identity.FromContext.
func As(auth Authenticate, h Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, err := auth(r)
		if err != nil {
			return err
		}
		return h(w, r.WithContext(identity.NewContext(r.Context(), p)))
	}
}

// request is what the server knows about a request beside the request itself.
type request struct {
	id     string
	trace  trace
	client netip.Addr
	proof  string // see Proof
	local  bool   // see Local
	route  string
	path   string // as logs have it, when Path will not do
}

type requestKey struct{}

func info(ctx context.Context) *request {
	if i, ok := ctx.Value(requestKey{}).(*request); ok {
		return i
	}
	return &request{}
}

// RequestID is the id in the answer's X-Request-Id and in every log line (see
// LogHandler); "" outside a request.
func RequestID(ctx context.Context) string { return info(ctx).id }

// Client is the address of the person or machine that sent r (decision A7).
// Invalid when r did not come through a Server.
func Client(r *http.Request) netip.Addr { return info(r.Context()).client }

// Proof is the purpose of the A8 proof that came with r and holds, "" without
// one.
func Proof(r *http.Request) string { return info(r.Context()).proof }

// Internal runs h only for our own services (decision A8, purpose internal).
func Internal(h Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if Proof(r) != identity.PurposeInternal {
			return problem.Denied("This path is for the services of this deployment.")
		}
		return h(w, r)
	}
}

// Local reports whether what is open on loopback only is open to r: a loopback
// peer of a loopback listener, a loopback public URL, no forwarding header
// (decision A9).
func Local(r *http.Request) bool { return info(r.Context()).local }
