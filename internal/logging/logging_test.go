package logging

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const number = "4111111111111111"

func TestLinesAreECS(t *testing.T) {
	var b bytes.Buffer
	l, err := Open(Config{JSON: true, Console: &b})
	if err != nil {
		t.Fatal(err)
	}
	due := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600))
	l.Of("login-service").Warn("it took long", "event.duration", 1500*time.Millisecond, "ccms.outbox.due", due, "error.message", errors.New("no"))
	want := regexp.MustCompile(`^\{"@timestamp":"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z","log\.level":"warn","message":"it took long","ecs\.version":"8\.11\.0","service\.name":"login-service",` +
		`"event\.duration":1500000000,"ccms\.outbox\.due":"2026-01-02T02:04:05\.000006Z","error\.message":"no"\}\n$`)
	if !want.Match(b.Bytes()) {
		t.Errorf("got %s", b.String())
	}
}

func TestNoNumberGetsIntoALine(t *testing.T) {
	for _, asJSON := range []bool{true, false} {
		var b bytes.Buffer
		l, err := Open(Config{JSON: asJSON, Console: &b})
		if err != nil {
			t.Fatal(err)
		}
		l.With("url.path", "/"+number).Info("got "+number, "error.message", errors.New(number), "error.code", stringer{},
			slog.Group("g", "in", number), "client.ip", netip.MustParseAddr("192.0.2.1"))
		if strings.Contains(b.String(), number) || strings.Count(b.String(), "************1111") != 5 || !strings.Contains(b.String(), "192.0.2.1") {
			t.Errorf("got %s", b.String())
		}
	}
}

type stringer struct{}

func (stringer) String() string { return number }

func TestTheLevelCanChange(t *testing.T) {
	var b bytes.Buffer
	l, err := Open(Config{Level: slog.LevelWarn, Console: &b})
	if err != nil {
		t.Fatal(err)
	}
	of := l.Of("x")
	of.Info("not yet")
	l.SetLevel(slog.LevelInfo)
	of.Info("now")
	if strings.Contains(b.String(), "not yet") || !strings.Contains(b.String(), "now") {
		t.Errorf("got %s", b.String())
	}
}

func TestWrapSeesTheContext(t *testing.T) {
	var seen context.Context
	l, err := Open(Config{Wrap: func(h slog.Handler) slog.Handler { return spy{h, &seen} }})
	if err != nil {
		t.Fatal(err)
	}
	l.InfoContext(t.Context(), "x")
	if seen != t.Context() {
		t.Error("the context got lost")
	}
}

type spy struct {
	slog.Handler
	seen *context.Context
}

func (s spy) Handle(ctx context.Context, r slog.Record) error {
	*s.seen = ctx
	return s.Handler.Handle(ctx, r)
}

func TestWithoutAFileThereIsNothingToReopen(t *testing.T) {
	l, err := Open(Config{})
	if err != nil || l.Reopen() != nil || l.Close() != nil {
		t.Errorf("got %v", err)
	}
	if _, err := Open(Config{File: FileConfig{Path: filepath.Join(t.TempDir(), "none", "log")}}); err == nil || !strings.HasPrefix(err.Error(), "log.file: ") {
		t.Errorf("a folder that is not there gives %v", err)
	}
}
