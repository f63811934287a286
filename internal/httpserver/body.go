package httpserver

import (
	"context"
	"io"
	"net"
	"net/http"
)

// drainLimit is how much of a body that no handler wants is read after all, so
// that the connection can be used again. net/http reads as much, but through
// buffers that keep it.
const drainLimit = 256 << 10

// body is the body of a request. What was read of it is gone from the
// connection's own buffer; only the reader has it. In chunks it is gone when the
// next request is waited for or the connection is closed as it says: what the
// reader gets is put together and cannot be found.
type body struct {
	io.ReadCloser
	conn    forgetting
	chunked bool
	read    int64
	done    bool
}

// direct is less than what net/http's buffer holds: a read of that much would
// bypass the buffer, and ForgetAll wipe what the reader has.
const direct = 2 << 10

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.chunked {
		p = p[:min(len(p), direct)]
	}
	n, err := b.ReadCloser.Read(p)
	if !b.chunked {
		b.conn.Forget(p[:n])
	}
	b.read += int64(n)
	b.done = b.done || err != nil
	return n, err
}

// drain reads what is left, unless it is too much or the client still waits to
// be told to send it: then net/http closes the connection without reading.
func (b *body) drain(r *http.Request) {
	if b.done || r.Header.Get("Expect") != "" || r.ContentLength-b.read > drainLimit {
		return
	}
	buf := make([]byte, 4<<10)
	defer clear(buf)
	for left := int64(drainLimit); left > 0 && !b.done; {
		n, _ := b.Read(buf)
		left -= int64(n)
	}
}

// forgetting is a connection that wipes the buffer above it; package wire says
// how.
type forgetting interface {
	Forget(read []byte)
	ForgetAll()
}

type connKey struct{}

// withConn lets forgetful find the connection a request came on.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if own, ok := c.(forgetting); ok {
		return context.WithValue(ctx, connKey{}, own)
	}
	return ctx
}

// forgetful gives r, which is a copy of the server's, a body that leaves
// nothing behind, and returns what to do when r was answered. Without a body, or
// over HTTP/2, it does nothing.
func forgetful(r *http.Request) (answered func()) {
	conn, ok := r.Context().Value(connKey{}).(forgetting)
	if !ok || r.Body == nil || r.Body == http.NoBody {
		return func() {}
	}
	b := &body{ReadCloser: r.Body, conn: conn, chunked: r.ContentLength < 0}
	r.Body = b
	return func() {
		b.drain(r)
		if r.Close {
			conn.ForgetAll()
		}
	}
}
