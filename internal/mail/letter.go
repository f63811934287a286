package mail

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"net/url"
	"strings"
	"text/template"
	"time"
)

// Kind names a letter; its text is letters/<kind>.txt.
type Kind string

// The letters.
const (
	Verify            Kind = "verify"             // link: confirm the address of a new account
	Reset             Kind = "reset"              // link: set a new password
	AddressConfirm    Kind = "address-confirm"    // link; to the new address of an account
	AddressChange     Kind = "address-change"     // to the old address: a change was asked for
	AlreadyRegistered Kind = "already-registered" // to the owner: a sign-up with his address (decision B9)
	PasswordChanged   Kind = "password-changed"   // after a change or a reset
	Locked            Kind = "locked"             // too many wrong passwords; Valid is how long
	Deleted           Kind = "deleted"            // the account is gone
	WebhookDisabled   Kind = "webhook-disabled"   // About an endpoint of a firm; Reason is failing or gone
)

// Data is what a letter needs to know.
type Data struct {
	ID    string        // Message.ID
	To    string        // Message.To
	Link  string        // full URL, for letters with a link
	Valid time.Duration // how long the link is good, or the lock lasts
	At    time.Time     // when it happened; becomes the mail's date
	// About names the thing a letter is about, Reason why it happened; both are
	// for letters that say so.
	About, Reason string
}

// Each letter is written once, as plain text: the subject, then paragraphs
// between blank lines. A paragraph in brackets is where the link stands, and
// the label of its button.
var (
	//go:embed letters/*.txt
	letterFiles embed.FS
	//go:embed letters/layout.html
	layoutFile string

	letters = template.Must(template.ParseFS(letterFiles, "letters/*.txt"))
	layout  = htmltemplate.Must(htmltemplate.New("layout").Parse(layoutFile))
)

// paragraph is text, or a link.
type paragraph struct {
	Text  string
	Label string // of a link
	Link  string
}

// Compose writes the letter kind with d filled in. It fails when the letter
// has a link and d.Link is not a full http or https URL of plain characters.
func Compose(kind Kind, d Data) (Message, error) {
	var text strings.Builder
	err := letters.ExecuteTemplate(&text, string(kind)+".txt", map[string]string{
		"Valid": words(d.Valid), "At": d.At.UTC().Format("2 January 2006, 15:04 UTC"),
		"About": d.About, "Reason": d.Reason,
	})
	if err != nil {
		return Message{}, fmt.Errorf("mail: letter %s: %w", kind, err)
	}
	subject, rest, _ := strings.Cut(strings.TrimSpace(text.String()), "\n\n")
	body, err := paragraphs(rest, d.Link)
	if err != nil {
		return Message{}, fmt.Errorf("mail: letter %s: %w", kind, err)
	}
	m := Message{ID: d.ID, To: d.To, Subject: subject, Date: d.At, Text: plain(body)}
	if m.HTML, err = marked(subject, body); err != nil {
		return Message{}, fmt.Errorf("mail: letter %s: %w", kind, err)
	}
	return m, m.check()
}

func paragraphs(text, link string) ([]paragraph, error) {
	var list []paragraph
	for p := range strings.SplitSeq(text, "\n\n") {
		label, isLink := strings.CutPrefix(p, "[")
		if !isLink {
			list = append(list, paragraph{Text: p})
			continue
		}
		if err := checkLink(link); err != nil {
			return nil, err
		}
		list = append(list, paragraph{Label: strings.TrimSuffix(label, "]"), Link: link})
	}
	return list, nil
}

// maxLink keeps a link on one line of a mail (RFC 5322: 998 characters).
const maxLink = 900

func checkLink(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Host == "", u.Scheme != "http" && u.Scheme != "https":
		return errors.New("the link is not a full URL")
	case len(s) > maxLink, strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`<>"\`, r) }):
		return errors.New("the link is too long or has characters that break it")
	}
	return nil
}

// plain is the text part. A link has a line of its own.
func plain(body []paragraph) string {
	var parts []string
	for _, p := range body {
		parts = append(parts, p.Text+p.Link)
	}
	return strings.Join(parts, "\n\n") + "\n"
}

func marked(subject string, body []paragraph) (string, error) {
	var b bytes.Buffer
	err := layout.Execute(&b, map[string]any{"Subject": subject, "Body": body})
	return b.String(), err
}

// words says d as a person would.
func words(d time.Duration) string {
	n, unit := int(d/time.Minute), "minute"
	if d >= 2*time.Hour && d%time.Hour == 0 {
		n, unit = int(d/time.Hour), "hour"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}
