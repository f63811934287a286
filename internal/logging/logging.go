// Package logging owns the shape and the places of log lines (decision F5):
// text or ECS JSON, to the console and to a file that is rotated. It masks card
// numbers in whatever is logged (decision A2), as a last resort: who logs takes
// care already. It does not know what a line is about; the fields that may
// stand in one are listed in fields.go and nowhere else, and a test holds every
// call in the tree against that list.
package logging

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"ccms/internal/card"
)

// ecsVersion is the version of the Elastic Common Schema that the lines follow.
const ecsVersion = "8.11.0"

// Config describes a Log.
type Config struct {
	// JSON chooses ECS JSON. Default: text for people.
	JSON bool
	// Level is the least that is logged. Default info.
	Level slog.Level
	// Console gets every line. Default: none.
	Console io.Writer
	// File, when named, gets every line too; see FileConfig.
	File FileConfig
	// Wrap, when set, stands between the loggers and the lines, to add what a
	// context knows.
	Wrap func(slog.Handler) slog.Handler
}

// Log is the one log of a process. Its level can change while it runs.
type Log struct {
	*slog.Logger
	level slog.LevelVar
	file  *File // nil without one
}

// Open opens the log. The caller closes it.
func Open(cfg Config) (*Log, error) {
	if cfg.Console == nil {
		cfg.Console = io.Discard
	}
	l := new(Log)
	l.level.Set(cfg.Level)
	out := &output{console: cfg.Console, log: slog.New(l.handler(cfg.Console, cfg.JSON))}
	if cfg.File.Path != "" {
		f, err := OpenFile(cfg.File)
		if err != nil {
			return nil, fmt.Errorf("log.file: %w", err)
		}
		l.file, out.file = f, f
	}
	h := l.handler(out, cfg.JSON)
	if cfg.Wrap != nil {
		h = cfg.Wrap(h)
	}
	l.Logger = slog.New(h)
	return l, nil
}

func (l *Log) handler(w io.Writer, asJSON bool) slog.Handler {
	if !asJSON {
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: &l.level, ReplaceAttr: masked})
	}
	h := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: &l.level, ReplaceAttr: ecs})
	return h.WithAttrs([]slog.Attr{slog.String("ecs.version", ecsVersion)})
}

// Of is the logger of one service.
func (l *Log) Of(service string) *slog.Logger { return l.Logger.With("service.name", service) }

// SetLevel changes the least that is logged.
func (l *Log) SetLevel(level slog.Level) { l.level.Set(level) }

// Reopen opens the file by its name again, after somebody moved it away
// (logrotate). Without a file it does nothing.
func (l *Log) Reopen() error {
	if l.file == nil {
		return nil
	}
	return l.file.Reopen()
}

// Close closes the file.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// ecs gives slog's own attributes the names and forms of the Elastic Common
// Schema; all others bear such names already.
func ecs(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return masked(groups, a)
	}
	switch a.Key {
	case slog.TimeKey:
		return slog.String("@timestamp", timestamp(a.Value.Time()))
	case slog.LevelKey:
		return slog.String("log.level", strings.ToLower(a.Value.String()))
	case slog.MessageKey:
		a.Key = "message"
	}
	if a.Value.Kind() == slog.KindTime {
		a.Value = slog.StringValue(timestamp(a.Value.Time()))
	}
	return masked(groups, a)
}

// timestamp has a fixed length, so that lines sort as text.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// masked hides card numbers in text.
func masked(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(card.MaskRuns(a.Value.String()))
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case error:
			a.Value = slog.StringValue(card.MaskRuns(v.Error()))
		case fmt.Stringer:
			a.Value = slog.StringValue(card.MaskRuns(v.String()))
		}
	}
	return a
}
