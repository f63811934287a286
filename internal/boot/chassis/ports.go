package chassis

import (
	"context"
	"net"
	"strconv"

	"ccms/internal/httpserver"
)

// listenAgain listens on cfg.Addr. Where that leaves the port to us (port 0)
// the one of the last run is tried first: the portal's address stands in
// tokens and in mails already sent, which a restart should not make useless.
func (p *Process) listenAgain(ctx context.Context, cfg httpserver.Config) (*httpserver.Server, error) {
	host, port, err := net.SplitHostPort(cfg.Addr)
	if last := p.Dir.Ports()[cfg.Name]; err == nil && port == "0" && last != 0 {
		again := cfg
		again.Addr = net.JoinHostPort(host, strconv.Itoa(last))
		if s, err := httpserver.Listen(ctx, again); err == nil {
			return s, nil
		}
	}
	return httpserver.Listen(ctx, cfg)
}

// KeepPorts remembers the ports of all services for the next run.
func (p *Process) KeepPorts() error {
	ports := map[string]int{}
	for _, s := range p.Services {
		if a, ok := s.Server.Addr().(*net.TCPAddr); ok {
			ports[s.Name] = a.Port
		}
	}
	return p.Dir.KeepPorts(ports)
}
