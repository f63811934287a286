package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// maxAnswer is more than any answer but a bulk one has.
const maxAnswer = 4 << 20

// request is what is asked of the service.
type request struct {
	method, path string
	query        url.Values
	media        string                 // of the body
	make         func() ([]byte, error) // the body, fresh for each try and wiped after it; nil for none
	key          string                 // Idempotency-Key
	repeat       bool                   // sending it twice does no harm
	open         bool                   // needs no token
}

// ask sends a request until it is settled and reads the answer into out, which
// may be nil.
func (c *Client) ask(ctx context.Context, q request, out any) error {
	answer, err := c.do(ctx, q)
	defer clear(answer)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return malformed(q.method, q.path)
	}
	return nil
}

// do sends a request until it is settled and returns the body of the answer,
// which the caller wipes.
func (c *Client) do(ctx context.Context, q request) ([]byte, error) {
	pause := c.pause(ctx)
	for {
		answer, err := c.once(ctx, q)
		if err == nil || !q.repeat || !repeatable(err) || !pause.wait(err) {
			return answer, err
		}
	}
}

// once is one try, two when the token was refused: then nothing has happened.
func (c *Client) once(ctx context.Context, q request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	res, err := c.send(ctx, q)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := readAll(res.Body)
	return answer, brokenOff(q.path, err)
}

// brokenOff marks what kept an answer from being read whole as an error of the
// connection.
func brokenOff(path string, err error) error {
	if err == nil {
		return nil
	}
	return &url.Error{Op: "Read answer of", URL: path, Err: err}
}

// send sends a request once and returns an answer that is a success.
func (c *Client) send(ctx context.Context, q request) (*http.Response, error) {
	refused := ""
	for {
		token := ""
		if !q.open {
			var err error
			if token, err = c.token(ctx, refused); err != nil {
				return nil, err
			}
		}
		res, err := c.sendWith(ctx, q, token)
		e, ok := errors.AsType[*Error](err)
		if !ok || q.open || refused != "" || e.Code != CodeUnauthorized && e.Code != CodeTokenExpired {
			return res, err
		}
		refused = token
	}
}

func (c *Client) sendWith(ctx context.Context, q request, token string) (*http.Response, error) {
	at := *c.base
	at.RawPath = c.base.EscapedPath() + q.path // a token may have any character
	at.Path, _ = url.PathUnescape(at.RawPath)
	at.RawQuery = q.query.Encode()
	req, err := http.NewRequestWithContext(ctx, q.method, at.String(), nil)
	if err != nil {
		return nil, err
	}
	if q.make != nil {
		text, err := q.make()
		if err != nil {
			return nil, err
		}
		body := &body{text: text}
		defer body.wipe()
		req.ContentLength = int64(len(text))
		req.Body = body.reader()
		req.GetBody = func() (io.ReadCloser, error) { return body.reader(), nil }
		req.Header.Set("Content-Type", q.media)
	}
	req.Header.Set("Accept", "application/json, application/x-ndjson")
	req.Header.Set("User-Agent", agent)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if q.key != "" {
		req.Header.Set("Idempotency-Key", q.key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer)) // the status says enough
	return nil, errorOf(res, answer, c.now())
}

// readAll reads an answer whole into a buffer that can be wiped.
func readAll(r io.Reader) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(8 << 10) // most answers fit, and leave no smaller copy behind
	if _, err := b.ReadFrom(io.LimitReader(r, maxAnswer)); err != nil {
		clear(b.Bytes())
		return nil, err
	}
	return b.Bytes(), nil
}

// body is what a request sends. net/http may read it after the answer came, so
// it is wiped under a lock.
type body struct {
	mu   sync.Mutex
	text []byte
}

var errWiped = errors.New("ccms: the request is over")

func (b *body) wipe() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.text)
	b.text = nil
}

func (b *body) reader() io.ReadCloser { return io.NopCloser(&bodyReader{body: b}) }

type bodyReader struct {
	body *body
	at   int
}

// Read implements io.Reader.
func (r *bodyReader) Read(p []byte) (int, error) {
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	switch {
	case r.body.text == nil:
		return 0, errWiped
	case r.at == len(r.body.text):
		return 0, io.EOF
	}
	n := copy(p, r.body.text[r.at:])
	r.at += n
	return n, nil
}

// repeatable reports whether a try may be followed by another: the service said
// so, or no whole answer came.
func repeatable(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Temporary()
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return false
	}
	_, broken := errors.AsType[*url.Error](err)
	return broken || errors.Is(err, context.DeadlineExceeded)
}

// The waits between tries, where the service names none.
const (
	firstPause = 200 * time.Millisecond
	maxPause   = 20 * time.Second
)

// pause counts the tries of one call.
type pause struct {
	ctx   context.Context
	until time.Time // of the clock
	next  time.Duration
	c     *Client
}

func (c *Client) pause(ctx context.Context) *pause {
	return &pause{ctx: ctx, c: c, until: c.now().Add(c.retryFor), next: firstPause}
}

// progress begins anew: something was settled.
func (p *pause) progress() { p.until, p.next = p.c.now().Add(p.c.retryFor), firstPause }

// wait waits before the next try, as long as err says or a random time up to a
// limit that doubles. It reports whether there is to be one: not when the
// context ended, nor when the wait would outlast it or the patience of the
// Config.
func (p *pause) wait(err error) bool {
	wait := p.next/2 + rand.N(p.next/2)
	p.next = min(2*p.next, maxPause)
	if e, ok := errors.AsType[*Error](err); ok && e.RetryAfter > 0 {
		wait = e.RetryAfter + rand.N(firstPause) // not all who wait at once
	}
	after := p.c.now().Add(wait)
	if deadline, ok := p.ctx.Deadline(); ok && !after.Before(deadline) || after.After(p.until) {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.ctx.Done():
		return false
	}
}
