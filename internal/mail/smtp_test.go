package mail

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"ccms/internal/secret"
)

// openSMTP opens a sender whose pauses do not slow a test.
func openSMTP(t *testing.T, cfg SMTPConfig) *SMTP {
	t.Helper()
	if cfg.From == "" {
		cfg.From = "CCMS <no-reply@ccms.example>"
	}
	if cfg.Pause == 0 {
		cfg.Pause = time.Nanosecond
	}
	s, err := OpenSMTP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func post(t *testing.T, s *SMTP, id string) error {
	t.Helper()
	m := compose(t, Verify)
	m.ID = id
	return s.Send(t.Context(), m)
}

// class is how an error is shown; it also checks that it names nobody.
func class(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	if strings.Contains(err.Error(), "example.com") {
		t.Errorf("the error names a person: %v", err)
	}
	f, ok := errors.AsType[*Failure](err)
	if !ok {
		t.Fatalf("not a failure of the server: %v", err)
	}
	return f.Class()
}

// messageIDs are those of mails.
func messageIDs(mails []string) (ids []string) {
	for _, m := range mails {
		_, rest, _ := strings.Cut(m, "Message-ID: ")
		id, _, _ := strings.Cut(rest, "\r\n")
		ids = append(ids, id)
	}
	return ids
}

// TestS01 and those that follow are the eighteen cases of a mail server that
// does not do what it should.
func TestS01NobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	err = post(t, openSMTP(t, SMTPConfig{URL: "smtp://" + addr}), "1")
	if got := class(t, err); got != "connect network" || errors.Is(err, ErrRefused) {
		t.Errorf("%s, %v", got, err)
	}
}

// verdict is what a test expects of one answer of a server.
type verdict struct {
	name, verb, says string
	class            string
	refused          bool
}

func checkVerdicts(t *testing.T, tests []verdict) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr, conns := script{tt.verb: tt.says}.start(t)
			limit := 20 * time.Second
			if tt.says == "" {
				limit = 250 * time.Millisecond
			}
			err := post(t, openSMTP(t, SMTPConfig{URL: "smtp://" + addr, Step: limit, Verdict: limit}), "1")
			if got := class(t, err); got != tt.class || errors.Is(err, ErrRefused) != tt.refused {
				t.Errorf("%q, refused %v: %v", got, errors.Is(err, ErrRefused), err)
			}
			if conns() != 1 {
				t.Errorf("%d connections for one send", conns())
			}
		})
	}
}

func TestS02TheServerTurnsUsAwayAtTheDoor(t *testing.T) {
	checkVerdicts(t, []verdict{
		{"for now", "greeting", "421 4.3.2 too busy", "greeting 421 4.3.2", false},
		{"for good, which may be about us and not about the mail", "greeting", "554 5.7.1 go away", "greeting 554 5.7.1", false},
		{"at EHLO and HELO", "greeting", "220 hi\r\n550 no\r\n550 no", "greeting 550", false},
		{"with another protocol", "greeting", "HTTP/1.1 400 ann@example.com", "greeting failed", false},
		{"without end", "greeting", "endless", "greeting failed", false},
	})
}

func TestS03NoTLSIsOffered(t *testing.T) {
	m := startServer(t, nil)
	for name, user := range map[string]string{"with a user": "ann@", "off loopback": ""} {
		t.Run(name, func(t *testing.T) {
			s := openSMTP(t, SMTPConfig{URL: "smtp://" + user + m.addr, Password: secret.NewString(rand.Text())})
			s.plain = false // as off loopback
			err := post(t, s, "1")
			if got := class(t, err); got != "TLS failed" || errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "no STARTTLS") {
				t.Errorf("%q: %v", got, err)
			}
		})
	}
	if said := m.tap.heard(); strings.Contains(said, "AUTH") || strings.Contains(said, "MAIL") {
		t.Errorf("said in the clear: %q", said)
	}
}

func TestS04TheCertificateDoesNotHold(t *testing.T) {
	ca := newAuthority(t)
	later := time.Now().Add(time.Hour)
	tests := []struct {
		name, scheme string
		server       *tls.Config
		roots        *authority
		ok           bool
	}{
		{"one of ours", "smtp", ca.serverTLS(t, "127.0.0.1", later), ca, true},
		{"one of ours, TLS from the first byte", "smtps", ca.serverTLS(t, "127.0.0.1", later), ca, true},
		{"of another host", "smtp", ca.serverTLS(t, "mail.example", later), ca, false},
		{"of another host, TLS from the first byte", "smtps", ca.serverTLS(t, "mail.example", later), ca, false},
		{"past its time", "smtp", ca.serverTLS(t, "127.0.0.1", time.Now().Add(-time.Hour)), ca, false},
		{"of an unknown authority", "smtp", ca.serverTLS(t, "127.0.0.1", later), newAuthority(t), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			password := rand.Text()
			m := startServer(t, func(m *mailServer) { m.TLSConfig = tt.server })
			addr := m.addr
			if tt.scheme == "smtps" {
				addr = startTLSFront(t, m)
			}
			s := openSMTP(t, SMTPConfig{URL: tt.scheme + "://app@" + addr, Password: secret.NewString(password), Roots: tt.roots.roots})
			err := post(t, s, "1")
			if tt.ok {
				if err != nil || len(m.mails()) != 1 || !slices.Equal(m.logins, []string{"PLAIN app " + password}) {
					t.Errorf("%v, %d mails, logins %v", err, len(m.mails()), m.logins)
				}
			} else if got := class(t, err); got != "TLS certificate" || errors.Is(err, ErrRefused) || len(m.logins) != 0 {
				t.Errorf("%q: %v, logins %v", got, err, m.logins)
			}
			if said := m.tap.heard(); strings.Contains(said, "AUTH") {
				t.Errorf("said in the clear: %q", said)
			}
		})
	}
}

// startTLSFront serves m behind TLS from the first byte.
func startTLSFront(t *testing.T, m *mailServer) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", m.TLSConfig)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = m.Serve(l) }()
	t.Cleanup(func() { _ = l.Close(); <-served })
	return l.Addr().String()
}

// secured is a server with a certificate of its own authority.
func secured(t *testing.T, change func(*mailServer)) (*mailServer, SMTPConfig) {
	t.Helper()
	ca := newAuthority(t)
	m := startServer(t, func(m *mailServer) {
		m.TLSConfig = ca.serverTLS(t, "127.0.0.1", time.Now().Add(time.Hour))
		if change != nil {
			change(m)
		}
	})
	return m, SMTPConfig{URL: "smtp://app@" + m.addr, Password: secret.NewString(rand.Text()), Roots: ca.roots}
}

func TestS05TheLoginIsRefused(t *testing.T) {
	m, cfg := secured(t, func(m *mailServer) { m.refuse = true })
	cfg.Pause = time.Hour
	s := openSMTP(t, cfg)
	for range 3 {
		err := post(t, s, "1")
		if got := class(t, err); got != "login 535 5.7.8" || errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v", got, err)
		}
	}
	if len(m.logins) != 1 {
		t.Errorf("%d logins in a row: the server will lock the account", len(m.logins))
	}
	_, cfg = secured(t, func(m *mailServer) { m.fail["MAIL"] = smtpError(530, smtp.EnhancedCode{5, 7, 0}) })
	if err := post(t, openSMTP(t, cfg), "1"); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("a server that wants another login: %v", err)
	}
}

func TestS06TheServerKnowsOnlySomeLogins(t *testing.T) {
	for name, mechs := range map[string][]string{"LOGIN": {"LOGIN"}, "PLAIN": {"LOGIN", "PLAIN"}, "": {"XOAUTH2"}} {
		t.Run("it is "+name, func(t *testing.T) {
			m, cfg := secured(t, func(m *mailServer) { m.mechs = mechs })
			err := post(t, openSMTP(t, cfg), "1")
			if name == "" {
				if got := class(t, err); got != "login failed" || errors.Is(err, ErrRefused) {
					t.Errorf("%q: %v", got, err)
				}
				return
			}
			if err != nil || len(m.logins) != 1 || m.logins[0] != name+" app "+string(cfg.Password.Reveal()) {
				t.Errorf("%v, logins %v", err, m.logins)
			}
		})
	}
}

// checkAnswers lets a real server refuse a step, then take the same message on
// the same connection.
func checkAnswers(t *testing.T, step, name string) {
	for _, code := range []int{450, 451, 452, 550, 552, 553, 554} {
		m := startServer(t, nil)
		m.fail[step] = smtpError(code, smtp.EnhancedCode{code / 100, 1, 1})
		s := openSMTP(t, SMTPConfig{URL: "smtp://" + m.addr})
		err := post(t, s, "1")
		want := fmt.Sprintf("%s %d %d.1.1", name, code, code/100)
		if got := class(t, err); got != want || errors.Is(err, ErrRefused) != (code >= 500) {
			t.Errorf("%d: %q, want %q, refused %v", code, got, want, errors.Is(err, ErrRefused))
		}
		delete(m.fail, step)
		if err := post(t, s, "1"); err != nil || len(m.mails()) != 1 || m.tap.count() != 1 {
			t.Errorf("%d: afterwards %v, %d mails, %d connections", code, err, len(m.mails()), m.tap.count())
		}
	}
}

func TestS07TheSenderIsRefused(t *testing.T)    { checkAnswers(t, "MAIL", stepSender) }
func TestS08TheRecipientIsRefused(t *testing.T) { checkAnswers(t, "RCPT", stepRecipient) }
func TestS09TheMessageIsRefused(t *testing.T)   { checkAnswers(t, "DATA", stepContent) }

func TestS10TheMessageIsRefusedBeforeItIsSaid(t *testing.T) {
	checkVerdicts(t, []verdict{
		{"for now", "DATA", "452 4.3.1 full", "content 452 4.3.1", false},
		{"for good", "DATA", "554 5.5.1 no", "content 554 5.5.1", true},
		{"without an enhanced code", "DATA", "550 ann@example.com is nobody", "content 550", true},
	})
}

func TestS11TheServerEndsTheConnection(t *testing.T) {
	for _, verb := range []string{"greeting", "EHLO", "MAIL", "RCPT", "DATA", "."} {
		step := map[string]string{"greeting": stepGreeting, "EHLO": stepGreeting, "MAIL": stepSender, "RCPT": stepRecipient}[verb]
		if step == "" {
			step = stepContent
		}
		checkVerdicts(t, []verdict{{verb + " is cut", verb, "cut", step + " network", false}})
		if verb != "EHLO" { // there the good-bye is that of HELO, which is tried next
			checkVerdicts(t, []verdict{{verb + " is answered by good-bye", verb, "421 4.3.2 closing", step + " 421 4.3.2", false}})
		}
	}
}

func TestS12ACutAfterTheMessageGivesOneDuplicateOfTheSameName(t *testing.T) {
	m := startServer(t, func(m *mailServer) { m.cutAfter = 1 })
	s := openSMTP(t, SMTPConfig{URL: "smtp://" + m.addr})
	if got := class(t, post(t, s, "same")); got != "content network" {
		t.Errorf("%q", got)
	}
	if err := post(t, s, "same"); err != nil {
		t.Fatal(err)
	}
	ids := messageIDs(m.mails())
	if len(ids) != 2 || ids[0] == "" || ids[0] != ids[1] {
		t.Errorf("Message-IDs %v", ids)
	}
	if m.mails()[0] == "" || m.mails()[0][:strings.Index(m.mails()[0], "boundary")] != m.mails()[1][:strings.Index(m.mails()[1], "boundary")] {
		t.Errorf("they differ:\n%s\n%s", m.mails()[0], m.mails()[1])
	}
}

func TestS13TheServerIsSlowAtAnyStep(t *testing.T) {
	for verb, step := range map[string]string{"greeting": stepGreeting, "EHLO": stepGreeting, "MAIL": stepSender, "RCPT": stepRecipient, "DATA": stepContent, ".": stepContent} {
		checkVerdicts(t, []verdict{{verb + " is not answered", verb, "", step + " timeout", false}})
	}
}

func TestS14TheCallerGoesAway(t *testing.T) {
	for _, verb := range []string{"greeting", "RCPT"} {
		t.Run("at "+verb, func(t *testing.T) {
			addr, conns := script{verb: ""}.start(t)
			s := openSMTP(t, SMTPConfig{URL: "smtp://" + addr, Step: time.Hour, Verdict: time.Hour})
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			err := s.Send(ctx, compose(t, Verify))
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrRefused) || conns() != 1 {
				t.Errorf("%v, %d connections", err, conns())
			}
			cancel()
			if err := s.Send(ctx, compose(t, Verify)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a caller who has gone: %v", err)
			}
		})
	}
	t.Run("while the server thinks about the message", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		m := startServer(t, func(m *mailServer) { m.think = func() { cancel(); <-time.After(50 * time.Millisecond) } })
		s := openSMTP(t, SMTPConfig{URL: "smtp://" + m.addr})
		if err := s.Send(ctx, compose(t, Verify)); err != nil || len(m.mails()) != 1 {
			t.Errorf("the verdict was not awaited: %v, %d mails", err, len(m.mails()))
		}
	})
}

func TestS15TheServerKnowsSevenBitsOnly(t *testing.T) {
	for _, hide := range []string{"", "8BITMIME"} {
		m := startServer(t, func(m *mailServer) { m.hide = hide })
		letter := compose(t, Verify)
		letter.Text += "Größe\n"
		if err := openSMTP(t, SMTPConfig{URL: "smtp://" + m.addr}).Send(t.Context(), letter); err != nil {
			t.Fatal(err)
		}
		mail := m.mails()[0]
		_, parts := parse(t, []byte(mail))
		if parts["text/plain"] != letter.Text || parts["text/html"] != letter.HTML {
			t.Errorf("without %q arrived %q", hide, parts["text/plain"])
		}
		ascii := !strings.ContainsFunc(mail, func(r rune) bool { return r >= 0x80 })
		if ascii != (hide != "") || (m.bodies[0] == smtp.Body8BitMIME) != (hide == "") {
			t.Errorf("without %q: ASCII %v, announced as %q", hide, ascii, m.bodies[0])
		}
		checkLines(t, []byte(mail))
	}
}

func TestS16TheServerKnowsNoUTF8Addresses(t *testing.T) {
	for _, known := range []bool{false, true} {
		m := startServer(t, func(m *mailServer) { m.EnableSMTPUTF8 = known })
		s := openSMTP(t, SMTPConfig{URL: "smtp://" + m.addr, From: "Kärtchen <no-reply@ccms.example>"})
		if err := post(t, s, "1"); err != nil || m.utf8 || m.from[0] != "no-reply@ccms.example" || m.to[0] != "ann@example.com" {
			t.Errorf("%v, asked for UTF-8 %v, from %v to %v", err, m.utf8, m.from, m.to)
		}
	}
	if _, err := OpenSMTP(SMTPConfig{URL: "smtp://localhost", From: "no-reply@bücher.example"}); err == nil {
		t.Error("a sender that needs UTF-8 was taken")
	}
}

func TestS17ManyMailsOverOneConnection(t *testing.T) {
	m := startServer(t, nil)
	s := openSMTP(t, SMTPConfig{URL: "smtp://" + m.addr})
	began := time.Now()
	const mails = 2*maxUses + 1
	for i := range mails {
		if err := post(t, s, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d mails in %s", mails, time.Since(began))
	if ids := messageIDs(m.mails()); len(ids) != mails || len(slices.Compact(slices.Sorted(slices.Values(ids)))) != mails || m.tap.count() != 3 {
		t.Errorf("%d mails over %d connections", len(ids), m.tap.count())
	}
	if err := s.Close(); err != nil || strings.Count(m.tap.heard(), "QUIT\r\n") != 3 {
		t.Errorf("%v, %d of 3 connections ended politely", err, strings.Count(m.tap.heard(), "QUIT\r\n"))
	}

	s = openSMTP(t, SMTPConfig{URL: "smtp://" + m.addr, Idle: time.Millisecond})
	if err := post(t, s, "idle"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); strings.Count(m.tap.heard(), "QUIT\r\n") != 4; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a connection without mails was not ended")
		}
	}
	if err := post(t, s, "again"); err != nil {
		t.Error(err)
	}
}

func TestS18TheServerStartsAnew(t *testing.T) {
	m := startServer(t, nil)
	s := openSMTP(t, SMTPConfig{URL: "smtp://" + m.addr, Pause: time.Hour})
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() { _ = post(t, s, fmt.Sprint("before ", i)) })
	}
	group.Wait()
	m.restart(t)
	if err := post(t, s, "after"); err != nil {
		t.Errorf("connections that had ended: %v", err)
	}
	if ids := messageIDs(m.mails()); len(ids) != 5 {
		t.Errorf("%d mails", len(ids))
	}
}

func TestManySendersShareConnections(t *testing.T) {
	m, cfg := secured(t, nil)
	s := openSMTP(t, cfg)
	var group sync.WaitGroup
	for w := range 8 {
		group.Go(func() {
			for i := range 10 {
				if err := post(t, s, fmt.Sprint(w, "/", i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if err := s.Close(); err != nil || len(m.mails()) != 80 || m.tap.count() > 8 {
		t.Errorf("%v, %d mails over %d connections", err, len(m.mails()), m.tap.count())
	}
}

func TestABadMessageNeverReachesTheServer(t *testing.T) {
	m := startServer(t, nil)
	s := openSMTP(t, SMTPConfig{URL: "smtp://" + m.addr})
	letter := compose(t, Verify)
	letter.To = "ann@example.com>\r\nRCPT TO:<bob@example.com"
	if err := s.Send(t.Context(), letter); !errors.Is(err, ErrRefused) || m.tap.count() != 0 {
		t.Errorf("%v, %d connections", err, m.tap.count())
	}
}

func TestOpenSMTP(t *testing.T) {
	tests := []struct {
		name, url, addr string
		plain, atOnce   bool
	}{
		{"a host alone", "smtp://mail.example", "mail.example:587", false, false},
		{"a port", "smtp://mail.example:2525", "mail.example:2525", false, false},
		{"TLS from the first byte", "smtps://app:x@mail.example", "mail.example:465", false, true},
		{"loopback without a user", "smtp://localhost:1025", "localhost:1025", true, false},
		{"loopback by address", "smtp://[::1]:25", "[::1]:25", true, false},
		{"loopback with a user", "smtp://app:x@127.0.0.1", "127.0.0.1:587", false, false},
		{"loopback with TLS from the first byte", "smtps://localhost", "localhost:465", false, true},
		{"a name that only begins like loopback", "smtp://localhost.example", "localhost.example:587", false, false},
		{"a user without a password", "smtp://app@mail.example", "", false, false},
		{"another scheme", "http://mail.example", "", false, false},
		{"no host", "smtp://", "", false, false},
		{"a path", "smtp://mail.example/x", "", false, false},
		{"a query", "smtp://mail.example?tls=off", "", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := OpenSMTP(SMTPConfig{URL: tt.url})
			if (err == nil) != (tt.addr != "") {
				t.Fatal(err)
			}
			if err == nil && (s.addr != tt.addr || s.plain != tt.plain || s.atOnce != tt.atOnce) {
				t.Errorf("%s, plain %v, at once %v", s.addr, s.plain, s.atOnce)
			}
		})
	}
	if _, err := OpenSMTP(SMTPConfig{URL: "smtp://app:hunter2@:x"}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

// Whatever a server says, Send returns in time, and a message is delivered or
// not: it never panics, and never names anybody.
func FuzzServer(f *testing.F) {
	for _, s := range []string{"220 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n250 f\r\n", "220 a\r\n250-b\r\n250 8BITMIME\r\n550 5.1.1 <ann@example.com>\r\n", "220-\r\n", "9", "421 \xff\r\n", "220 a\r\n500 b\r\n250 c\r\n"} {
		f.Add([]byte(s))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = l.Close() })
	f.Fuzz(func(t *testing.T, says []byte) {
		served := make(chan struct{})
		go func() {
			defer close(served)
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write(says)
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}()
		s, err := OpenSMTP(SMTPConfig{URL: "smtp://" + l.Addr().String(), Step: time.Second, Verdict: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		m, err := Compose(Deleted, Data{ID: "1", To: "ann@example.com", At: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(t.Context(), m); err != nil {
			class(t, err)
		}
		_ = s.Close()
		<-served
	})
}
