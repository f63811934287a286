// Command mail stands in for mailpit where its image cannot be had: it takes
// every mail by SMTP on port 1025, with STARTTLS and not without, and shows them
// as mailpit does at /api/v1/messages and /api/v1/message/ID/raw on port 8025.
package main

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

type mail struct {
	ID   string
	To   []address
	Data []byte `json:"-"`
}

type address struct{ Address string }

// catcher keeps what came, in memory.
type catcher struct {
	mu    sync.Mutex
	mails []mail
}

func (c *catcher) NewSession(conn *smtp.Conn) (smtp.Session, error) {
	return &session{catcher: c, conn: conn}, nil
}

func (c *catcher) list(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]any{"total": len(c.mails), "messages": c.mails})
}

func (c *catcher) raw(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || i < 0 || i >= len(c.mails) {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(c.mails[i].Data)
}

type session struct {
	*catcher
	conn *smtp.Conn
	to   []address
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	if _, secure := s.conn.TLSConnectionState(); !secure {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Must issue a STARTTLS command first"}
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, address{to})
	return nil
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, mail{ID: strconv.Itoa(len(s.mails)), To: s.to, Data: data})
	return nil
}

func (s *session) Reset()        { s.to = nil }
func (s *session) Logout() error { return nil }

func main() {
	certificate, err := tls.LoadX509KeyPair(os.Getenv("MP_SMTP_TLS_CERT"), os.Getenv("MP_SMTP_TLS_KEY"))
	if err != nil {
		log.Fatal(err)
	}
	c := &catcher{}
	http.HandleFunc("GET /api/v1/messages", c.list)
	http.HandleFunc("GET /api/v1/message/{id}/raw", c.raw)
	go func() { log.Fatal(http.ListenAndServe(":8025", nil)) }()
	s := smtp.NewServer(c)
	s.Addr, s.Domain = ":1025", "mail"
	s.ReadTimeout, s.WriteTimeout = time.Minute, time.Minute
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	log.Fatal(s.ListenAndServe())
}
