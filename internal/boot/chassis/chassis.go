// Package chassis owns what every process has, whichever services run in it: the
// settings, the log, the data folder, the certificates, the store it opened, the
// services that listen and their way to each other. What a service is made of
// is package boot's business.
package chassis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"ccms/internal/actuator"
	"ccms/internal/apidocs"
	"ccms/internal/config"
	"ccms/internal/datadir"
	"ccms/internal/eureka"
	"ccms/internal/eureka/discovery"
	"ccms/internal/harden"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/lifecycle"
	"ccms/internal/logging"
	"ccms/internal/problem"
	"ccms/internal/store"
	"ccms/internal/trust"
)

// The names of the services, as the registry and the proofs between them spell
// them (decisions E2 and A8).
const (
	LoginService = "login-service"
	CardService  = "creditcard-service"
	Portal       = "portal"
)

// Console is where a command writes: Out for what was asked for, Err for the
// log and what went wrong.
type Console struct{ Out, Err io.Writer }

// Process is what the services of one process share.
type Process struct {
	Settings config.Settings
	Log      *logging.Log
	Dir      *datadir.Dir
	Prover   *identity.Prover
	Trust    *trust.Trust
	DB       store.DB // nil where no service needs one
	Public   *url.URL // where people reach the product
	Registry []string // URLs of the registries to register with
	Services []*Service

	base   *http.Transport // to all other services, in the clear
	reread func() (config.Settings, error)
	hangup chan os.Signal
	ready  atomic.Bool // told the supervisor so
}

// Service is one of the four: listening, wired, and not yet running.
type Service struct {
	Name     string
	Mux      *httpserver.Mux
	Server   *httpserver.Server
	Actuator *actuator.Actuator
	Client   *discovery.Client // nil for the registry
	Needs    []string          // services it must have found to be ready
	// Retire says to those who wait that the service will stop; nil for nothing.
	Retire func()
	// Authenticate finds out who sent a request; nil while nobody can.
	Authenticate httpserver.Authenticate
	Work         []func(context.Context) error
	Closers      []func(context.Context) error
}

// Version is what the binary says of itself.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// Start is how the command line starts a process.
type Start struct {
	Settings config.Settings
	Reread   func() (config.Settings, error) // reads the settings again when SIGHUP comes
	// Demo makes, the first time, a firm to try things with.
	Demo bool
	// OwnTLS serves everything over HTTPS with certificates of our own making
	// (ccms up --tls).
	OwnTLS bool
	Console
}

// Open opens what every process has. The caller closes it.
func Open(start Start) (*Process, error) {
	s := start.Settings
	if err := harden.Process(); err != nil {
		return nil, err
	}
	dir, err := datadir.Open(s.Data)
	if err != nil {
		return nil, err
	}
	log, err := OpenLog(s, start.Err)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	for _, w := range s.Warnings {
		log.Warn(w)
	}
	believed, err := openTrust(s, dir, start.OwnTLS)
	if err != nil {
		return nil, errors.Join(err, log.Close(), dir.Close())
	}
	p := &Process{Settings: s, Log: log, Dir: dir, Public: s.PublicURL, base: trust.NewTransport(), Trust: believed, reread: start.Reread}
	p.hangup = make(chan os.Signal, 1)
	signal.Notify(p.hangup, unix.SIGHUP)
	return p, nil
}

// Close closes what is open, the store among it.
func (p *Process) Close() error {
	signal.Stop(p.hangup)
	p.closeIdle()
	var errs []error
	if p.DB != nil {
		errs = append(errs, p.DB.Close())
	}
	return errors.Join(append(errs, p.Dir.RemoveRunning(), p.Log.Close(), p.Dir.Close())...)
}

// Listen opens the address of a service, so that every URL is known before
// anything is wired.
func (p *Process) Listen(ctx context.Context, name, addr string) (*Service, error) {
	log := p.Log.Of(name)
	s := &Service{Name: name, Mux: httpserver.NewMux(log)}
	s.Actuator = actuator.New(actuator.Config{Service: name, Version: Version(), Log: log})
	s.Actuator.Routes(s.Mux, s.mayWatch)
	apidocs.New(strings.TrimSuffix(name, "-service")).Routes(s.Mux, s.mayWatch)
	server, err := p.listenAgain(ctx, httpserver.Config{
		Name:           name,
		Addr:           addr,
		Handler:        s.Mux,
		Log:            log,
		TrustedProxies: p.Settings.Server.TrustedProxies,
		Prove:          p.Prove(name),
		Observe:        p.observe(s, log),
		TLS:            p.shows(name),
		InsecureHTTP:   p.Settings.InsecureHTTP && (name == Portal || name == eureka.Audience),
	})
	if err != nil {
		return nil, err
	}
	s.Server = server
	p.Services = append(p.Services, s)
	return s, nil
}

// shows is what a service shows of itself over TLS. The registry asks for
// certificates too where they may open a name (eureka.writers-file).
func (p *Process) shows(name string) *tls.Config {
	if name == eureka.Audience && p.Settings.Eureka.WritersFile != "" {
		return p.Trust.Asking()
	}
	return p.Trust.Server()
}

// mayWatch lets those look into the service from elsewhere who watch it: a
// client with the scope actuator:read (decision F1).
func (s *Service) mayWatch(r *http.Request) error {
	if s.Authenticate == nil {
		return problem.NoToken()
	}
	who, err := s.Authenticate(r)
	if err == nil && !who.Has(identity.ScopeActuator) {
		err = problem.NeedsScope(identity.ScopeActuator)
	}
	return err
}

// Prove checks the proofs made for the service name (decision A8).
func (p *Process) Prove(name string) func(*http.Request) string {
	return func(r *http.Request) string {
		purpose, err := p.Prover.Check(r.Header.Get(identity.ProofHeader), name, r.Method, r.URL.EscapedPath())
		if err != nil {
			return ""
		}
		return purpose
	}
}

// gcPercent lets the heap, which is small, grow fivefold between two
// collections: a fifth less processor time for a request (docs/performance.md).
// GOGC in the environment overrules it.
const gcPercent = 400

// Run runs every service, and beside until ctx ends or one of them fails; ready
// is called once the services have found each other.
func (p *Process) Run(ctx context.Context, ready func() error, beside ...func(context.Context) error) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	copies, err := p.copies(ctx)
	if err != nil {
		return err
	}
	if copies != nil {
		beside = append(beside, copies)
	}
	run := lifecycle.Process{
		Work:      append(beside, p.watch),
		Stopping:  func() { p.telling("STOPPING=1") },
		CloseIdle: p.closeIdle,
		Ready: func() error {
			if err := ready(); err != nil {
				return err
			}
			return p.toldReady()
		},
	}
	for _, s := range p.Services {
		run.Services = append(run.Services, s.runs())
	}
	return lifecycle.Run(ctx, run)
}

// runs is what a service runs, from now on and at the end.
func (s *Service) runs() lifecycle.Service {
	run := lifecycle.Service{
		Serve:  s.Server.Run,
		Work:   s.Work,
		Retire: s.retire,
		Close:  append([]func(context.Context) error{func(context.Context) error { s.Actuator.Close(); return nil }}, s.Closers...),
	}
	if s.Client != nil {
		run.Join, run.Await = s.Client.Run, s.AwaitOthers
	}
	return run
}

func (s *Service) retire() {
	s.Actuator.SetReady(false)
	if s.Retire != nil {
		s.Retire()
	}
}

// AwaitOthers returns once the service has found those it needs.
func (s *Service) AwaitOthers(ctx context.Context) error {
	if err := s.Client.Ready(ctx, s.Needs...); err != nil {
		return fmt.Errorf("%s did not become ready (it needs %s): %w", s.Name, strings.Join(s.Needs, ", "), err)
	}
	return nil
}

func (p *Process) closeIdle() {
	p.base.CloseIdleConnections()
	p.Trust.CloseIdle()
}
