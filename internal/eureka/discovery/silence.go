package discovery

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	// avoidFor is how long an address that failed is tried last.
	avoidFor = 5 * time.Second
	// silentAfter is how long an instance that owes answers, and gives none to
	// anybody, is taken for a good one: a process that is paused, or behind a
	// network that loses everything, refuses nothing.
	silentAfter = time.Second
	// patience is the longest a request that is safe to repeat waits for an
	// instance that gives no answers, while there is another one.
	patience = 3 * time.Second
)

var (
	// errSilent says that an instance answered nobody since the request began.
	errSilent = errors.New("discovery: the instance does not answer")
	// errUnable says that an instance answered 503: by its own word it cannot,
	// its database being away for example, which another one may still reach.
	errUnable = errors.New("discovery: the instance is unable to answer")
)

// condition is what an address showed of itself.
type condition struct {
	avoid   time.Time // tried last until then; zero when it answered since
	waiting int       // requests it owes an answer
	since   time.Time // when it answered last, or the first of them began
}

// shunned reports whether others are tried before. After a failure and its
// time one request tries for all.
func (d *condition) shunned(now time.Time) bool {
	if d == nil || d.waiting == 0 && !now.Before(d.avoid) {
		return false
	}
	return now.Before(d.avoid) || !d.avoid.IsZero() || now.Sub(d.since) >= silentAfter
}

// idle reports whether nothing is lost when it is forgotten.
func (d *condition) idle(now time.Time) bool {
	return d.waiting == 0 && now.Sub(d.avoid) >= 2*avoidFor
}

// begin notes that a request goes to an address.
func (c *Client) begin(host string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Now()
	d := c.conditions[host]
	if d == nil {
		d = new(condition)
		c.conditions[host] = d
	}
	if d.waiting == 0 {
		d.since = now
	}
	d.waiting++
	return now
}

// silent reports whether an address has answered nobody since a time.
func (c *Client) silent(host string, since time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.conditions[host].since.After(since)
}

// answered notes that a request to an address was answered.
func (c *Client) answered(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.conditions[host]
	d.waiting--
	d.avoid, d.since = time.Time{}, c.cfg.Now()
}

// unanswered notes that a request to an address will not be answered there, and
// when that is the address's fault, why. It is remembered then, and the registry
// asked whether it knows a better one.
func (c *Client) unanswered(host string, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, now := c.conditions[host], c.cfg.Now()
	d.waiting--
	if errors.Is(why, errUnable) { // but silent it is not
		d.since = now
	}
	if why != nil && !now.Before(d.avoid) {
		d.avoid = now.Add(avoidFor)
		poke(c.fetchNow)
		// The request goes on to the next instance, so nobody else would say it.
		c.cfg.Log.Warn("an instance cannot be reached", "server.address", host, "error.message", why.Error())
	}
}

// try sends r to one instance and remembers what came of it. Where there are
// others, a request that is safe to repeat does not wait for one that answers
// nobody, and does not take a 503 for the answer.
func (t *transport) try(r *http.Request, target *url.URL, b *body, others bool) (*http.Response, error) {
	begun := t.client.begin(target.Host)
	ctx, stop := r.Context(), func(error) {}
	if wait := waitFor(r); others && wait > 0 {
		ctx, stop = context.WithCancelCause(ctx)
		defer time.AfterFunc(wait, func() {
			if t.client.silent(target.Host, begun) {
				stop(errSilent)
			}
		}).Stop()
	}
	resp, err := t.sender(r.URL.Hostname(), target).RoundTrip(at(r.WithContext(ctx), target, b))
	if err == nil {
		if others && repeatable(r) && resp.StatusCode == http.StatusServiceUnavailable {
			defer stop(nil)
			t.client.unanswered(target.Host, errUnable)
			return nil, errors.Join(errUnable, resp.Body.Close())
		}
		t.client.answered(target.Host)
		if err = context.Cause(ctx); err == nil {
			resp.Body = &reply{resp.Body, stop}
			return resp, nil
		}
		_ = resp.Body.Close() // it was given up in the same moment
		return nil, err
	}
	stop(nil)
	var fault error
	switch {
	case errors.Is(r.Context().Err(), context.Canceled): // by who asked
	case r.Context().Err() != nil:
		if t.client.silent(target.Host, begun) { // else it is busy with this one
			fault = errSilent
		}
	case isDial(err) || !b.touched(): // else it may be the sender of the body who failed
		fault = err
	}
	t.client.unanswered(target.Host, fault)
	return nil, err
}

// waitFor is how long a request waits for an instance that answers nobody, so
// that time is left for another; 0 for as long as it takes.
func waitFor(r *http.Request) time.Duration {
	if !repeatable(r) {
		return 0
	}
	if end, ok := r.Context().Deadline(); ok {
		return min(patience, time.Until(end)/2)
	}
	return patience
}

// repeatable reports whether r may be sent to another instance although one had
// it.
func repeatable(r *http.Request) bool {
	return safe(r) && (r.Body == nil || r.Body == http.NoBody)
}

// reply is the body of an answer that may no longer be given up.
type reply struct {
	io.ReadCloser
	stop func(error)
}

// Close implements io.Closer.
func (p *reply) Close() error {
	defer p.stop(nil)
	return p.ReadCloser.Close()
}
