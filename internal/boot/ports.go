package boot

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/go-json-experiment/json"

	"ccms/internal/httpserver"
)

// listenAgain listens on cfg.Addr. Where that leaves the port to us (port 0)
// the one of the last run is tried first: the portal's address stands in
// tokens and in mails already sent, which a restart should not make useless.
func (p *process) listenAgain(ctx context.Context, cfg httpserver.Config) (*httpserver.Server, error) {
	host, port, err := net.SplitHostPort(cfg.Addr)
	if last := p.dir.ports()[cfg.Name]; err == nil && port == "0" && last != 0 {
		again := cfg
		again.Addr = net.JoinHostPort(host, strconv.Itoa(last))
		if s, err := httpserver.Listen(ctx, again); err == nil {
			return s, nil
		}
	}
	return httpserver.Listen(ctx, cfg)
}

// ports are those of the last run by service; none when it is not known.
func (d *dataDir) ports() map[string]int {
	ports := map[string]int{}
	if b, err := os.ReadFile(d.file("ports.json")); err == nil {
		_ = json.Unmarshal(b, &ports) // a spoilt file costs the old ports only
	}
	return ports
}

// keepPorts remembers the ports of all services for the next run.
func (p *process) keepPorts() error {
	ports := map[string]int{}
	for _, s := range p.services {
		if a, ok := s.server.Addr().(*net.TCPAddr); ok {
			ports[s.name] = a.Port
		}
	}
	b, err := json.Marshal(ports, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("encode ports: %w", err)
	}
	return p.dir.replaceFile("ports.json", append(b, '\n'))
}
