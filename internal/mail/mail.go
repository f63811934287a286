// Package mail owns what we write to people: the letters, the strict check of
// an address, the form of a message (RFC 5322), and two Senders: SMTP hands a
// message to a mail server, Folder makes a file of it. It does not retry
// (package outbox does) and does not know accounts: whoever writes gives
// recipient and link.
//
// No text of a stranger enters a letter: no name, no username. Otherwise a
// sign-up with somebody else's address would send him the stranger's words.
package mail

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Message is a letter ready to be sent.
type Message struct {
	// ID names the message; a repeated send of the same ID is the same message
	// for its receiver (same Message-ID, same file).
	ID      string
	To      string // a bare address that ParseAddress takes
	Subject string
	Text    string
	HTML    string
	Date    time.Time // when it was written, not when it is sent
}

// Sender sends one message and returns nil once somebody else answers for it:
// a disk, a mail server. An error that is ErrRefused will not go away; after
// any other the same message may be sent again.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// ErrRefused marks a message that no repetition gets sent.
var ErrRefused = errors.New("mail: message refused")

// check refuses what would not make one well-formed mail to one person.
func (m Message) check() error {
	_, err := ParseAddress(m.To)
	switch {
	case err != nil:
		return fmt.Errorf("%w: the recipient is no address", ErrRefused)
	case m.ID == "", m.Date.IsZero():
		return fmt.Errorf("%w: it needs an ID and a date", ErrRefused)
	case m.Subject == "", strings.ContainsFunc(m.Subject, isControl):
		return fmt.Errorf("%w: the subject is empty or has control characters", ErrRefused)
	case m.Text == "":
		return fmt.Errorf("%w: it has no text", ErrRefused)
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }
