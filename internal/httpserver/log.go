package httpserver

import (
	"context"
	"log/slog"
)

// LogHandler returns a handler that adds to every record logged with the
// context of a request that request's http.request.id, trace.id and span.id,
// however deep inside the line was written. next writes the records.
func LogHandler(next slog.Handler) slog.Handler { return requestHandler{next} }

type requestHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h requestHandler) Handle(ctx context.Context, r slog.Record) error {
	if i := info(ctx); i.id != "" {
		r = r.Clone()
		r.AddAttrs(slog.String("http.request.id", i.id), slog.String("trace.id", i.trace.id), slog.String("span.id", i.trace.span))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{h.Handler.WithGroup(name)}
}
