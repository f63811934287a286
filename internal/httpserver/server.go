package httpserver

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/secret/wire"
)

// Config describes a Server.
type Config struct {
	Name    string // of the service, for logs
	Addr    string // host:port; port 0 picks a free one
	Handler http.Handler
	Log     *slog.Logger
	// TLS serves HTTPS when set. Default nil: plain HTTP, on loopback only
	// (decision F2).
	TLS *tls.Config
	// InsecureHTTP lets plain HTTP off loopback, for a proxy in front that
	// ends TLS.
	InsecureHTTP bool
	// PublicURL is where people reach the product; its host is accepted beside
	// loopback names (decision A9). May be nil.
	PublicURL *url.URL
	// TrustedProxies may say who the client is (decision A7). Default none.
	TrustedProxies []netip.Prefix
	// Prove checks the A8 proof of a request that carries one and returns its
	// purpose, "" when it does not hold. Default nil: no proof holds.
	Prove func(r *http.Request) string
	// Observe is told of every finished request. Default nil.
	Observe func(Observation)
}

// Observation is one finished request. Route is the pattern, never the path.
type Observation struct {
	Method, Route string
	Status        int
	Began         time.Time
	Duration      time.Duration
	Span          Span
}

// Span is a request's place in its trace, in hexadecimal digits (W3C Trace
// Context): 32 of the trace, 16 of our span and of the caller's, "" where the
// trace begins here. Chosen says that the caller records the trace.
type Span struct {
	Trace, ID, Caller string
	Chosen            bool
}

// The time-outs of a connection. IdleTimeout is long because registry clients
// keep a connection between heartbeats 30 s apart.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 120 * time.Second

	headerLimit    = 16 << 10 // ours, answered with 431 (decision A1)
	maxHeaderBytes = 64 << 10 // net/http's own

	lameDuck  = 200 * time.Millisecond // answers say Connection: close before the listener closes
	drainTime = 8 * time.Second
)

// Server is one listening service.
type Server struct {
	cfg      Config
	listener net.Listener
	srv      *http.Server
	loopback bool
	draining atomic.Bool
	new      newcomers
}

// Listen opens the address, so that the caller knows its URL before Run.
func Listen(ctx context.Context, cfg Config) (*Server, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			err = errors.New("another program listens there: stop it, or give another address")
		}
		return nil, fmt.Errorf("%s: listen on %s: %w", cfg.Name, cfg.Addr, err)
	}
	s := &Server{cfg: cfg, listener: l}
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		s.loopback = a.IP.IsLoopback()
	}
	if cfg.TLS == nil && !s.loopback && !cfg.InsecureHTTP {
		_ = l.Close()
		return nil, fmt.Errorf("%s: will not serve plain HTTP off loopback, on %s: give it a certificate", cfg.Name, l.Addr())
	}
	if cfg.TLS != nil {
		s.cfg.TLS = cfg.TLS.Clone()
		s.cfg.TLS.NextProtos = []string{"h2", "http/1.1"}
	}
	speaks := new(http.Protocols) // what NextProtos offers, whatever GODEBUG says
	speaks.SetHTTP1(true)
	speaks.SetHTTP2(true)
	s.srv = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		TLSConfig:         s.cfg.TLS,
		Protocols:         speaks,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return withConn(known(ctx, c), c) },
		ConnState:         s.new.changed,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),

		DisableGeneralOptionsHandler: true,
	}
	return s, nil
}

// URL is the base URL of the listener, without a trailing slash. A listener on
// all addresses is named localhost.
func (s *Server) URL() string {
	scheme := "http"
	if s.cfg.TLS != nil {
		scheme = "https"
	}
	a, ok := s.listener.Addr().(*net.TCPAddr)
	if !ok {
		return scheme + "://" + s.listener.Addr().String()
	}
	host := a.IP.String()
	if a.IP.IsLoopback() || a.IP.IsUnspecified() {
		host = "localhost"
	}
	return fmt.Sprintf("%s://%s", scheme, net.JoinHostPort(host, fmt.Sprint(a.Port)))
}

// Addr is the address listened on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// SetPublicURL names the public URL when it became known only after Listen;
// call it before Run.
func (s *Server) SetPublicURL(u *url.URL) { s.cfg.PublicURL = u }

// Run serves until ctx ends, then answers what was accepted and returns nil.
func (s *Server) Run(ctx context.Context) error {
	listener := wire.Accepting(s.listener)
	if s.cfg.TLS != nil {
		listener = wire.Securing(s.listener, s.cfg.TLS, readHeaderTimeout)
	}
	failed := make(chan error, 1)
	go func() { failed <- s.srv.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("%s: serve: %w", s.cfg.Name, err)
	case <-ctx.Done():
	}
	s.draining.Store(true)
	<-time.After(lameDuck)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	// First the listener, so that all it accepted is known to who waits for it.
	err := listener.Close()
	<-failed
	s.new.wait(drain)
	late := s.srv.Shutdown(drain)
	if errors.Is(late, context.DeadlineExceeded) {
		late = s.srv.Close()
	}
	return errors.Join(err, late)
}

// serve is the path every request takes before it is routed.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	rec := &recorder{ResponseWriter: w}
	if c, ok := r.Context().Value(newcomerKey{}).(net.Conn); ok {
		s.new.asked(c)
	}
	i := s.describe(r)
	r = r.WithContext(context.WithValue(r.Context(), requestKey{}, i))
	rec.Header().Set(requestIDHeader, i.id)
	if s.draining.Load() {
		rec.Header().Set("Connection", "close")
	}
	defer s.finish(rec, r, i, start)
	defer forgetful(r)()
	if err := s.admit(r); err != nil {
		WriteError(s.cfg.Log, rec, r, err)
		return
	}
	s.cfg.Handler.ServeHTTP(rec, r)
}

// admit refuses what no handler should see.
func (s *Server) admit(r *http.Request) error {
	if headerSize(r) > headerLimit {
		return problem.HeadersOverLimit()
	}
	if s.loopback && !s.ownHost(r.Host) {
		return problem.WrongHost()
	}
	return nil
}

// describe gathers what is known of a request before it is routed.
func (s *Server) describe(r *http.Request) *request {
	i := &request{route: unrouted}
	peer := peerAddr(r)
	if s.cfg.Prove != nil && r.Header.Get(identity.ProofHeader) != "" {
		i.proof = s.cfg.Prove(r)
	}
	trusted := i.proof != "" || slices.ContainsFunc(s.cfg.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(peer) })
	i.client = peer
	if trusted {
		i.client = forwardedFor(r, peer)
	}
	i.id = r.Header.Get(requestIDHeader)
	if !trusted || !requestIDShape.MatchString(i.id) || looksLikeNumber(i.id) {
		i.id = newRequestID()
	}
	i.trace = newTrace(r.Header)
	i.local = s.loopback && peer.IsLoopback() && s.publicLoopback() && !forwarded(r)
	return i
}

var requestIDShape = regexp.MustCompile(`^[A-Za-z0-9]{8,32}$`)

func newRequestID() string { return rand.Text()[:16] }

func peerAddr(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap().WithZone("")
}

// forwardedFor is the last hop of X-Forwarded-For, else peer.
func forwardedFor(r *http.Request, peer netip.Addr) netip.Addr {
	values := r.Header.Values("X-Forwarded-For")
	if len(values) == 0 {
		return peer
	}
	last := values[len(values)-1]
	last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
	a, err := netip.ParseAddr(last)
	if err != nil {
		return peer
	}
	return a.Unmap().WithZone("")
}

func forwarded(r *http.Request) bool {
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(h) != "" {
			return true
		}
	}
	return false
}

func (s *Server) publicLoopback() bool {
	return s.cfg.PublicURL == nil || loopbackName(s.cfg.PublicURL.Hostname())
}

// ownHost reports whether a loopback listener may be addressed as host.
func (s *Server) ownHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	return host == "" || loopbackName(host) || s.cfg.PublicURL != nil && strings.EqualFold(host, s.cfg.PublicURL.Hostname())
}

func loopbackName(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// headerSize is about what the header took on the wire.
func headerSize(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v) + 4
		}
	}
	return n
}

// hungUp stands in the log, in metrics and in spans for the status of a request
// whose caller did not wait for the answer, as other servers have it: that work
// ended with him is no failure, and nobody can make an alarm go off by leaving.
const hungUp = 499

// finish answers a panic, tells Observe and the log.
func (s *Server) finish(rec *recorder, r *http.Request, i *request, start time.Time) {
	v := recover()
	if v != nil && v != http.ErrAbortHandler && rec.status == 0 {
		WriteError(s.cfg.Log, rec, r, problem.Server().Because(fmt.Errorf("panic: %T at %s", v, stackTop())))
	}
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	if rec.status >= http.StatusInternalServerError && errors.Is(r.Context().Err(), context.Canceled) {
		rec.status = hungUp
	}
	took := time.Since(start)
	s.logAccess(rec, r, i, took)
	if s.cfg.Observe != nil {
		t := i.trace
		s.cfg.Observe(Observation{r.Method, i.route, rec.status, start, took, Span{t.id, t.span, t.caller, t.flags&sampled != 0}})
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
}

// logAccess writes the one line every request leaves.
func (s *Server) logAccess(rec *recorder, r *http.Request, i *request, took time.Duration) {
	level := accessLevel(i.route)
	if !s.cfg.Log.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("http.request.method", r.Method),
		slog.String("http.route", i.route),
		slog.String("url.path", i.logged(r)),
		slog.Int("http.response.status_code", rec.status),
		slog.Int64("http.response.body.bytes", rec.bytes),
		slog.Duration("event.duration", took),
	}
	if i.client.IsValid() { // what is no address would keep the line out of an index
		attrs = append(attrs, slog.String("client.ip", i.client.String()))
	}
	s.cfg.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// unrouted is the route of a request that none was found for.
const unrouted = "UNKNOWN"

// longSegment is what stands between slashes and is long enough for a secret of
// 16 bytes, however it is written.
var longSegment = regexp.MustCompile(`[^/]{20,}`)

// logged is the path as the log has it. Without a route nobody knows which part
// of it may be a secret, such as a link's that was sent to a wrong host or with
// a slip of the pen: so whatever is long enough is left out.
func (i *request) logged(r *http.Request) string {
	if i.path == "" && i.route == unrouted {
		return longSegment.ReplaceAllString(Path(r), "{hidden}")
	}
	return cmp.Or(i.path, Path(r))
}

// accessLevel keeps the chatter of machines out of the ordinary log.
func accessLevel(route string) slog.Level {
	if strings.HasPrefix(route, "/eureka") || strings.Contains(route, " /actuator/") || strings.Contains(route, " /internal/") {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
