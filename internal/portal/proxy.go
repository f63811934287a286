package portal

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/portal/backend"
)

// budget is how long a call passed on may take. It is longer than any budget
// of the services behind, so that their own answer arrives.
const budget = 20 * time.Second

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
			httpserver.WriteError(s.cfg.Log, w, r, backend.Unreachable(r.Context(), err))
		},
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), budget)
		defer cancel()
		proxy.ServeHTTP(w, r.WithContext(ctx))
		return nil
	}
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
