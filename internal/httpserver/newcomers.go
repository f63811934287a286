package httpserver

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// firstRequest is how long a stop waits for the first request of a connection
// that was just accepted.
const firstRequest = time.Second

// newcomers are connections that were accepted and have sent no request yet. A
// client that has just connected sends one, whatever became of the server
// meanwhile, and net/http drops what it reads after Shutdown began. (On a
// connection that was used before clients expect an end, and repeat.)
type newcomers struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
	gone  chan struct{} // closed when there are none; made by who waits
}

type newcomerKey struct{}

// known lets a request tell its connection to asked.
func known(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, newcomerKey{}, c)
}

// changed is a server's ConnState.
func (n *newcomers) changed(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.conns == nil {
			n.conns = map[net.Conn]struct{}{}
		}
		n.conns[c] = struct{}{}
	case http.StateClosed, http.StateHijacked:
		n.asked(c)
	case http.StateActive, http.StateIdle: // asked says so when a handler has its request
	}
}

// asked notes that c is no newcomer any more.
func (n *newcomers) asked(c net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
	if n.gone != nil && len(n.conns) == 0 {
		close(n.gone)
		n.gone = nil
	}
}

// wait returns when there are none, or when they had their time. Nobody is
// accepted any more.
func (n *newcomers) wait(ctx context.Context) {
	n.mu.Lock()
	if len(n.conns) == 0 {
		n.mu.Unlock()
		return
	}
	gone := make(chan struct{})
	n.gone = gone
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, firstRequest)
	defer cancel()
	select {
	case <-gone:
	case <-ctx.Done():
	}
}
