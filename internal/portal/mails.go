package portal

import (
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/mail"
	"slices"
	"strings"

	"ccms/internal/httpserver"
	"ccms/internal/problem"
)

// letter is a mail of the folder.
type letter struct{ To, Subject, Date, Text string }

// maxLetters is how many mails the page shows, the newest first.
const maxLetters = 50

// mails shows the folder of mails, which stands in for a mail server: on
// loopback, to a loopback peer only (decision A9).
func (s *Service) mails(w http.ResponseWriter, r *http.Request) error {
	if s.cfg.Mails == nil || !httpserver.Local(r) {
		return problem.NoResource()
	}
	names, err := fs.Glob(s.cfg.Mails, "*.eml")
	if err != nil {
		return fmt.Errorf("list mails: %w", err)
	}
	slices.Sort(names)
	slices.Reverse(names)
	var letters []letter
	for _, name := range names[:min(len(names), maxLetters)] {
		l, err := readLetter(s.cfg.Mails, name)
		if err != nil {
			return fmt.Errorf("read mail: %w", err)
		}
		letters = append(letters, l)
	}
	v := s.pages.View(r, "mails.title")
	v.Data = letters
	return s.pages.Render(w, http.StatusOK, "mails.html", v)
}

func readLetter(folder fs.FS, name string) (letter, error) {
	f, err := folder.Open(name)
	if err != nil {
		return letter{}, err
	}
	defer f.Close()
	m, err := mail.ReadMessage(f)
	if err != nil {
		return letter{}, err
	}
	decode := new(mime.WordDecoder)
	l := letter{To: m.Header.Get("To"), Date: m.Header.Get("Date")}
	if l.Subject, err = decode.DecodeHeader(m.Header.Get("Subject")); err != nil {
		return l, err
	}
	l.Text, err = plainText(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
	return l, err
}

// plainText is the text part of a mail.
func plainText(kind, encoding string, body io.Reader) (string, error) {
	media, params, err := mime.ParseMediaType(kind)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(media, "multipart/") {
		parts := multipart.NewReader(body, params["boundary"])
		for {
			part, err := parts.NextRawPart()
			if err != nil {
				return "", err
			}
			if strings.HasPrefix(part.Header.Get("Content-Type"), "text/plain") {
				return plainText("text/plain", part.Header.Get("Content-Transfer-Encoding"), part)
			}
		}
	}
	if strings.EqualFold(encoding, "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	b, err := io.ReadAll(io.LimitReader(body, 64<<10))
	return string(b), err
}

// piece is a line of a mail, or a link that stands alone in one.
type piece struct{ Text, Link string }

// Pieces splits the text so that links of ours can be followed.
func (l letter) Pieces() []piece {
	var all []piece
	for line := range strings.Lines(l.Text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "http://") || strings.HasPrefix(line, "https://") {
			all = append(all, piece{Link: line})
			continue
		}
		all = append(all, piece{Text: line})
	}
	return all
}
