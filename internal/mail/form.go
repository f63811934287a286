package mail

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	netmail "net/mail"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

// ParseFrom reads the sender's address, with or without a display name;
// "" is "CCMS <no-reply@localhost>".
func ParseFrom(s string) (*netmail.Address, error) {
	a, err := netmail.ParseAddress(cmp.Or(s, "CCMS <no-reply@localhost>"))
	if err != nil || strings.ContainsFunc(a.Name, isControl) {
		return nil, fmt.Errorf("mail: %q is no sender: use name@example.com or Name <name@example.com>", s)
	}
	return a, nil
}

// write writes m in its transport form (RFC 5322, RFC 2045): lines end in
// CRLF, text and HTML as alternatives. Message-ID and Date depend on m only.
// Without eightBit all of it is ASCII, for servers that know nothing else.
func write(w io.Writer, m Message, from *netmail.Address, eightBit bool) error {
	if err := m.check(); err != nil {
		return err
	}
	g := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	g.FromMailAddress(from)
	if err := g.To(m.To); err != nil {
		return fmt.Errorf("%w: the recipient is no address", ErrRefused)
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	g.SetMessageIDWithValue(digest(m.ID) + "@" + domain)
	g.SetDateWithValue(m.Date.UTC())
	g.Subject(m.Subject)
	// RFC 3834: no holiday notice answers this.
	g.SetGenHeader(gomail.Header("Auto-Submitted"), "auto-generated")
	text, html := lines(m.Text), lines(m.HTML)
	g.SetBodyString(gomail.TypeTextPlain, text, gomail.WithPartEncoding(encoding(text, eightBit)))
	if html != "" {
		g.AddAlternativeString(gomail.TypeTextHTML, html, gomail.WithPartEncoding(encoding(html, eightBit)))
	}
	if _, err := g.WriteTo(w); err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	return nil
}

// lines ends every line in CRLF.
func lines(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	return strings.ReplaceAll(s, "\n", "\r\n")
}

// maxLine is the longest line of a mail (RFC 5322 section 2.1.1).
const maxLine = 998

// encoding leaves text as it is wherever that is allowed, so that a link stands
// whole on its line, also for grep. go-mail's "7bit" is no choice: it
// announces 7bit and writes quoted-printable.
func encoding(s string, eightBit bool) gomail.Encoding {
	if !eightBit {
		return gomail.EncodingQP
	}
	for line := range strings.SplitSeq(s, "\r\n") {
		if len(line) > maxLine {
			return gomail.EncodingQP
		}
	}
	return gomail.NoEncoding
}

// digest names a message in headers and files without saying its ID.
func digest(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}
