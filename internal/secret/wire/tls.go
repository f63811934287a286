package wire

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// Securing returns a listener that speaks TLS over l's connections. A connection that turns out to speak HTTP/1.1 is a *SecureConn,
// so that the buffers above TLS are wiped too. One that speaks HTTP/2, or with
// which the handshake failed, is the *tls.Conn that net/http asks for: the
// former leaves in net/http's buffers what it will, the latter net/http answers.
//
// A handshake takes at most patience. Close ends those that run and waits.
func Securing(l net.Listener, cfg *tls.Config, patience time.Duration) net.Listener {
	ctx, cancel := context.WithCancel(context.Background())
	s := &securing{Listener: l, cfg: cfg, patience: patience, ctx: ctx, cancel: cancel, came: make(chan came)}
	s.running.Go(s.run)
	return s
}

type securing struct {
	net.Listener
	cfg      *tls.Config
	patience time.Duration
	ctx      context.Context // of the listener's life
	cancel   context.CancelFunc
	running  sync.WaitGroup
	came     chan came
}

// came is a connection, or why there is none.
type came struct {
	conn net.Conn
	err  error
}

// Accept implements net.Listener.
func (s *securing) Accept() (net.Conn, error) {
	select {
	case c := <-s.came:
		return c.conn, c.err
	case <-s.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (s *securing) Close() error {
	s.cancel()
	err := s.Listener.Close()
	s.running.Wait()
	return err
}

func (s *securing) run() {
	for s.ctx.Err() == nil {
		c, err := s.Listener.Accept()
		if err != nil {
			s.hand(came{err: err})
			continue
		}
		s.running.Go(func() { s.greet(c) })
	}
}

// greet shakes hands. How a failure is told to the other side is net/http's
// business: it asks for the handshake again and gets the same error.
func (s *securing) greet(c net.Conn) {
	secure := tls.Server(&records{Conn: c}, s.cfg)
	ctx, cancel := context.WithTimeout(s.ctx, s.patience)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil || secure.ConnectionState().NegotiatedProtocol == "h2" {
		s.hand(came{conn: secure})
		return
	}
	s.hand(came{conn: &SecureConn{Conn: Conn{Conn: secure}, tls: secure}})
}

func (s *securing) hand(c came) {
	select {
	case s.came <- c:
	case <-s.ctx.Done():
		if c.conn != nil {
			_ = c.conn.Close()
		}
	}
}

// SecureConn is a Conn above TLS.
type SecureConn struct {
	Conn
	tls *tls.Conn
}

// ConnectionState is what net/http tells a handler about TLS.
func (c *SecureConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// records is a connection below TLS. A record is decrypted where it was received
// and stays there, also after TLS took a larger buffer for the next one. When
// TLS asks for more, all that it received was decrypted, copied into the new
// buffer or read by whoever is above.
type records struct {
	net.Conn
	buffer []byte // as far as it was seen, from its earliest place to its end
}

// Read implements net.Conn. TLS has one reader at a time.
func (c *records) Read(p []byte) (int, error) {
	clear(p)
	switch {
	case len(p) == 0:
	case !sameEnd(c.buffer, p):
		clear(c.buffer)
		c.buffer = p[:cap(p)]
	case cap(p) > len(c.buffer):
		c.buffer = p[:cap(p)]
	}
	return c.Conn.Read(p)
}

// sameEnd reports whether two slices that reach to the end of their arrays are
// parts of one.
func sameEnd(buffer, p []byte) bool {
	return len(buffer) > 0 && &buffer[len(buffer)-1] == &p[:cap(p)][cap(p)-1]
}
