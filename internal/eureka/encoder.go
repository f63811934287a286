package eureka

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// encoder writes one document in either syntax, so that the order of members
// stands in one place.
type encoder struct {
	b      []byte
	start  int
	xml    bool
	pretty bool
	depth  int
	opened int // where the last opening tag ended
}

func (f Form) begin(dst []byte) *encoder {
	e := &encoder{b: dst, start: len(dst), xml: f.XML, pretty: f.XML && !f.Compact}
	if !e.xml {
		e.b = append(e.b, '{')
	}
	return e
}

// within begins a part of a document, so many levels below its root.
func (f Form) within(dst []byte, depth int) *encoder {
	return &encoder{b: dst, start: -1, xml: f.XML, pretty: f.XML && !f.Compact, depth: depth}
}

func (e *encoder) end() []byte {
	if !e.xml {
		e.b = append(e.b, '}')
	}
	return e.b
}

// key begins a member of ours, whose name needs no escape.
func (e *encoder) key(name string) {
	e.comma()
	e.b = append(append(append(e.b, '"'), name...), '"', ':')
}

func (e *encoder) comma() {
	if last := e.b[len(e.b)-1]; last != '{' && last != '[' {
		e.b = append(e.b, ',')
	}
}

func (e *encoder) quote(s string) {
	e.b, _ = jsontext.AppendQuote(e.b, s) // the error says that invalid UTF-8 was replaced
}

// open begins an object; class, when set, is its @class or class.
func (e *encoder) open(name, class string) {
	if !e.xml {
		e.key(name)
		e.b = append(e.b, '{')
		if class != "" {
			e.text("@class", class)
		}
		return
	}
	e.line()
	e.b = append(append(e.b, '<'), name...)
	if class != "" {
		e.b = append(append(append(e.b, ` class="`...), class...), '"')
	}
	e.b = append(e.b, '>')
	e.opened = len(e.b)
	e.depth++
}

// item begins an object of a list.
func (e *encoder) item(name string) {
	if !e.xml {
		e.comma()
	}
	e.element(name)
}

// element is item without what separates it from the one before.
func (e *encoder) element(name string) {
	if e.xml {
		e.open(name, "")
		return
	}
	e.b = append(e.b, '{')
}

func (e *encoder) close(name string) {
	if !e.xml {
		e.b = append(e.b, '}')
		return
	}
	e.depth--
	if e.opened == len(e.b) {
		e.b = append(e.b[:len(e.b)-1], '/', '>')
		return
	}
	e.line()
	e.closeTag(name)
}

func (e *encoder) closeTag(name string) {
	e.b = append(append(append(e.b, '<', '/'), name...), '>')
}

// list begins an array; XML repeats elements instead.
func (e *encoder) list(name string) {
	if !e.xml {
		e.key(name)
		e.b = append(e.b, '[')
	}
}

func (e *encoder) endList() {
	if !e.xml {
		e.b = append(e.b, ']')
	}
}

func (e *encoder) text(name, value string) {
	if !e.xml {
		e.key(name)
		e.quote(value)
		return
	}
	e.line()
	e.b = append(append(append(e.b, '<'), name...), '>')
	e.escape(value)
	e.closeTag(name)
}

func (e *encoder) optional(name string, value *string) {
	if value != nil {
		e.text(name, *value)
	}
}

func (e *encoder) number(name string, n int64) {
	if e.xml {
		e.text(name, strconv.FormatInt(n, 10))
		return
	}
	e.key(name)
	e.b = strconv.AppendInt(e.b, n, 10)
}

// entry writes a metadata pair, whose key may be anything. XML cannot carry an
// empty one.
func (e *encoder) entry(key, value string) {
	if !e.xml {
		e.comma()
		e.quote(key)
		e.b = append(e.b, ':')
		e.quote(value)
		return
	}
	if name := encodeName(key); name != "" {
		e.text(name, value)
	}
}

// port is a number and a string in JSON (rule 11), text and attribute in XML
// (rule 16).
func (e *encoder) port(name string, p Port) {
	enabled := strconv.FormatBool(p.Enabled)
	if !e.xml {
		e.open(name, "")
		e.number("$", int64(p.Number))
		e.text("@enabled", enabled)
		e.close(name)
		return
	}
	e.line()
	e.b = append(append(append(e.b, '<'), name...), ` enabled="`...)
	e.b = append(append(e.b, enabled...), '"', '>')
	e.b = strconv.AppendInt(e.b, int64(p.Number), 10)
	e.closeTag(name)
}

func (e *encoder) line() {
	if !e.pretty || len(e.b) == e.start {
		return
	}
	e.b = append(e.b, '\n')
	for range e.depth {
		e.b = append(e.b, ' ', ' ')
	}
}

// escape writes text as XStream does, without the characters XML cannot carry.
func (e *encoder) escape(s string) {
	if !strings.ContainsFunc(s, special) {
		e.b = append(e.b, s...)
		return
	}
	for _, r := range s {
		switch {
		case r == '&':
			e.b = append(e.b, "&amp;"...)
		case r == '<':
			e.b = append(e.b, "&lt;"...)
		case r == '>':
			e.b = append(e.b, "&gt;"...)
		case r == '"':
			e.b = append(e.b, "&quot;"...)
		case r == '\'':
			e.b = append(e.b, "&apos;"...)
		case r == '\r':
			e.b = append(e.b, "&#xd;"...)
		case legalChar(r):
			e.b = utf8.AppendRune(e.b, r)
		}
	}
}

func special(r rune) bool {
	return r == '&' || r == '<' || r == '>' || r == '"' || r == '\'' || r == '\r' || r == utf8.RuneError || !legalChar(r)
}

// legalChar is the Char production of XML 1.0.
func legalChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || 0x20 <= r && r <= 0xD7FF || 0xE000 <= r && r <= 0xFFFD || r >= 0x10000
}
