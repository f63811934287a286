package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"regexp"
	"slices"
)

// Failure is why a mail server did not take a message. It names no person:
// servers repeat addresses in what they say, so only their codes are kept.
type Failure struct {
	Step     string // of the dialogue: connect, greeting, TLS, login, sender, recipient, content
	Code     int    // the server's answer (RFC 5321 section 4.2), 0 without one
	Enhanced string // its enhanced code (RFC 3463), "5.1.1", if any
	Err      error  // what happened, without an answer
}

// The steps of the dialogue.
const (
	stepConnect   = "connect"
	stepGreeting  = "greeting"
	stepTLS       = "TLS"
	stepLogin     = "login"
	stepSender    = "sender"
	stepRecipient = "recipient"
	stepContent   = "content"
)

// codeClosing says that the server ends the connection (RFC 5321 section 3.8).
const codeClosing = 421

// needLogin are the answers that concern the login and not the message
// (RFC 4954 section 6): whoever runs this can mend that, and the mail goes out.
var needLogin = []int{530, 534, 535, 538}

var enhancedShape = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`)

var errBabble = errors.New("the server does not speak SMTP")

// failure makes a Failure of what a step returned.
func failure(step string, err error) error {
	if said, ok := errors.AsType[*textproto.Error](err); ok {
		return &Failure{Step: step, Code: said.Code, Enhanced: enhancedShape.FindString(said.Msg)}
	}
	if _, ok := errors.AsType[textproto.ProtocolError](err); ok {
		err = errBabble // its text is what the server said
	}
	return &Failure{Step: step, Err: err}
}

// Error implements error.
func (f *Failure) Error() string {
	switch {
	case f.Code == 0:
		return fmt.Sprintf("mail: %s: %v", f.Step, f.Err)
	case f.Enhanced == "":
		return fmt.Sprintf("mail: %s: the server answered %d", f.Step, f.Code)
	}
	return fmt.Sprintf("mail: %s: the server answered %d %s", f.Step, f.Code, f.Enhanced)
}

// Unwrap makes a Failure ErrRefused when no repetition helps.
func (f *Failure) Unwrap() error {
	aboutMessage := f.Step == stepSender || f.Step == stepRecipient || f.Step == stepContent
	if aboutMessage && f.Code/100 == 5 && !slices.Contains(needLogin, f.Code) {
		return ErrRefused
	}
	return f.Err
}

// Class is what an operator's list shows, such as "recipient 550 5.1.1".
func (f *Failure) Class() string {
	_, distrusted := errors.AsType[*tls.CertificateVerificationError](f.Err)
	_, network := errors.AsType[*net.OpError](f.Err)
	switch {
	case f.Code != 0 && f.Enhanced != "":
		return fmt.Sprintf("%s %d %s", f.Step, f.Code, f.Enhanced)
	case f.Code != 0:
		return fmt.Sprintf("%s %d", f.Step, f.Code)
	case distrusted:
		return f.Step + " certificate"
	case errors.Is(f.Err, os.ErrDeadlineExceeded), errors.Is(f.Err, context.DeadlineExceeded):
		return f.Step + " timeout"
	case network, errors.Is(f.Err, io.EOF), errors.Is(f.Err, io.ErrUnexpectedEOF):
		return f.Step + " network"
	}
	return f.Step + " failed"
}

// stale reports that a connection had ended before anything of this message
// was said.
func (f *Failure) stale() bool {
	return f.Step == stepSender && (f.Code == 0 || f.Code == codeClosing)
}
