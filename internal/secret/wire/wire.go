// Package wire owns connections that keep nothing of what passed. net/http
// reads and writes through buffers of its own, which it never clears and hands
// from one connection to the next: a password or a card number would stay in
// them for as long as the process lives. A connection sees the memory of such a
// buffer when it is asked to fill or to send it, and wipes it then.
//
// It knows no HTTP: which bytes were a body, its user says with Forget. What
// TLS keeps of a record it wipes too when it stands below TLS, but a buffer
// above TLS it sees only when it stands there.
package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"

	"ccms/internal/secret"
)

// Accepting returns a listener whose connections are a *Conn.
func Accepting(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &Conn{Conn: c}, nil
}

// Conn wipes a buffer before it fills it. By the contract of io.Reader, all of
// it may be used as scratch space, so nothing in it is of use to anybody: what
// a request left there is gone as soon as the next one is waited for.
type Conn struct {
	net.Conn

	mu   sync.Mutex
	last []byte // what came last, where the reader has it
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	clear(p)
	n, err := c.Conn.Read(p)
	if len(p) > 1 { // net/http watches for the end of a connection with one byte
		c.mu.Lock()
		c.last = p[:n]
		c.mu.Unlock()
	}
	return n, err
}

// Forget wipes from the buffer filled last what the caller got out of it, in one
// piece, and all that came before: a buffer that is not filled again keeps
// nothing. The first place that looks like read is no further than what was
// read; what nobody read yet stays. The caller is the only one who reads.
func (c *Conn) Forget(read []byte) {
	if len(read) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at := find(c.last, read)
	switch {
	case at < 0:
	case &c.last[at] == &read[0]: // it was read without a buffer between
		c.last = nil
	default:
		clear(c.last[:at+len(read)])
		c.last = c.last[at+len(read):]
	}
}

// find is bytes.Index for what is long: that looks for a short part with the
// processor's own instructions.
func find(in, long []byte) int {
	const short = 32
	head := long[:min(len(long), short)]
	for at := 0; ; at++ {
		i := bytes.Index(in[at:], head)
		if i < 0 {
			return -1
		}
		if at += i; bytes.HasPrefix(in[at:], long) {
			return at
		}
	}
}

// ForgetAll wipes the buffer filled last. Nobody reads from it any more.
func (c *Conn) ForgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.last)
	c.last = nil
}

// CloseWrite implements what net/http looks for to close one direction.
func (c *Conn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// Dialled returns c as a client of net/http uses it: what was sent of a body
// that is not in memory, and what was received, leaves nothing behind. The
// transport sends such a body by ReadFrom; one in memory, a bytes.Reader, it
// would copy into a buffer that nobody sees.
func Dialled(c net.Conn) net.Conn { return &dialled{Conn{Conn: c}} }

type dialled struct{ Conn }

// chunk is how much ReadFrom sends at once, at most.
const chunk = 16 << 10

// ReadFrom implements io.ReaderFrom with a buffer that is wiped.
func (c *dialled) ReadFrom(r io.Reader) (sent int64, err error) {
	size := int64(chunk)
	if l, ok := r.(*io.LimitedReader); ok {
		size = min(size, max(l.N, 1))
	}
	b := make([]byte, size)
	defer clear(b)
	secret.Do(func() { sent, err = c.send(r, b) })
	return sent, err
}

// send copies from r to the connection by way of b.
func (c *dialled) send(r io.Reader, b []byte) (sent int64, err error) {
	for {
		n, end := r.Read(b)
		w, err := c.Conn.Write(b[:n])
		sent += int64(w)
		switch {
		case err != nil:
			return sent, err
		case end == io.EOF:
			return sent, nil
		case end != nil:
			return sent, end
		}
	}
}
