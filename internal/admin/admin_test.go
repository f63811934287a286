package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// echo answers with its args, fails with "fail", and waits with "wait".
func echo(ctx context.Context, command string, args []byte) (any, error) {
	switch command {
	case "fail":
		return nil, errors.New("it cannot be done: do something else")
	case "wait":
		<-ctx.Done()
		return nil, ctx.Err()
	case "nothing":
		if string(args) != "{}" {
			return nil, fmt.Errorf("args are %q", args)
		}
		return []string{}, nil
	case "panic":
		panic("oops")
	}
	var text string
	err := json.Unmarshal(args, &text)
	return command + " " + text, err
}

// serve runs a server on dir until the test ends or stop is called.
func serve(t *testing.T, dir string) (stop func()) {
	t.Helper()
	s, err := Listen(t.Context(), dir, echo, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func ask(t *testing.T, dir, command string) (string, error) {
	t.Helper()
	var out string
	err := Ask(t.Context(), dir, Request{command, "x"}, &out)
	return out, err
}

func TestACommandIsDoneByTheRunningProcess(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("long/", 60))
	if err := os.MkdirAll(long, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"in a folder with a short name": t.TempDir(), "in one with a long name": long} {
		t.Run(name, func(t *testing.T) {
			stop := serve(t, dir)
			if info, err := os.Stat(filepath.Join(dir, socket)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info, err)
			}
			var group sync.WaitGroup
			for i := range 20 {
				group.Go(func() {
					if out, err := ask(t, dir, fmt.Sprint("c", i)); err != nil || out != fmt.Sprint("c", i, " x") {
						t.Errorf("%q, %v", out, err)
					}
				})
			}
			group.Wait()
			if _, err := ask(t, dir, "fail"); err == nil || err.Error() != "it cannot be done: do something else" {
				t.Errorf("%v", err)
			}
			if _, err := ask(t, dir, "panic"); err == nil || !strings.Contains(err.Error(), "ended before it answered") {
				t.Errorf("%v", err)
			}
			if out, err := ask(t, dir, "after"); err != nil || out != "after x" {
				t.Errorf("%q, %v", out, err)
			}
			stop()
			if _, err := os.Stat(filepath.Join(dir, socket)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the socket is still there: %v", err)
			}
			if _, err := ask(t, dir, "late"); !errors.Is(err, ErrNobody) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestWhereNobodyListens(t *testing.T) {
	dir := t.TempDir()
	if _, err := ask(t, filepath.Join(dir, "none"), "c"); !errors.Is(err, ErrNobody) {
		t.Errorf("without a folder: %v", err)
	}
	if _, err := ask(t, dir, "c"); !errors.Is(err, ErrNobody) {
		t.Errorf("without a socket: %v", err)
	}
}

// stale leaves a socket behind as a killed process does.
func stale(t *testing.T, dir string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, socket)})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestASocketLeftBehindIsReplaced(t *testing.T) {
	dir := t.TempDir()
	stale(t, dir)
	if _, err := ask(t, dir, "c"); !errors.Is(err, ErrNobody) {
		t.Errorf("a socket of nobody: %v", err)
	}
	serve(t, dir)
	if out, err := ask(t, dir, "c"); err != nil || out != "c x" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestAFileThatIsNoSocketStays(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, socket), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), dir, echo, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("%v", err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, socket)); err != nil || string(b) != "mine" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestWhoAsksMayGoAway(t *testing.T) {
	dir := t.TempDir()
	stop := serve(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := Ask(ctx, dir, Request{"wait", nil}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	stop() // does not wait for it
}

func TestEmptyArgumentsAndAnswersArrive(t *testing.T) {
	dir := t.TempDir()
	serve(t, dir)
	var list []string
	if err := Ask(t.Context(), dir, Request{"nothing", struct{}{}}, &list); err != nil || list == nil {
		t.Errorf("%v, %v", list, err)
	}
}

func TestAnAnswerOfAnotherVersion(t *testing.T) {
	dir := t.TempDir()
	serve(t, dir)
	var number int
	if err := Ask(t.Context(), dir, Request{"c", "x"}, &number); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("%v", err)
	}
}
