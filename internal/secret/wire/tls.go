package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// Securing returns a listener that speaks TLS over l's connections. A connection
// that turns out to speak HTTP/1.1 is a *SecureConn, so that the buffers above
// TLS are wiped too. One that speaks HTTP/2, or with which the handshake failed,
// is the *tls.Conn that net/http asks for: the former leaves in net/http's
// buffers what it will, the latter net/http answers.
//
// A handshake takes at most patience. After Close those that run may end within
// a second and are accepted: a client takes its handshake for done before we do,
// and sends its request. Only then does Accept fail.
func Securing(l net.Listener, cfg *tls.Config, patience time.Duration) net.Listener {
	ctx, cancel := context.WithCancel(context.Background())
	s := &securing{
		Listener: l, cfg: cfg, patience: patience, ctx: ctx, cancel: cancel,
		closed: make(chan struct{}), came: make(chan came), over: make(chan struct{}),
	}
	s.close = sync.OnceValue(func() error {
		close(s.closed)
		time.AfterFunc(ending, cancel)
		return l.Close()
	})
	go s.run()
	return s
}

// ending is how long handshakes may go on after Close.
const ending = time.Second

type securing struct {
	net.Listener
	cfg      *tls.Config
	patience time.Duration
	ctx      context.Context // of the handshakes
	cancel   context.CancelFunc
	close    func() error
	closed   chan struct{}
	came     chan came
	over     chan struct{} // nothing comes any more
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
	case <-s.over:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (s *securing) Close() error { return s.close() }

func (s *securing) run() {
	defer close(s.over)
	var greeting sync.WaitGroup
	defer greeting.Wait()
	for {
		c, err := s.Listener.Accept()
		if err == nil {
			greeting.Go(func() { s.greet(c) })
			continue
		}
		select {
		case <-s.closed:
			return
		default:
			s.hand(came{err: err})
		}
	}
}

// greet shakes hands. How a failure is told to the other side is net/http's
// business: it asks for the handshake again and gets the same error.
func (s *securing) greet(c net.Conn) {
	secure := tls.Server(below(c), s.cfg)
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

// headerSize is the size of the header of a TLS record, whose last two bytes are
// the length of what follows (RFC 8446 §5.1).
const headerSize = 5

// records is a connection below TLS. A record is decrypted where it was received
// and stays there, also after TLS took a larger buffer for the next one. When
// TLS asks for more, what it received was decrypted and read by whoever is
// above, or copied into the new buffer, or is needed as it is.
//
// So that the rest of the buffer is known whenever a record begins, header and
// content are handed out apart: a new buffer then begins with a header, and all
// of the content comes to where it is seen.
type records struct {
	net.Conn
	in     *bufio.Reader // of what is encrypted
	header []byte        // of the record that is handed out, as far as it is
	left   int           // of its content
	buffer []byte        // that TLS has, from the first place seen to its end
}

func below(c net.Conn) *records {
	return &records{Conn: c, in: bufio.NewReader(c), header: make([]byte, 0, headerSize)}
}

// Read implements net.Conn. TLS has one reader at a time.
func (c *records) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	clear(p)
	c.see(p[:cap(p)])
	if c.left > 0 {
		n, err := c.in.Read(p[:min(len(p), c.left)])
		c.left -= n
		return n, err
	}
	n, err := c.in.Read(p[:min(len(p), headerSize-len(c.header))])
	c.header = append(c.header, p[:n]...)
	if len(c.header) == headerSize {
		c.left = int(c.header[3])<<8 | int(c.header[4])
		c.header = c.header[:0]
	}
	return n, err
}

// see notes what is known of TLS's buffer, and wipes the one before when there
// is a new one. free reaches to the end of its array.
func (c *records) see(free []byte) {
	switch known := len(c.buffer); {
	case known == 0 || &c.buffer[known-1] != &free[len(free)-1]:
		clear(c.buffer)
		c.buffer = free
	case len(free) > known:
		c.buffer = free
	}
}
