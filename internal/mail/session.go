package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"ccms/internal/secret"
)

// session is one connection to a mail server.
type session struct {
	client        *smtp.Client
	wire          *wire
	step, verdict time.Duration
	uses          int         // messages tried on it
	timer         *time.Timer // ends it when it waits too long
}

// envelope is a message as the dialogue carries it (RFC 5321 section 2.3.1).
type envelope struct {
	from, to string
	content  []byte
}

// open speaks the part of the dialogue that comes before a message.
func (s *SMTP) open(ctx context.Context, c *session) error {
	var conn net.Conn = c.wire
	if s.atOnce {
		secure := tls.Client(c.wire, s.tls)
		if err := c.do(stepTLS, func() error { return secure.HandshakeContext(ctx) }); err != nil {
			return err
		}
		conn = secure
	}
	if err := c.do(stepGreeting, func() (err error) { c.client, err = smtp.NewClient(conn, s.host); return err }); err != nil {
		return err
	}
	c.client.SkipSMTPUTF8(true) // all our addresses are ASCII
	_, domain, _ := strings.Cut(s.from.Address, "@")
	if err := c.do(stepGreeting, func() error { return c.client.Hello(domain) }); err != nil {
		return err
	}
	if !s.atOnce && !s.plain {
		if err := c.do(stepTLS, func() error { return s.startTLS(c.client) }); err != nil {
			return err
		}
	}
	if s.user == "" {
		return nil
	}
	return c.do(stepLogin, func() error { return s.logIn(c.client) })
}

// startTLS never goes on without: whoever can strip the offer from the
// server's answer would read the rest.
func (s *SMTP) startTLS(client *smtp.Client) error {
	if ok, _ := client.Extension("STARTTLS"); !ok {
		return errors.New("the server offers no STARTTLS")
	}
	return client.StartTLS(s.tls)
}

func (s *SMTP) logIn(client *smtp.Client) error {
	_, offer := client.Extension("AUTH")
	for _, mechanism := range []string{"PLAIN", "LOGIN"} {
		if slices.Contains(strings.Fields(strings.ToUpper(offer)), mechanism) {
			return client.Auth(&credentials{mechanism: mechanism, user: s.user, password: s.cfg.Password})
		}
	}
	return errors.New("the server offers neither AUTH PLAIN nor AUTH LOGIN")
}

// post sends one message.
func (c *session) post(e envelope) error {
	if err := c.do(stepSender, func() error { return c.client.Mail("<" + e.from + ">") }); err != nil {
		return err
	}
	if err := c.do(stepRecipient, func() error { return c.client.Rcpt("<" + e.to + ">") }); err != nil {
		return err
	}
	return c.do(stepContent, func() error {
		w, err := c.client.Data()
		if err != nil {
			return err
		}
		// Until the last dot the server has no message: an error here leaves w
		// open on purpose, since Close would say the dot.
		if _, err := w.Write(e.content); err != nil {
			return err
		}
		if err := c.wire.commit(c.verdict); err != nil {
			return err
		}
		return w.Close()
	})
}

// do is one step of the dialogue.
func (c *session) do(step string, say func() error) error {
	c.wire.begin(c.step)
	if err := say(); err != nil {
		return failure(step, err)
	}
	return nil
}

// eightBit reports whether the server takes text beyond ASCII (RFC 6152).
func (c *session) eightBit() bool {
	ok, _ := c.client.Extension("8BITMIME")
	return ok
}

// reset makes the server forget a message it refused.
func (c *session) reset() error {
	c.wire.begin(c.step)
	return c.client.Reset()
}

// leave says good-bye and ends the connection.
func (c *session) leave() {
	c.wire.begin(farewell)
	_ = c.client.Quit()
	c.end()
}

func (c *session) end() { _ = c.wire.Close() }

// wire is the connection below TLS. It bounds each step of the dialogue, in
// time and in what the server may say, and can be cut from outside.
type wire struct {
	net.Conn
	left int // bytes the server may still say; used by the one who speaks

	mu        sync.Mutex
	committed bool // the last dot is on its way
	severed   bool
}

const (
	maxAnswer = 256 << 10 // bytes of one step, a certificate chain included
	grace     = 5 * time.Second
)

var errTalkative = errors.New("the server's answer has no end")

// Read implements net.Conn.
func (w *wire) Read(p []byte) (int, error) {
	if w.left <= 0 {
		return 0, errTalkative
	}
	n, err := w.Conn.Read(p[:min(len(p), w.left)])
	w.left -= n
	return n, err
}

// begin allows the next step.
func (w *wire) begin(limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left, w.committed = maxAnswer, false
	if !w.severed {
		_ = w.SetDeadline(time.Now().Add(limit)) // fails only when closed; then so does the step
	}
}

// commit allows the last dot, unless the wire was cut.
func (w *wire) commit(limit time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.severed {
		return net.ErrClosed
	}
	w.committed = true
	return w.SetDeadline(time.Now().Add(limit))
}

// cut ends the connection at once, but once the last dot is said it leaves the
// server a moment to answer: without the answer the message is sent again.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.severed = true
	if w.committed {
		_ = w.SetDeadline(time.Now().Add(grace))
		return
	}
	_ = w.Close()
}

// credentials log in by PLAIN (RFC 4616) or LOGIN. They are never said in the
// clear; go-mail's own would be, to a server that is named localhost.
type credentials struct {
	mechanism string
	user      string
	password  secret.Bytes
	asked     int
}

var _ smtp.Auth = (*credentials)(nil)

// Start implements smtp.Auth.
func (c *credentials) Start(server *smtp.ServerInfo) (string, []byte, error) {
	if !server.TLS {
		return "", nil, smtp.ErrUnencrypted
	}
	if c.mechanism == "LOGIN" {
		return c.mechanism, nil, nil
	}
	return c.mechanism, slices.Concat([]byte{0}, []byte(c.user), []byte{0}, c.password.Reveal()), nil
}

// Next implements smtp.Auth.
func (c *credentials) Next(_ []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	c.asked++
	switch {
	case c.mechanism == "LOGIN" && c.asked == 1:
		return []byte(c.user), nil
	case c.mechanism == "LOGIN" && c.asked == 2:
		return slices.Clone(c.password.Reveal()), nil
	}
	return nil, smtp.ErrUnexpectedServerChallange
}
