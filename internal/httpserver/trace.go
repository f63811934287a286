package httpserver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"

	"ccms/internal/card"
)

// The headers of W3C Trace Context (https://www.w3.org/TR/trace-context/) and
// our own that carries a request's id.
const (
	requestIDHeader = "X-Request-Id"
	traceParent     = "Traceparent"
	traceState      = "Tracestate"
)

// trace is a request's place in a distributed trace. Every service a request
// passes has a span of its own.
type trace struct {
	id     string // 32 hexadecimal digits, the same everywhere
	span   string // 16, this service's
	caller string // 16, the caller's; "" where the trace begins
	flags  byte   // the caller's
	state  string // of tracing systems, passed on as it came
}

// The flags of version 00 that we know and pass on: sampled, random id.
const (
	sampled    = 0x01
	knownFlags = 0x03
)

var (
	traceParentShape = regexp.MustCompile(`^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$`)
	traceMemberShape = regexp.MustCompile(`^(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$`)
)

// newTrace continues the trace h names, or begins one when h names none, does
// not follow the standard, or names one that looks like a card number (decision
// A2: an id goes into log lines).
func newTrace(h http.Header) trace {
	t, ok := parseTraceParent(h.Values(traceParent))
	if !ok {
		return trace{id: newTraceID(16), span: newTraceID(8)}
	}
	t.span = newTraceID(8)
	if looksLikeNumber(t.caller) {
		t.caller = ""
	}
	t.state = parseTraceState(h.Values(traceState))
	return t
}

func parseTraceParent(values []string) (trace, bool) {
	if len(values) != 1 {
		return trace{}, false
	}
	m := traceParentShape.FindStringSubmatch(values[0])
	if m == nil || m[1] == "ff" || m[1] == "00" && m[5] != "" {
		return trace{}, false
	}
	if zeros(m[2]) || zeros(m[3]) || looksLikeNumber(m[2]) {
		return trace{}, false
	}
	flags, _ := hex.DecodeString(m[4]) // the pattern has checked it
	return trace{id: m[2], caller: m[3], flags: flags[0] & knownFlags}, true
}

// The bounds of a tracestate.
const (
	traceStateMembers = 32
	traceStateBytes   = 512
)

// parseTraceState returns what may be passed on: nothing when the header does
// not follow the standard or is longer than what must be passed on, and no
// member with a number in it.
func parseTraceState(values []string) string {
	all := strings.Join(values, ",")
	if len(all) > traceStateBytes {
		return ""
	}
	var kept []string
	seen := map[string]bool{}
	for member := range strings.SplitSeq(all, ",") {
		member = strings.Trim(member, " \t")
		if member == "" {
			continue // the standard allows it
		}
		key, _, _ := strings.Cut(member, "=")
		if !traceMemberShape.MatchString(member) || seen[key] {
			return ""
		}
		seen[key] = true
		if !looksLikeNumber(member) {
			kept = append(kept, member)
		}
	}
	if len(seen) > traceStateMembers {
		return ""
	}
	return strings.Join(kept, ",")
}

// newTraceID makes an id of n random bytes that is not zero and in which nobody
// sees a card number.
func newTraceID(n int) string {
	b := make([]byte, n)
	for {
		_, _ = rand.Read(b) // never fails
		if id := hex.EncodeToString(b); !zeros(id) && !looksLikeNumber(id) {
			return id
		}
	}
}

func zeros(id string) bool { return strings.Trim(id, "0") == "" }

func looksLikeNumber(s string) bool { return card.MaskRuns(s) != s }

// parent is the traceparent for calls made from this span.
func (t trace) parent() string {
	return "00-" + t.id + "-" + t.span + "-" + hex.EncodeToString([]byte{t.flags})
}

// Propagate tells another of our services, in the header of a call, which
// request and trace of ctx the call belongs to. It replaces what stands there.
func Propagate(ctx context.Context, h http.Header) {
	i := info(ctx)
	for name, value := range map[string]string{requestIDHeader: i.id, traceParent: i.trace.parent(), traceState: i.trace.state} {
		if i.id == "" || value == "" {
			h.Del(name)
			continue
		}
		h.Set(name, value)
	}
}

// Origin is where work came from, as text to be kept with work that is done
// after its request was answered: request id and traceparent, "" outside a
// request. Resume takes it back.
func Origin(ctx context.Context) string {
	i := info(ctx)
	if i.id == "" {
		return ""
	}
	return i.id + " " + i.trace.parent()
}

// Resume returns ctx as part of the request that Origin described, in a span of
// its own; without one, of a request of its own.
func Resume(ctx context.Context, origin string) context.Context {
	id, parent, _ := strings.Cut(origin, " ")
	i := &request{id: id, route: unrouted, trace: newTrace(http.Header{traceParent: {parent}})}
	if !requestIDShape.MatchString(id) {
		i.id = newRequestID()
	}
	return context.WithValue(ctx, requestKey{}, i)
}
