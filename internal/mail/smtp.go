package mail

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"strings"
	"sync"
	"time"

	"ccms/internal/secret"
)

// SMTPConfig is what OpenSMTP needs.
type SMTPConfig struct {
	// URL is the mail server, smtp://USER@HOST:587 (TLS by STARTTLS, RFC 3207)
	// or smtps://USER@HOST:465 (TLS from the first byte, RFC 8314); the ports
	// are those shown unless given.
	URL string
	// Password of the URL's user, by default the one in the URL.
	Password secret.Bytes
	// From is the sender, with or without a name. Its address is plain ASCII,
	// so that no server needs SMTPUTF8.
	From string
	// Roots vouch for the server's certificate, by default the system's.
	Roots *x509.CertPool
	// Step is the longest wait for one answer of the server, default 15 s.
	Step time.Duration
	// Verdict is the longest wait for the answer to a whole message, default
	// 1 min: who gives up earlier sends it twice. The caller's context cuts it.
	Verdict time.Duration
	// Idle is how long a connection waits for the next message, default 10 s.
	Idle time.Duration
	// Pause is how long nobody connects after a connection failed, default 1 s,
	// five times as long after a refused login: many waiting messages must not
	// become a flood, nor lock the account at the server.
	Pause time.Duration
	// Now is the clock, by default time.Now.
	Now func() time.Time
}

// SMTP is a Sender that hands mails to a mail server. It keeps connections open
// for the next message. It is safe for concurrent use; Close it.
//
// TLS is demanded and the certificate checked, unless the server is on loopback
// and no user logs in: then the bytes do not leave the machine.
type SMTP struct {
	cfg    SMTPConfig
	from   *netmail.Address
	host   string // as the certificate names it
	addr   string
	user   string
	tls    *tls.Config
	atOnce bool // TLS from the first byte
	plain  bool // no TLS at all

	mu      sync.Mutex
	idle    []*session
	closed  bool
	leaving sync.WaitGroup // sessions that say good-bye
	held    error          // why nobody connects
	until   time.Time      // until when
}

// The limits of one connection.
const (
	maxUses  = 100             // mails, because servers count
	farewell = 2 * time.Second // for QUIT
)

// OpenSMTP checks cfg. It connects to nobody.
func OpenSMTP(cfg SMTPConfig) (*SMTP, error) {
	cfg.Step = cmp.Or(cfg.Step, 15*time.Second)
	cfg.Verdict = cmp.Or(cfg.Verdict, time.Minute)
	cfg.Idle = cmp.Or(cfg.Idle, 10*time.Second)
	cfg.Pause = cmp.Or(cfg.Pause, time.Second)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &SMTP{cfg: cfg}
	var err error
	if s.from, err = ParseFrom(cfg.From); err != nil {
		return nil, err
	}
	if strings.ContainsFunc(s.from.Address, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, errors.New("mail: the sender's address is not plain ASCII: write its domain as xn--…")
	}
	if err := s.locate(cfg.URL); err != nil {
		return nil, err
	}
	s.tls = &tls.Config{ServerName: s.host, RootCAs: cfg.Roots, MinVersion: tls.VersionTLS12}
	return s, nil
}

// locate reads the URL. Its errors do not repeat it: it may hold a password.
func (s *SMTP) locate(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" || strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "" {
		return errors.New("mail: the URL of the mail server is not smtp://USER@HOST:587 or smtps://USER@HOST:465")
	}
	s.atOnce = u.Scheme == "smtps"
	port := "587"
	if s.atOnce {
		port = "465"
	}
	s.host, s.addr, s.user = u.Hostname(), net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)), u.User.Username()
	s.plain = !s.atOnce && s.user == "" && isLoopback(s.host)
	if password, ok := u.User.Password(); ok && s.cfg.Password.Len() == 0 {
		s.cfg.Password = secret.NewString(password)
	}
	if s.user != "" && s.cfg.Password.Len() == 0 {
		return errors.New("mail: the mail server's user has no password: set mail.smtp-password-file")
	}
	return nil
}

func isLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}

// Send hands m over. Nil means that the server answers for it now. A *Failure
// that is ErrRefused means that the server never will: it answered 5yz to the
// sender, the recipient or the content. When ctx ends while the server thinks
// about a whole message, Send waits a moment for its verdict.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	if err := m.check(); err != nil {
		return err
	}
	for {
		c, err := s.take(ctx)
		if err != nil {
			return err
		}
		used := c.uses > 0
		err = s.deliver(ctx, c, m)
		// A server may end a connection while it waits. Nothing of m was said.
		if f, ok := errors.AsType[*Failure](err); !ok || !used || !f.stale() || ctx.Err() != nil {
			return err
		}
	}
}

// deliver sends m over c and then keeps or ends it.
func (s *SMTP) deliver(ctx context.Context, c *session, m Message) error {
	var raw bytes.Buffer
	if err := write(&raw, m, s.from, c.eightBit()); err != nil {
		s.keep(c)
		return err
	}
	stop := context.AfterFunc(ctx, c.wire.cut)
	err := c.post(envelope{from: s.from.Address, to: m.To, content: raw.Bytes()})
	c.uses++
	f, failed := errors.AsType[*Failure](err)
	switch {
	case !stop():
		c.end()
		if failed && f.Code == 0 {
			f.Err = ctx.Err()
		}
	case failed && (f.Code == 0 || f.Code == codeClosing || c.reset() != nil), c.uses >= maxUses:
		s.dismiss(c)
	default:
		s.keep(c)
	}
	return err
}

// take returns a connection that waits, or a new one.
func (s *SMTP) take(ctx context.Context) (*session, error) {
	s.mu.Lock()
	if last := len(s.idle) - 1; last >= 0 {
		c := s.idle[last]
		s.idle = s.idle[:last]
		s.mu.Unlock()
		c.timer.Stop()
		return c, nil
	}
	held := s.held
	if !s.cfg.Now().Before(s.until) {
		held = nil
	}
	s.mu.Unlock()
	if held != nil {
		return nil, held
	}
	c, err := s.connect(ctx)
	if err != nil && ctx.Err() == nil {
		s.hold(err)
	}
	return c, err
}

// hold remembers why the server cannot be used, for a moment.
func (s *SMTP) hold(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pause := s.cfg.Pause
	if f, ok := errors.AsType[*Failure](err); ok && f.Step == stepLogin {
		pause *= 5
	}
	s.held, s.until = err, s.cfg.Now().Add(pause)
}

// keep lets c wait for the next message, and leave when none comes.
func (s *SMTP) keep(c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.leaving.Go(c.leave)
		return
	}
	s.idle = append(s.idle, c)
	c.timer = time.AfterFunc(s.cfg.Idle, func() { s.retire(c) })
}

// retire lets c leave if it still waits.
func (s *SMTP) retire(c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, waiting := range s.idle {
		if waiting == c {
			s.idle = append(s.idle[:i:i], s.idle[i+1:]...)
			s.leaving.Go(c.leave)
			return
		}
	}
}

// dismiss lets c leave now.
func (s *SMTP) dismiss(c *session) { s.leaving.Go(c.leave) }

// Close leaves the server politely. No Send may be under way.
func (s *SMTP) Close() error {
	s.mu.Lock()
	s.closed = true
	for _, c := range s.idle {
		c.timer.Stop()
		s.leaving.Go(c.leave)
	}
	s.idle = nil
	s.mu.Unlock()
	s.leaving.Wait()
	return nil
}

// connect makes a session that is ready for a message.
func (s *SMTP) connect(ctx context.Context) (*session, error) {
	dialer := net.Dialer{Timeout: s.cfg.Step}
	conn, err := dialer.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return nil, failure(stepConnect, err)
	}
	c := &session{wire: &wire{Conn: conn}, step: s.cfg.Step, verdict: s.cfg.Verdict}
	stop := context.AfterFunc(ctx, c.wire.cut)
	err = s.open(ctx, c)
	if !stop() {
		c.end()
		return nil, fmt.Errorf("mail: connect: %w", ctx.Err())
	}
	if err != nil {
		c.end()
		return nil, err
	}
	return c, nil
}
