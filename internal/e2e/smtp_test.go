package e2e

import (
	"io"
	"log"
	"net"
	netmail "net/mail"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/go-json-experiment/json"
)

// mailServer takes mails of the product by the real dialogue.
type mailServer struct {
	addr string

	mu    sync.Mutex
	rcpt  error // answer to every recipient
	mails []string
}

// NewSession implements smtp.Backend.
func (m *mailServer) NewSession(*smtp.Conn) (smtp.Session, error) { return (*mailSession)(m), nil }

type mailSession mailServer

// Mail implements smtp.Session.
func (*mailSession) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt implements smtp.Session.
func (s *mailSession) Rcpt(string, *smtp.RcptOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rcpt
}

// Data implements smtp.Session.
func (s *mailSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, string(b))
	return err
}

// Reset implements smtp.Session.
func (*mailSession) Reset() {}

// Logout implements smtp.Session.
func (*mailSession) Logout() error { return nil }

// start listens, on the address of before if there was one; stop ends that.
func (m *mailServer) start(t *testing.T) (stop func()) {
	t.Helper()
	addr := m.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	m.addr = l.Addr().String()
	server := smtp.NewServer(m)
	server.Domain, server.ErrorLog = "mail.example", log.New(io.Discard, "", 0)
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(l) }()
	stop = sync.OnceFunc(func() { _ = server.Close(); _ = l.Close(); <-served })
	t.Cleanup(stop)
	return stop
}

func (m *mailServer) refuse(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rcpt = err
}

// await returns the link in the only mail to an address.
func (m *mailServer) await(t *testing.T, address string) (link string) {
	t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); <-time.After(5 * time.Millisecond) {
		m.mu.Lock()
		var found []string
		for _, mail := range m.mails {
			if strings.Contains(mail, "To: <"+address+">\r\n") {
				found = append(found, mail)
			}
		}
		m.mu.Unlock()
		if len(found) > 1 {
			t.Fatalf("%d mails to %s", len(found), address)
		}
		if len(found) == 1 {
			message, err := netmail.ReadMessage(strings.NewReader(found[0]))
			if err != nil {
				t.Fatal(err)
			}
			text, err := plainPart(message)
			if err != nil {
				t.Fatal(err)
			}
			return linkShape.FindStringSubmatch(text)[1]
		}
	}
	t.Fatalf("no mail to %s within a minute", address)
	return ""
}

// waiting is what ccms mail list tells of one mail.
type waiting struct {
	ID      string `json:"id"`
	State   string `json:"state"`
	Failure string `json:"failure"`
}

func listMail(t *testing.T, dir string) []waiting {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, "mail", "list", "--data", dir, "-o", "json").Output()
	var all []waiting
	if err == nil {
		err = json.Unmarshal(out, &all)
	}
	if err != nil {
		t.Fatalf("mail list: %v %s", err, out)
	}
	return all
}

// awaitMailState waits until the only mail of the queue is as described.
func awaitMailState(t *testing.T, dir, state, failure string) waiting {
	t.Helper()
	var all []waiting
	for deadline := time.Now().Add(within); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		if all = listMail(t, dir); len(all) == 1 && all[0].State == state && all[0].Failure == failure {
			return all[0]
		}
	}
	t.Fatalf("the queue never was one %s mail with %q: %+v", state, failure, all)
	return waiting{}
}

// TestMailsReachTheirServer would fail if a mail were lost while the mail
// server, or the product itself, is away, or came more than a minute late.
func TestMailsReachTheirServer(t *testing.T) {
	m := new(mailServer)
	stop := m.start(t)
	dir, args := t.TempDir(), []string{"--mail.smtp-url", "smtp://" + m.addr, "--mail.from", "CCMS <no-reply@ccms.example>"}
	p, err := up(dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { p.kill() }()
	c := newClient(t)
	join := func(name string) string {
		c.must(t, 201, "POST", p.Login+"/api/customer/signup", map[string]any{
			"username": name, "name": map[string]string{"first": "Ann", "last": "Example"}, "email": name + "@example.com", "password": "Pw1-tangerine-walrus",
		}, nil)
		return name + "@example.com"
	}

	verify := func(link string) {
		c.must(t, 200, "GET", p.Login+"/api/customer/verify?token="+link, nil, nil)
	}
	verify(m.await(t, join("first")))
	if all := listMail(t, dir); len(all) != 0 {
		t.Errorf("the queue still has %+v", all)
	}

	stop()
	second := join("second")
	kept := awaitMailState(t, dir, "queued", "connect network")
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if alone := listMail(t, dir); len(alone) != 1 || alone[0].ID != kept.ID {
		t.Errorf("while nothing runs: %+v, want %+v", alone, kept)
	}
	if p, err = up(dir, args...); err != nil {
		t.Fatal(err)
	}
	p.kill()
	if p, err = up(dir, args...); err != nil {
		t.Fatal(err)
	}
	m.start(t)
	began := time.Now()
	verify(m.await(t, second))
	t.Logf("the mail came %s after its server", time.Since(began).Round(time.Millisecond))

	m.refuse(&smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "third@example.com is nobody"})
	third := join("third")
	dead := awaitMailState(t, dir, "dead", "recipient 550 5.1.1")
	m.refuse(nil)
	if out, err := exec.CommandContext(t.Context(), binary, "mail", "retry", dead.ID, "--data", dir).CombinedOutput(); err != nil {
		t.Fatalf("mail retry: %v %s", err, out)
	}
	verify(m.await(t, third))
	if strings.Contains(p.output.String(), "third@example.com") {
		t.Error("the log names a person")
	}
}
