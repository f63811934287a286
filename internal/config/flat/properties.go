package flat

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// parseProperties reads the format of java.util.Properties: # and ! comments,
// = or : or a blank between key and value, a backslash at the end of a line
// that goes on, and backslash escapes. It is stricter in three places where
// Java drops something silently: the text is UTF-8, an escape that is cut
// short is an error, and so is a line without a key.
func parseProperties(b []byte) ([]Entry, []Fault) {
	if !utf8.Valid(b) {
		return nil, []Fault{{Line: 1, Wrong: "is not UTF-8", Right: "save it as UTF-8"}}
	}
	var entries []Entry
	var faults []Fault
	for _, l := range logicalLines(string(b)) {
		rawKey, rawText := splitProperty(l.text)
		key, err := unescape(rawKey)
		if err != nil || key == "" {
			faults = append(faults, Fault{Line: l.number, Wrong: "has no readable key", Right: "write KEY=VALUE"})
			continue
		}
		text, err := unescape(rawText)
		if err != nil {
			faults = append(faults, Fault{key, l.number, err.Error(), `write \\ for a backslash and \uXXXX for a character`})
			continue
		}
		entries = append(entries, Entry{key, text, l.number})
	}
	return entries, faults
}

type line struct {
	text   string
	number int // of its first physical line
}

const blanks = " \t\f"

// logicalLines joins continued lines and drops comments and empty ones.
func logicalLines(text string) []line {
	var all []line
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	var open *line
	for i, physical := range strings.Split(text, "\n") {
		physical = strings.TrimLeft(physical, blanks)
		if open == nil {
			if physical == "" || physical[0] == '#' || physical[0] == '!' {
				continue
			}
			all = append(all, line{number: i + 1})
			open = &all[len(all)-1]
		}
		rest, more := strings.CutSuffix(physical, `\`)
		more = more && (len(rest)-len(strings.TrimRight(rest, `\`)))%2 == 0
		if !more {
			rest = physical
		}
		open.text += rest
		if !more {
			open = nil
		}
	}
	return all
}

// splitProperty cuts at the first unescaped separator: blanks, with at most
// one = or : among them.
func splitProperty(text string) (key, value string) {
	end := len(text)
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			i++
		} else if strings.IndexByte(blanks+"=:", text[i]) >= 0 {
			end = i
			break
		}
	}
	value = strings.TrimLeft(text[end:], blanks)
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], blanks)
	}
	return text[:end], value
}

var errEscape = errors.New("has an escape that is cut short")

// unescape resolves \t \n \r \f, \uXXXX (UTF-16, so characters above U+FFFF
// take two) and a backslash before anything else.
func unescape(text string) (string, error) {
	var out strings.Builder
	for {
		plain, rest, found := strings.Cut(text, `\`)
		out.WriteString(plain)
		if !found {
			return out.String(), nil
		}
		if rest == "" {
			return "", errEscape
		}
		if rest[0] != 'u' {
			r, n := utf8.DecodeRuneInString(rest)
			out.WriteRune(control(r))
			text = rest[n:]
			continue
		}
		r, n, err := utf16Escape(rest)
		if err != nil {
			return "", err
		}
		out.WriteRune(r)
		text = rest[n:]
	}
}

func control(r rune) rune {
	switch r {
	case 't':
		return '\t'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 'f':
		return '\f'
	}
	return r
}

// utf16Escape reads uXXXX, or a surrogate pair uXXXX\uXXXX, and says how long
// it was.
func utf16Escape(text string) (r rune, n int, err error) {
	high, err := hex4(text)
	if err != nil || !utf16.IsSurrogate(high) {
		return high, 5, err
	}
	low, err := hex4(strings.TrimPrefix(text[5:], `\`))
	if r = utf16.DecodeRune(high, low); err != nil || r == utf8.RuneError || text[5] != '\\' {
		return 0, 0, errors.New("has half of a surrogate pair")
	}
	return r, 11, nil
}

func hex4(text string) (rune, error) {
	if len(text) < 5 || text[0] != 'u' {
		return 0, errEscape
	}
	v, err := strconv.ParseUint(text[1:5], 16, 16)
	if err != nil {
		return 0, errEscape
	}
	return rune(v), nil
}
