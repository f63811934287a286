package page

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"ccms/internal/problem"
	"ccms/internal/secret"
)

// The limits of a form that is sent.
const (
	maxPosted = 16 << 10 // bytes
	maxFields = 64
)

// Posted is a form a person sent (application/x-www-form-urlencoded, WHATWG
// URL §5.1), decoded in place in one buffer that Wipe clears: passwords, numbers
// and codes never become strings.
type Posted struct {
	buffer []byte
	fields map[string][]byte
}

// ReadPosted reads the form of r, of 16 KiB at most. Its errors are 413 and 400.
func ReadPosted(w http.ResponseWriter, r *http.Request) (*Posted, error) {
	return ReadPostedUpTo(w, r, maxPosted)
}

// ReadPostedUpTo is ReadPosted for a form of limit bytes at most.
func ReadPostedUpTo(w http.ResponseWriter, r *http.Request, limit int) (*Posted, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, problem.Validation("Send the form from its own page.")
	}
	p := &Posted{buffer: make([]byte, 0, limit+1), fields: map[string][]byte{}}
	body := http.MaxBytesReader(w, r.Body, int64(limit))
	for {
		n, err := body.Read(p.buffer[len(p.buffer):cap(p.buffer)])
		p.buffer = p.buffer[:len(p.buffer)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			p.Wipe()
			if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
				return nil, problem.BodyTooLarge()
			}
			return nil, problem.Validation("Send the form again from its page.").Because(err)
		}
	}
	if !p.decode() {
		p.Wipe()
		return nil, problem.Validation("Send the form again from its page.")
	}
	return p, nil
}

// decode splits and unescapes the buffer in place. A field that comes twice,
// text that is no UTF-8 and escapes that are none are refused.
func (p *Posted) decode() bool {
	for pair := range bytes.SplitSeq(p.buffer, []byte("&")) {
		if len(pair) == 0 {
			continue
		}
		name, value, _ := bytes.Cut(pair, []byte("="))
		name, ok := unescape(name)
		value, good := unescape(value)
		if _, twice := p.fields[string(name)]; !ok || !good || twice || len(p.fields) == maxFields {
			return false
		}
		p.fields[string(name)] = value
	}
	return true
}

// unescape decodes b over itself.
func unescape(b []byte) ([]byte, bool) {
	out := b[:0]
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%':
			if i+2 >= len(b) || nibble(b[i+1]) < 0 || nibble(b[i+2]) < 0 {
				return nil, false
			}
			c = byte(nibble(b[i+1])<<4 | nibble(b[i+2]))
			i += 2
		}
		out = append(out, c)
	}
	return out, utf8.Valid(out)
}

func nibble(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// Text is a field that is no secret, without white space around it.
func (p *Posted) Text(name string) string { return string(bytes.TrimSpace(p.fields[name])) }

// Secret is a field that is one, as it was typed. It is gone after Wipe.
func (p *Posted) Secret(name string) secret.Bytes { return secret.New(p.fields[name]) }

// Digits is a secret field of digits, however they were typed or pasted: digits
// of any script become ASCII's, and what groups them (spaces, hyphens and
// dashes, invisible marks) is left out. Anything else stays, for the check that
// follows to refuse.
func (p *Posted) Digits(name string) secret.Bytes {
	field := p.fields[name]
	out := field[:0]
	for i := 0; i < len(field); {
		c, size := utf8.DecodeRune(field[i:])
		switch {
		case unicode.Is(unicode.Nd, c):
			out = append(out, '0'+digitOf(c))
		case unicode.In(c, unicode.Zs, unicode.Pd, unicode.Cf) || c == '\u2212':
		default:
			out = append(out, field[i:i+size]...)
		}
		i += size
	}
	p.fields[name] = out
	return secret.New(out)
}

// ASCIIDigits is a text with the decimal digits of any script as ASCII's.
func ASCIIDigits(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.Is(unicode.Nd, c) {
			return rune('0' + digitOf(c))
		}
		return c
	}, text)
}

// digitOf is the value of a decimal digit. Unicode keeps the ten of a script
// together, in order, and each run in the table holds whole tens.
func digitOf(c rune) byte {
	for _, r := range unicode.Nd.R16 {
		if rune(r.Lo) <= c && c <= rune(r.Hi) {
			return byte((c - rune(r.Lo)) % 10)
		}
	}
	for _, r := range unicode.Nd.R32 {
		if rune(r.Lo) <= c && c <= rune(r.Hi) {
			return byte((c - rune(r.Lo)) % 10)
		}
	}
	return 0
}

// Wipe clears everything that was sent.
func (p *Posted) Wipe() { clear(p.buffer[:cap(p.buffer)]) }
