// Package boot puts the parts together: it is the only package that knows
// every other, and what the settings mean for each. There is one file per
// service, up.go for all four in one process, one.go for one alone, admin.go and
// doctor.go for commands beside them. It holds no rule of a domain, and none of
// the folder, the certificates or the order that a process lives by: those are
// in datadir, trust and lifecycle.
package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"

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
	"ccms/internal/store"
	"ccms/internal/trust"
)

// The names of the services, as the registry and the proofs between them spell
// them (decisions E2 and A8).
const (
	loginName  = "login-service"
	cardName   = "creditcard-service"
	portalName = "portal"
)

// Console is where a command writes: Out for what was asked for, Err for the
// log and what went wrong.
type Console struct{ Out, Err io.Writer }

// process is what the services of one process share.
type process struct {
	settings config.Settings
	log      *logging.Log
	dir      *datadir.Dir
	prover   *identity.Prover
	base     *http.Transport // to all other services, in the clear
	trust    *trust.Trust
	reread   func() (config.Settings, error)
	hangup   chan os.Signal
	db       store.DB // nil where no service needs one
	public   *url.URL
	registry []string // URLs of the registries to register with
	services []*service
}

// service is one of the four: listening, wired, and not yet running.
type service struct {
	name     string
	mux      *httpserver.Mux
	server   *httpserver.Server
	actuator *actuator.Actuator
	client   *discovery.Client // nil for the registry
	needs    []string          // services it must have found to be ready
	work     []func(context.Context) error
	closers  []func(context.Context) error
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
	// OwnTLS serves everything over HTTPS with certificates of our own making
	// (ccms up --tls).
	OwnTLS bool
	Console
}

// newProcess opens what every process has. The caller closes it.
func newProcess(start Start) (*process, error) {
	s := start.Settings
	if err := harden.Process(); err != nil {
		return nil, err
	}
	dir, err := datadir.Open(s.Data)
	if err != nil {
		return nil, err
	}
	log, err := openLog(s, start.Err)
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
	p := &process{settings: s, log: log, dir: dir, public: s.PublicURL, base: trust.NewTransport(), trust: believed, reread: start.Reread}
	p.hangup = make(chan os.Signal, 1)
	signal.Notify(p.hangup, unix.SIGHUP)
	return p, nil
}

func (p *process) close() error {
	signal.Stop(p.hangup)
	p.closeIdle()
	var errs []error
	if p.db != nil {
		errs = append(errs, p.db.Close())
	}
	return errors.Join(append(errs, p.dir.RemoveRunning(), p.log.Close(), p.dir.Close())...)
}

// listen opens the address of a service, so that every URL is known before
// anything is wired.
func (p *process) listen(ctx context.Context, name, addr string) (*service, error) {
	log := p.log.Of(name)
	s := &service{name: name, mux: httpserver.NewMux(log)}
	s.actuator = actuator.New(actuator.Config{Service: name, Version: Version(), Log: log})
	s.actuator.Routes(s.mux, nil)
	apidocs.New(strings.TrimSuffix(name, "-service")).Routes(s.mux, nil)
	server, err := p.listenAgain(ctx, httpserver.Config{
		Name:           name,
		Addr:           addr,
		Handler:        s.mux,
		Log:            log,
		TrustedProxies: p.settings.Server.TrustedProxies,
		Prove:          p.prove(name),
		Observe:        s.actuator.Observe,
		TLS:            p.trust.Server(),
		InsecureHTTP:   p.settings.InsecureHTTP && (name == portalName || name == eureka.Audience),
	})
	if err != nil {
		return nil, err
	}
	s.server = server
	p.services = append(p.services, s)
	return s, nil
}

// prove checks the proofs made for the service name (decision A8).
func (p *process) prove(name string) func(*http.Request) string {
	return func(r *http.Request) string {
		purpose, err := p.prover.Check(r.Header.Get(identity.ProofHeader), name, r.Method, r.URL.EscapedPath())
		if err != nil {
			return ""
		}
		return purpose
	}
}

// run runs every service until ctx ends or one of them fails; ready is called
// once they have found each other.
func (p *process) run(ctx context.Context, ready func() error) error {
	run := lifecycle.Process{Work: []func(context.Context) error{p.watch, p.serveAdmin}, CloseIdle: p.closeIdle, Ready: ready}
	for _, s := range p.services {
		run.Services = append(run.Services, s.runs())
	}
	return lifecycle.Run(ctx, run)
}

// runs is what a service runs, from now on and at the end.
func (s *service) runs() lifecycle.Service {
	run := lifecycle.Service{
		Serve:  s.server.Run,
		Work:   s.work,
		Retire: func() { s.actuator.SetReady(false) },
		Close:  append([]func(context.Context) error{func(context.Context) error { s.actuator.Close(); return nil }}, s.closers...),
	}
	if s.client != nil {
		run.Join, run.Await = s.client.Run, s.awaitOthers
	}
	return run
}

func (s *service) awaitOthers(ctx context.Context) error {
	if err := s.client.Ready(ctx, s.needs...); err != nil {
		return fmt.Errorf("%s did not become ready (it needs %s): %w", s.name, strings.Join(s.needs, ", "), err)
	}
	return nil
}

func (p *process) closeIdle() {
	p.base.CloseIdleConnections()
	p.trust.CloseIdle()
}
