package discovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ccms/internal/eureka"
)

// Transport returns a RoundTripper for URLs whose host is an application's
// name, ignoring case: http://login-service/api/customer/validate. It picks
// instances in turn; a refused connection leads to the next one, any failure
// does where the method is safe, an instance that answers nobody among them, or
// one that answers 503 while there are others.
// Those that failed are tried last. Time-outs are the request's context's. It
// follows no redirect and adds no header. base sends; default
// http.DefaultTransport.
func (c *Client) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{c, base}
}

type transport struct {
	client *Client
	base   http.RoundTripper
}

// RoundTrip implements http.RoundTripper. Its error is ErrNoInstance when
// there is nobody to ask.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	app := r.URL.Hostname()
	targets := t.client.firstTargets(r.Context(), app)
	body := &body{inner: r.Body}
	if len(targets) == 0 {
		body.commit(true)
		poke(t.client.fetchNow)
		return nil, fmt.Errorf("%w of %s", ErrNoInstance, strings.ToUpper(app))
	}
	var failed error
	tried := map[string]bool{}
	for len(targets) > 0 {
		target := targets[0]
		resp, err := t.try(r, target, body, len(targets) > 1)
		if err == nil {
			body.commit(false)
			return resp, nil
		}
		failed, tried[target.Host] = err, true
		if !isDial(err) && !safe(r) {
			break
		}
		if r.Context().Err() != nil || body.touched() {
			break
		}
		if targets = targets[1:]; len(targets) == 0 {
			targets = t.client.untried(r.Context(), app, tried)
		}
	}
	body.commit(true)
	return nil, failed
}

// sender is who sends to an instance of app.
func (t *transport) sender(app string, target *url.URL) http.RoundTripper {
	if s := t.client.cfg.Secure[strings.ToUpper(app)]; s != nil && target.Scheme == "https" {
		return s
	}
	return t.base
}

// at is r for one instance. Its Host is the instance's: on loopback a service
// refuses other names (decision A9).
func at(r *http.Request, target *url.URL, b *body) *http.Request {
	out := r.Clone(r.Context())
	out.URL.Scheme = target.Scheme
	out.URL.Host = target.Host
	out.Host = ""
	if r.Body != nil && r.Body != http.NoBody {
		out.Body = b.begin()
	}
	return out
}

// isDial reports whether no connection came about, so that nothing of the
// request can have arrived.
func isDial(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

func safe(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
}

// firstList is how long a request waits for the first list of a client that has
// just begun: its service may be called already, and to say that there is
// nobody behind it would be wrong.
const firstList = 2 * time.Second

// firstTargets are targets, once the registry was heard or had its time.
func (c *Client) firstTargets(ctx context.Context, app string) []*url.URL {
	ctx, cancel := context.WithTimeout(ctx, firstList)
	defer cancel()
	for {
		c.mu.Lock()
		changed, heard := c.changed, !c.fetched.IsZero()
		c.mu.Unlock()
		if heard {
			return c.targets(app)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// A list younger than freshList is not asked for again because of a request that
// found nobody, which waits no longer than askAgain for it.
const (
	freshList = 250 * time.Millisecond
	askAgain  = 500 * time.Millisecond
)

// untried are the instances a request has not tried yet, once the registry was
// asked again: an instance that came a moment ago may be the only one left.
func (c *Client) untried(ctx context.Context, app string, tried map[string]bool) []*url.URL {
	ctx, cancel := context.WithTimeout(ctx, askAgain)
	defer cancel()
	began := c.cfg.Now()
	for {
		c.mu.Lock()
		changed, fetched := c.changed, c.fetched
		c.mu.Unlock()
		left := slices.DeleteFunc(c.targets(app), func(u *url.URL) bool { return tried[u.Host] })
		if len(left) > 0 || began.Sub(fetched) < freshList {
			return left
		}
		poke(c.fetchNow)
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// targets are the addresses of an application in the order to try them.
func (c *Client) targets(app string) []*url.URL {
	list := c.Instances(app)
	if len(list) == 0 {
		return nil
	}
	n := int(c.next.Add(1) % uint64(len(list)))
	urls := make([]*url.URL, 0, len(list))
	for _, in := range slices.Concat(list[n:], list[:n]) {
		urls = append(urls, address(&in))
	}
	now := c.cfg.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	rank := func(u *url.URL) int {
		if c.conditions[u.Host].shunned(now) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(urls, func(a, b *url.URL) int { return rank(a) - rank(b) })
	return urls
}

// address is where an instance is called: by HTTPS when it says so.
func address(in *eureka.Instance) *url.URL {
	scheme, port := "http", in.Port.Number
	if in.SecurePort.Enabled {
		scheme, port = "https", in.SecurePort.Number
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(callee(in), strconv.Itoa(port))}
}

// body lets a request be sent again after a refused connection: an attempt
// that failed must not close it, the last one must.
type body struct {
	inner io.ReadCloser // may be nil

	mu       sync.Mutex
	current  *attempt
	read     bool
	decided  bool // no other attempt follows
	released bool
}

// attempt is the body as one attempt sees it.
type attempt struct {
	*body
	closed bool
}

// begin returns the body for the next attempt; those before lose it.
func (b *body) begin() *attempt {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.current = &attempt{body: b}
	return b.current
}

// Read implements io.Reader.
func (a *attempt) Read(p []byte) (int, error) {
	a.mu.Lock()
	mine := a.current == a
	a.read = a.read || mine
	a.mu.Unlock()
	if !mine {
		return 0, http.ErrBodyReadAfterClose
	}
	return a.inner.Read(p)
}

// Close implements io.Closer.
func (a *attempt) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	return a.release(a.decided && a.current == a)
}

// touched reports whether some of the body was read, so that it cannot be sent
// again.
func (b *body) touched() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.read
}

// commit says that no other attempt follows; the body is closed now, or when
// the attempt under way closes it.
func (b *body) commit(now bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.decided = true
	_ = b.release(now || b.current != nil && b.current.closed) // a request's body is not ours to complain about
}

func (b *body) release(due bool) error {
	if !due || b.released || b.inner == nil {
		return nil
	}
	b.released = true
	return b.inner.Close()
}
