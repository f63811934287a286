package boot

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"ccms/internal/config"
)

// logging is the one logger of a process. Its level can change while it runs.
type logging struct {
	*slog.Logger
	level *slog.LevelVar
	file  *os.File
}

// openLog logs to the console and, when the settings name one, to a file.
func openLog(s config.Settings, console io.Writer) (*logging, error) {
	l := &logging{level: new(slog.LevelVar)}
	l.level.Set(s.Log.Level)
	out := console
	if s.Log.File != "" {
		f, err := os.OpenFile(s.Log.File, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open log.file: %w", err)
		}
		l.file = f
		out = io.MultiWriter(console, f)
	}
	if s.Log.Format == "json" {
		l.Logger = slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: l.level, ReplaceAttr: ecs})).With("ecs.version", "8.11.0")
	} else {
		l.Logger = slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: l.level}))
	}
	return l, nil
}

// ecs gives slog's own attributes the names of the Elastic Common Schema; all
// others bear such names already.
func ecs(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		a.Key = "@timestamp"
	case slog.LevelKey:
		return slog.String("log.level", strings.ToLower(a.Value.String()))
	case slog.MessageKey:
		a.Key = "message"
	}
	return a
}

// of is the logger of one service.
func (l *logging) of(service string) *slog.Logger { return l.With("service.name", service) }

func (l *logging) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
