//go:build peers

package e2e

import (
	"net"
	"sync"
	"testing"
)

// proxy passes TCP connections on to a server, and fails as a network does.
type proxy struct {
	t      testing.TB
	addr   string // where it listens, and the server's address
	server string
	wg     sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil while it is cut
	open     map[net.Conn]bool
	flow     chan struct{} // closed while bytes pass
}

func newProxy(t testing.TB, server string) *proxy {
	p := &proxy{t: t, server: server, addr: "127.0.0.1:0", open: map[net.Conn]bool{}, flow: make(chan struct{})}
	close(p.flow)
	p.mend()
	t.Cleanup(func() { p.cut(); p.wg.Wait() })
	return p
}

// mend lets bytes pass again.
func (p *proxy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.flow:
	default:
		close(p.flow)
	}
	if p.listener != nil {
		return
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.listener, p.addr = l, l.Addr().String()
	p.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.carry(conn) })
		}
	})
}

// cut ends all connections and refuses new ones.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	for conn := range p.open {
		_ = conn.Close()
	}
	select {
	case <-p.flow:
	default:
		close(p.flow) // so that whoever waits sees the end
	}
}

// stall keeps all connections and passes nothing on.
func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flow = make(chan struct{})
}

func (p *proxy) carry(client net.Conn) {
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.open[client], p.open[server] = true, true
	if p.listener == nil { // it was cut meanwhile
		_ = client.Close()
	}
	p.mu.Unlock()
	p.wg.Go(func() { p.pump(server, client) })
	p.pump(client, server)
	p.mu.Lock()
	delete(p.open, client)
	delete(p.open, server)
	p.mu.Unlock()
}

func (p *proxy) pump(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		flow := p.flow
		p.mu.Unlock()
		<-flow
		if _, bad := to.Write(buf[:n]); err != nil || bad != nil {
			return
		}
	}
}
