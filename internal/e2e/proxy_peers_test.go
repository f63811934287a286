//go:build peers || chaos

package e2e

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
	weather  weather
	deaf     func() // ends that connections are not even refused
}

// weather is how bytes pass.
type weather struct {
	delay time.Duration // of every byte, each way
	rate  int           // bytes a second each way; 0 for any number
	reset bool          // nothing passes: whoever sends is reset
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
	p.weather = weather{}
	if p.deaf != nil {
		p.deaf()
		p.deaf = nil
	}
	p.release()
	p.listen()
}

// release lets waiting bytes pass; the caller holds the lock.
func (p *proxy) release() {
	select {
	case <-p.flow:
	default:
		close(p.flow)
	}
}

// listen takes connections; the caller holds the lock.
func (p *proxy) listen() {
	if p.listener != nil {
		return
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		p.t.Error(err)
		return
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

// hush takes no more connections; the caller holds the lock.
func (p *proxy) hush() {
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
}

// cut ends all connections and refuses new ones.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hush()
	if p.deaf != nil {
		p.deaf()
		p.deaf = nil
	}
	for conn := range p.open {
		_ = conn.Close()
	}
	p.release() // so that whoever waits sees the end
}

// stall keeps all connections, takes new ones, and passes nothing on.
func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flow = make(chan struct{})
}

// drop loses every packet: connections are silent, and new ones do not come
// about, nor are they refused.
func (p *proxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flow = make(chan struct{})
	p.hush()
	var err error
	if p.deaf, err = ignore(p.addr); err != nil {
		p.t.Error(err)
	}
}

// ignore listens at addr and takes no connection: once the queue of the kernel
// is full, which is one long, it does not answer who wants another.
func ignore(addr string) (end func(), err error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	var filler net.Conn
	end = func() {
		if filler != nil {
			_ = filler.Close()
		}
		_ = unix.Close(fd)
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()})
	}
	if err == nil {
		err = unix.Listen(fd, 0)
	}
	if err == nil {
		filler, err = net.Dial("tcp", addr)
	}
	if err != nil {
		end()
		return nil, err
	}
	return end, nil
}

// turn changes how bytes pass. Resets end what is open at once.
func (p *proxy) turn(w weather) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weather = w
	if w.reset {
		for conn := range p.open {
			abort(conn)
		}
	}
}

// abort ends a connection as one does who knows nothing of it.
func abort(conn net.Conn) {
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	_ = conn.Close()
}

func (p *proxy) carry(client net.Conn) {
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		abort(client)
		return
	}
	p.mu.Lock()
	p.open[client], p.open[server] = true, true
	if p.listener == nil && p.deaf == nil { // it was cut meanwhile
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

// chunk is what was read at once.
type chunk struct {
	bytes []byte
	at    time.Time
}

// pump passes on what comes, as the weather is when it is due: reading goes on
// while earlier bytes are on their way.
func (p *proxy) pump(to, from net.Conn) {
	defer to.Close()
	underway := make(chan chunk, 16)
	p.wg.Go(func() {
		defer close(underway)
		for {
			buf := make([]byte, 16<<10)
			n, err := from.Read(buf)
			if n > 0 {
				underway <- chunk{buf[:n], time.Now()}
			}
			if err != nil {
				return
			}
		}
	})
	for c := range underway {
		p.mu.Lock()
		flow, w := p.flow, p.weather
		p.mu.Unlock()
		<-flow
		if w.reset {
			abort(from)
			abort(to)
			break
		}
		if w.delay > 0 {
			<-time.After(time.Until(c.at.Add(w.delay)))
		}
		if w.rate > 0 {
			<-time.After(time.Duration(len(c.bytes)) * time.Second / time.Duration(w.rate))
		}
		if _, err := to.Write(c.bytes); err != nil {
			break
		}
	}
	_ = from.Close()
	for range underway { // so that the reader ends
	}
}
