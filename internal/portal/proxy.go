package portal

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"

	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/patience"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/upstream"
)

// budget is how long a call passed on may take. It is longer than any budget
// of the services behind, so that their own answer arrives.
const budget = patience.Times * 20 * time.Second

// pass returns a handler that hands requests to service as they are, but for
// what only we may say: who the client is, and that we vouch for it. The
// transport adds the request's id and trace.
func (s *Service) pass(service string) httpserver.Handler {
	proxy := &httputil.ReverseProxy{
		Transport:  s.cfg.Transport,
		BufferPool: new(buffers),
		ErrorLog:   slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", service
			p.Out.URL.RawQuery = p.In.URL.RawQuery
			p.Out.Host = service
			for _, h := range []string{"Cookie", "X-Real-Ip", "X-Request-Id", identity.ProofHeader} {
				p.Out.Header.Del(h)
			}
			s.cfg.Vouch(p.Out, httpserver.Client(p.In))
		},
		ModifyResponse: func(r *http.Response) error {
			r.Header.Del("X-Request-Id") // ours is set already, and is the same
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if body, ok := r.Context().Value(passedKey{}).(*passed); ok && body.broken.Load() {
				err = brokenBody(err)
			} else {
				err = upstream.Unreachable(r.Context(), err)
			}
			httpserver.WriteError(s.cfg.Log, w, r, err)
		},
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), budget)
		defer cancel()
		r = r.WithContext(ctx)
		if r.ContentLength < 0 {
			whole, err := hold(w, r)
			if err != nil {
				return err
			}
			defer whole.Close()
			r.Body, r.ContentLength, r.TransferEncoding = whole, whole.length(), nil
		} else if r.ContentLength > 0 {
			body := &passed{ReadCloser: r.Body}
			r = r.WithContext(context.WithValue(r.Context(), passedKey{}, body))
			r.Body = body
		}
		proxy.ServeHTTP(w, r)
		return nil
	}
}

// held is a body in memory of our own, which closing it wipes. A body whose
// length nobody knows is held until its end, because http.Transport sends such
// a one through buffers that it shares and never clears.
type held struct {
	mu      sync.Mutex // a transport may go on reading after it has answered
	content secret.Bytes
	unread  []byte
}

// heldLimit is the most that any service takes (decision A4, bulk).
const heldLimit = 4 << 20

func hold(w http.ResponseWriter, r *http.Request) (*held, error) {
	content, err := httpserver.ReadBody(w, r, heldLimit)
	if err == nil {
		return &held{content: content, unread: content.Reveal()}, nil
	}
	content.Wipe()
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, problem.BodyTooLarge()
	}
	return nil, brokenBody(err)
}

func brokenBody(err error) error {
	return problem.Validation("Send the whole body without long pauses.").Because(err)
}

// passed is a body on its way to a service. It remembers that it was the client
// who broke off: what the transport returns then may be that the service, which
// waits for the rest, has gone.
type passed struct {
	io.ReadCloser
	broken atomic.Bool
}

type passedKey struct{}

// Read implements io.Reader.
func (b *passed) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.broken.Store(true)
	}
	return n, err
}

func (h *held) length() int64 { return int64(h.content.Len()) }

// Read implements io.Reader.
func (h *held) Read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.unread) == 0 {
		return 0, io.EOF
	}
	n := copy(p, h.unread)
	h.unread = h.unread[n:]
	return n, nil
}

// Close implements io.Closer.
func (h *held) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unread = nil
	h.content.Wipe()
	return nil
}

// buffers lends the proxy the memory through which answers pass. It is wiped
// when it comes back: an answer may hold a token or a card number.
type buffers struct{ pool sync.Pool }

const bufferSize = 8 << 10

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return p[:]
	}
	return make([]byte, bufferSize)
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(p []byte) {
	clear(p)
	b.pool.Put((*[bufferSize]byte)(p))
}
