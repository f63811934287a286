package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/card"
	"ccms/internal/problem"
)

// statuses is the one table from kinds to statuses.
var statuses = map[problem.Kind]int{
	problem.Internal:             http.StatusInternalServerError,
	problem.Invalid:              http.StatusBadRequest,
	problem.Unauthorized:         http.StatusUnauthorized,
	problem.Forbidden:            http.StatusForbidden,
	problem.NotFound:             http.StatusNotFound,
	problem.MethodNotAllowed:     http.StatusMethodNotAllowed,
	problem.Conflict:             http.StatusConflict,
	problem.TooLarge:             http.StatusRequestEntityTooLarge,
	problem.UnsupportedMediaType: http.StatusUnsupportedMediaType,
	problem.Misdirected:          http.StatusMisdirectedRequest,
	problem.Unprocessable:        http.StatusUnprocessableEntity,
	problem.TooMany:              http.StatusTooManyRequests,
	problem.HeadersTooLarge:      http.StatusRequestHeaderFieldsTooLarge,
	problem.Unavailable:          http.StatusServiceUnavailable,
	problem.Timeout:              http.StatusGatewayTimeout,
}

// Status is the HTTP status of an error.
func Status(err error) int { return statuses[problem.From(err).Kind] }

// object is the contract's error object (section 5.1).
type object struct {
	Error     string `json:"error"`
	ErrorCode string `json:"errorCode"`
	Timestamp string `json:"timestamp"`
	Path      string `json:"path"`
	Details   string `json:"details"`
}

// problemObject is RFC 9457's, sent when Accept asks for it.
type problemObject struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Instance  string `json:"instance"`
	ErrorCode string `json:"errorCode"`
	Timestamp string `json:"timestamp"`
}

// WriteError is the one writer of errors: it sends err in the contract's shape
// (decisions A1 to A3) and logs the cause of what the caller is not told.
func WriteError(log *slog.Logger, w http.ResponseWriter, r *http.Request, err error) {
	e := problem.From(err)
	status := statuses[e.Kind]
	logCause(log, r, e, status)
	h := w.Header()
	if c := challenge(r, e); c != "" && h.Get("WWW-Authenticate") == "" {
		h.Set("WWW-Authenticate", c)
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if len(e.Allow) > 0 {
		h.Set("Allow", strings.Join(e.Allow, ", "))
	}
	at := e.At
	if at.IsZero() {
		at = time.Now()
	}
	when := at.UTC().Format("2006-01-02T15:04:05.000Z")
	path := Path(r)
	var body any = object{e.Message, e.Code, when, path, e.Details}
	contentType := "application/json; charset=utf-8"
	if strings.Contains(r.Header.Get("Accept"), "application/problem+json") {
		body = problemObject{"about:blank", e.Message, status, e.Details, path, e.Code, when}
		contentType = "application/problem+json; charset=utf-8"
	}
	b, _ := json.Marshal(body, json.Deterministic(true)) // only strings and an int
	writeBody(w, status, contentType, b)
}

func logCause(log *slog.Logger, r *http.Request, e *problem.Error, status int) {
	if status < http.StatusInternalServerError || e.Err == nil {
		return
	}
	level := slog.LevelError
	if errors.Is(e.Err, context.Canceled) || r.Context().Err() != nil {
		level = slog.LevelDebug // the caller went away
	}
	log.Log(r.Context(), level, "request failed", "error.code", e.Code, "error.message", card.MaskRuns(e.Err.Error()))
}

// Path is the request's path as it may be shown: without query, long runs of
// digits masked (decision A2).
func Path(r *http.Request) string { return card.MaskRuns(r.URL.EscapedPath()) }

// challenge is the WWW-Authenticate of RFC 6750 section 3, "" where none is due.
// A 401 names an error only when a token was sent (decision A3). An expired token
// is 403 by the contract; its challenge tells clients that know RFC 6750 alone
// what it is.
func challenge(r *http.Request, e *problem.Error) string {
	switch {
	case e.Scope != "":
		return `Bearer error="insufficient_scope", scope="` + e.Scope + `"`
	case errors.Is(e, problem.ExpiredToken()), e.Kind == problem.Unauthorized && sentToken(r):
		return `Bearer error="invalid_token"`
	case e.Kind == problem.Unauthorized:
		return "Bearer"
	}
	return ""
}

// sentToken reports whether r carries a token. One of another scheme is none:
// RFC 6750 section 3.1 counts it as a caller who did not know better.
func sentToken(r *http.Request) bool {
	values := r.Header.Values("Authorization")
	return slices.ContainsFunc(values, isBearer) || len(values) == 0 && r.URL.Query().Has("token")
}

func isBearer(authorization string) bool {
	scheme, _, _ := strings.Cut(authorization, " ")
	return strings.EqualFold(scheme, "Bearer")
}

// Bearer returns the token of the Authorization header, "" when there is none
// or more than one.
func Bearer(r *http.Request) string {
	values := r.Header.Values("Authorization")
	if len(values) != 1 || !isBearer(values[0]) {
		return ""
	}
	_, token, _ := strings.Cut(values[0], " ")
	return strings.TrimSpace(token)
}

// stackTop names the places a panic passed, without any value.
func stackTop() string {
	var at []string
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := frames.Next()
		at = append(at, fmt.Sprintf("%s:%d", f.Function, f.Line))
		if !more {
			return strings.Join(at, " ")
		}
	}
}
