package mail

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailServer is a real mail server that does what a test asks of it.
type mailServer struct {
	*smtp.Server
	addr string
	tap  *tap
	hide string // a capability it does not offer

	mu       sync.Mutex
	fail     map[string]error // by step: "MAIL", "RCPT", "DATA"
	cutAfter int              // connections to cut once a whole message is there
	think    func()           // before the verdict about a message
	got      []string         // whole messages
	from     []string
	to       []string
	bodies   []smtp.BodyType
	utf8     bool
	logins   []string // user and password, by mechanism
	refuse   bool     // every login
	mechs    []string
}

// startServer starts a server on loopback; change comes before it listens.
func startServer(t *testing.T, change func(*mailServer)) *mailServer {
	t.Helper()
	m := &mailServer{fail: map[string]error{}, mechs: []string{"PLAIN", "LOGIN"}}
	m.Server = smtp.NewServer(m)
	m.Domain, m.ErrorLog = "mail.example", log.New(io.Discard, "", 0)
	if change != nil {
		change(m)
	}
	m.listen(t, "127.0.0.1:0")
	return m
}

func (m *mailServer) listen(t *testing.T, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	m.addr, m.tap = l.Addr().String(), &tap{Listener: l, hide: m.hide}
	served := make(chan struct{})
	server := m.Server
	go func() { defer close(served); _ = server.Serve(m.tap) }()
	t.Cleanup(func() { _ = server.Close(); _ = l.Close(); <-served })
}

// restart ends every connection and listens on the same address again.
func (m *mailServer) restart(t *testing.T) {
	t.Helper()
	old := m.Server
	_ = old.Close()
	m.Server = smtp.NewServer(m)
	m.Domain, m.ErrorLog = old.Domain, old.ErrorLog
	m.listen(t, m.addr)
}

// NewSession implements smtp.Backend.
func (m *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &mailSession{m: m, conn: c}, nil
}

// locked reads what the server saw.
func locked[T any](m *mailServer, f func() T) T {
	m.mu.Lock()
	defer m.mu.Unlock()
	return f()
}

func (m *mailServer) mails() []string {
	return locked(m, func() []string { return append([]string(nil), m.got...) })
}

type mailSession struct {
	m    *mailServer
	conn *smtp.Conn
}

func (s *mailSession) step(name string) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return s.m.fail[name]
}

// Mail implements smtp.Session.
func (s *mailSession) Mail(from string, o *smtp.MailOptions) error {
	s.m.mu.Lock()
	s.m.from, s.m.bodies, s.m.utf8 = append(s.m.from, from), append(s.m.bodies, o.Body), s.m.utf8 || o.UTF8
	s.m.mu.Unlock()
	return s.step("MAIL")
}

// Rcpt implements smtp.Session.
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.m.mu.Lock()
	s.m.to = append(s.m.to, to)
	s.m.mu.Unlock()
	return s.step("RCPT")
}

// Data implements smtp.Session.
func (s *mailSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.step("DATA"); err != nil {
		return err
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.got = append(s.m.got, string(b))
	if s.m.think != nil {
		s.m.think()
	}
	if s.m.cutAfter > 0 {
		s.m.cutAfter--
		_ = s.conn.Close()
	}
	return nil
}

// Reset implements smtp.Session.
func (*mailSession) Reset() {}

// Logout implements smtp.Session.
func (*mailSession) Logout() error { return nil }

// AuthMechanisms implements smtp.AuthSession.
func (s *mailSession) AuthMechanisms() []string { return s.m.mechs }

// Auth implements smtp.AuthSession.
func (s *mailSession) Auth(mech string) (sasl.Server, error) {
	check := func(user, password string) error {
		s.m.mu.Lock()
		defer s.m.mu.Unlock()
		s.m.logins = append(s.m.logins, mech+" "+user+" "+password)
		if s.m.refuse {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "not you, " + user}
		}
		return nil
	}
	if mech == "LOGIN" {
		return &loginServer{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

// loginServer is the other side of AUTH LOGIN.
type loginServer struct {
	check func(user, password string) error
	said  []string
}

func (l *loginServer) Next(response []byte) ([]byte, bool, error) {
	if response != nil {
		l.said = append(l.said, string(response))
	}
	switch len(l.said) {
	case 0:
		return []byte("Username:"), false, nil
	case 1:
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.said[0], l.said[1])
}

// tap is a listener that counts connections, records what clients say in the
// clear, and can hide what a server offers.
type tap struct {
	net.Listener
	hide string // a capability

	mu    sync.Mutex
	conns int
	said  strings.Builder
}

// Accept implements net.Listener.
func (l *tap) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns++
	return tapped{c, l}, nil
}

func (l *tap) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conns
}

func (l *tap) heard() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.said.String()
}

type tapped struct {
	net.Conn
	tap *tap
}

func (c tapped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.tap.mu.Lock()
	defer c.tap.mu.Unlock()
	c.tap.said.Write(p[:n])
	return n, err
}

func (c tapped) Write(p []byte) (int, error) {
	text := string(p)
	if c.tap.hide != "" {
		text = strings.Replace(text, "250-"+c.tap.hide+"\r\n", "", 1)
	}
	if _, err := io.WriteString(c.Conn, text); err != nil {
		return 0, err
	}
	return len(p), nil
}

// script is a server of fixed answers, for what a real one never says. An
// answer by verb; "" is silence, "cut" ends the connection. "greeting" is the
// first, "." that to a whole message.
type script map[string]string

// start returns the address of the server and how many connections it had.
func (s script) start(t *testing.T) (addr string, conns func() int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	counted := &tap{Listener: l}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			c, err := counted.Accept()
			if err != nil {
				return
			}
			group.Go(func() { s.serve(c) })
			t.Cleanup(func() { _ = c.Close() })
		}
	})
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String(), counted.count
}

func (s script) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	if !s.answer(c, "greeting", "220 mail.example") {
		return
	}
	inData := false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, ok := strings.ToUpper(strings.Fields(line + " x")[0]), "250 2.0.0 good"
		switch {
		case inData && line != ".\r\n":
			continue
		case inData:
			verb, inData = ".", false
		case verb == "DATA":
			ok, inData = "354 go on", s["DATA"] == ""
		case verb == "EHLO":
			ok = "250-mail.example\r\n250 8BITMIME"
		case verb == "QUIT":
			ok = "221 bye"
		}
		if !s.answer(c, verb, ok) || verb == "QUIT" {
			return
		}
	}
}

func (s script) answer(c net.Conn, verb, otherwise string) bool {
	say, scripted := s[verb]
	if !scripted {
		say = otherwise
	}
	switch say {
	case "cut":
		return false
	case "":
		return true
	case "endless":
		for {
			if _, err := io.WriteString(c, "250-and more\r\n"); err != nil {
				return false
			}
		}
	}
	_, err := io.WriteString(c, say+"\r\n")
	return err == nil
}

// authority makes certificates for one test.
type authority struct {
	key   *ecdsa.PrivateKey
	cert  *x509.Certificate
	roots *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{roots: x509.NewCertPool()}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.roots.AddCert(a.cert)
	return a
}

// serverTLS is a configuration with a certificate for a name or an address.
func (a *authority) serverTLS(t *testing.T, name string, until time.Time) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until}
	if ip := net.ParseIP(name); ip != nil {
		about.IPAddresses = []net.IP{ip}
	} else {
		about.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, about, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
}

func smtpError(code int, enhanced smtp.EnhancedCode) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: fmt.Sprint("nothing for ann@example.com, says the server ", code)}
}
