// Package admin owns the road by which a command reaches the process that runs
// on a data folder: a socket in that folder, over which one user talks to his
// own processes. It knows no command and no right beyond that; package boot
// does what is asked.
//
// A request is POST /do with {"command", "args"}; its answer is {"answer"}, or
// {"error"} with one sentence.
package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// socket is the name in the data folder.
const socket = "admin.sock"

// Handler does one command. Its error is shown to the person who asked.
type Handler func(ctx context.Context, command string, args []byte) (answer any, err error)

// Request is what Ask sends: a command by its name, with what it needs.
type Request struct {
	Command string `json:"command"`
	Args    any    `json:"args"`
}

// request is how it is read.
type request struct {
	Command string         `json:"command"`
	Args    jsontext.Value `json:"args"`
}

type response struct {
	Answer jsontext.Value `json:"answer,omitzero"`
	Error  string         `json:"error,omitempty"`
}

const (
	maxRequest = 1 << 20
	maxAnswer  = 64 << 20
	stopWithin = 2 * time.Second // for commands under way when the process ends
)

// Server answers commands.
type Server struct {
	do       Handler
	log      *slog.Logger
	listener net.Listener
	folder   *os.File
}

// Listen makes the socket in the folder dir, readable by its owner only. The
// caller holds the folder's lock: a socket that is there already was left
// behind by a process that was killed, and is replaced.
func Listen(ctx context.Context, dir string, do Handler, log *slog.Logger) (*Server, error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	l, err := listen(ctx, folder)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", errors.Join(err, folder.Close()))
	}
	return &Server{do: do, log: log, listener: l, folder: folder}, nil
}

func listen(ctx context.Context, folder *os.File) (net.Listener, error) {
	root, err := os.OpenRoot(folder.Name())
	if err != nil {
		return nil, err
	}
	defer root.Close()
	switch info, err := root.Lstat(socket); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%s in the data folder is no socket: remove it", socket)
	default:
		if err := root.Remove(socket); err != nil {
			return nil, err
		}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", address(folder))
	if err != nil {
		return nil, err
	}
	if err := root.Chmod(socket, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return ours{l}, nil
}

// Run answers until ctx ends. It returns nil then.
func (s *Server) Run(ctx context.Context) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /do", s.serve)
	srv := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(s.listener) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		stop, done := context.WithTimeout(base, stopWithin)
		defer done()
		if srv.Shutdown(stop) != nil {
			cancel() // what still runs is told to end
			_ = srv.Close()
		}
		<-ended
	}
	return errors.Join(err, s.folder.Close())
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	var in request
	var out response
	if err := json.UnmarshalRead(http.MaxBytesReader(w, r.Body, maxRequest), &in); err != nil {
		http.Error(w, "the command cannot be read", http.StatusBadRequest)
		return
	}
	s.log.InfoContext(r.Context(), "command", "event.action", in.Command)
	answer, err := s.do(r.Context(), in.Command, in.Args)
	if err == nil {
		out.Answer, err = json.Marshal(answer)
	}
	if err != nil {
		out.Error = err.Error()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.MarshalWrite(w, out) // fails when whoever asked has gone
}

// ErrNobody says that no process takes commands for the folder.
var ErrNobody = errors.New("no process takes commands for this data folder")

// Ask sends r to the process that runs on the folder dir and decodes its answer
// into out. ErrNobody means that nothing was sent.
func Ask(ctx context.Context, dir string, r Request, out any) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode %s: %w", r.Command, err)
	}
	conn, err := dial(ctx, dir)
	if err != nil {
		return err
	}
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://admin/do", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return lost(ctx, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return lost(ctx, err)
	}
	return decode(text, out)
}

func decode(text []byte, out any) error {
	var answer response
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("the running process gave no answer we know: is it of another version? %w", err)
	}
	if answer.Error != "" {
		return errors.New(answer.Error)
	}
	if err := json.Unmarshal(answer.Answer, out); err != nil {
		return fmt.Errorf("the running process gave no answer we know: is it of another version? %w", err)
	}
	return nil
}

func lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("the running process ended before it answered, try again: %w", err)
}

// dial connects to the process, if there is one.
func dial(ctx context.Context, dir string) (net.Conn, error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, ErrNobody
	}
	defer folder.Close()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", address(folder))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, ErrNobody // none, or one that was killed
	}
	if err != nil {
		return nil, fmt.Errorf("admin socket of %s: %w", dir, err)
	}
	return conn, nil
}

// ours takes connections of our own user alone. The mode of the socket says so
// too, but only after it was there for a moment.
type ours struct{ net.Listener }

// Accept implements net.Listener.
func (l ours) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if peer, ok := c.(*net.UnixConn); ok && sameUser(peer) {
			return c, nil
		}
		_ = c.Close()
	}
}
