package tracing

import (
	"strconv"
	"strings"

	"ccms/internal/httpserver"
)

// The messages of OTLP in their JSON form (opentelemetry-proto 1.x,
// trace/v1/trace.proto): ids in hexadecimal, 64-bit integers as strings.
type (
	request struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   resource     `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	resource struct {
		Attributes []attribute `json:"attributes"`
	}
	scopeSpans struct {
		Scope scope  `json:"scope"`
		Spans []span `json:"spans"`
	}
	scope struct {
		Name string `json:"name"`
	}
	span struct {
		TraceID    string      `json:"traceId"`
		SpanID     string      `json:"spanId"`
		Parent     string      `json:"parentSpanId,omitzero"`
		Name       string      `json:"name"`
		Kind       int         `json:"kind"`
		Start      string      `json:"startTimeUnixNano"`
		End        string      `json:"endTimeUnixNano"`
		Attributes []attribute `json:"attributes"`
		Status     status      `json:"status"`
	}
	attribute struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	}
	value struct {
		Text    string `json:"stringValue,omitzero"`
		Integer string `json:"intValue,omitzero"`
	}
	status struct {
		Code int `json:"code,omitzero"`
	}
)

const (
	kindServer  = 2
	statusError = 2
)

func text(key, v string) attribute { return attribute{key, value{Text: v}} }

// newSpan names a request as OpenTelemetry's conventions for HTTP servers do
// (https://opentelemetry.io/docs/specs/semconv/http/http-spans/, 1.27). The
// route is a pattern and holds its method.
func newSpan(o httpserver.Observation) span {
	method, uri := known(o.Method), pattern(o.Route)
	s := span{
		TraceID: o.Span.Trace, SpanID: o.Span.ID, Parent: o.Span.Caller,
		Name: method + " " + uri, Kind: kindServer,
		Start: strconv.FormatInt(o.Began.UnixNano(), 10),
		End:   strconv.FormatInt(o.Began.Add(o.Duration).UnixNano(), 10),
		Attributes: []attribute{
			text("http.request.method", method),
			text("http.route", uri),
			{"http.response.status_code", value{Integer: strconv.Itoa(o.Status)}},
		},
	}
	if o.Status >= 500 {
		s.Status.Code = statusError
		s.Attributes = append(s.Attributes, text("error.type", strconv.Itoa(o.Status)))
	}
	return s
}

// pattern is that of a route without its method, if it names one.
func pattern(route string) string {
	if _, uri, ok := strings.Cut(route, " "); ok {
		return uri
	}
	return route
}

// known keeps out methods of a caller's own, which could hold anything.
func known(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return method
	}
	return "_OTHER"
}

// request is what is sent for spans.
func (e *Exporter) request(spans []span) request {
	return request{[]resourceSpans{{
		Resource:   resource{[]attribute{text("service.name", e.cfg.Service), text("service.version", e.cfg.Version)}},
		ScopeSpans: []scopeSpans{{scope{"ccms"}, spans}},
	}}}
}
