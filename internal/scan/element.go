package scan

import "encoding/binary"

// What a byte may be on the way of a number.
const (
	other  = iota
	digit  // 0 to 9
	gap    // may stand alone between two digits
	escape // begins a digit or gap that is written otherwise
)

// classes sorts all bytes.
var classes = classify()

func classify() (table [256]byte) {
	for _, c := range []byte("0123456789") {
		table[c] = digit
	}
	for _, c := range []byte(" -.+") {
		table[c] = gap
	}
	for _, c := range []byte("%\\&\xC2\xE2") {
		table[c] = escape
	}
	return table
}

// stride is how far the search jumps. Whatever is written here as a number of
// at least twelve digits covers twelve bytes, and has a digit in each five of
// them: so five whole bytes of it, with a digit, begin at a multiple of eight.
const (
	stride = 8
	ones   = 0x0101010101010101
)

// hasDigit reports whether the first five of eight bytes hold a digit. A byte
// less '0' is nine at most for a digit alone; all are compared at once.
func hasDigit(x uint64) bool {
	t := x ^ '0'*ones
	return ^(t|(t&(0x7F*ones)+0x76*ones))&0x8080808080 != 0
}

// nextDigit returns where the next digit, or its escape, begins in b, at from
// or behind, and limit when none begins before.
func nextDigit(b []byte, from, limit int) int {
	p := from
	for ; p+stride <= len(b) && !hasDigit(binary.LittleEndian.Uint64(b[p:])); p += stride {
		if p >= limit+stride {
			return limit
		}
	}
	for i := max(from, p-stride+1); i < limit; i++ {
		switch classes[b[i]] {
		case digit:
			return i
		case escape:
			c, size := unescape(b[i:min(len(b), i+maxElement)])
			if classes[c] == digit {
				return i
			}
			i += max(size-1, 0) // the digits of another character's escape are none
		}
	}
	return limit
}

// element returns the digit or gap that begins at b[i], as ASCII, and its
// length in bytes; 0 and 0 for anything else.
func element(b []byte, i int) (c byte, size int) {
	c = b[i]
	switch classes[c] {
	case digit, gap:
		return c, 1
	case escape:
		if c, size = unescape(b[i:min(len(b), i+maxElement)]); classes[c] == digit || classes[c] == gap {
			return c, size
		}
	}
	return 0, 0
}

// maxElement is the length of the longest escape.
const maxElement = 7

// unescape reads what the web puts in the place of a character: %34 in a URL,
// \u0034 in JSON, also within a string of JSON, \x34 in a log, &#52; in HTML.
// Spaces and hyphens that do not break a line count as the plain ones.
func unescape(s []byte) (c byte, size int) {
	switch s[0] {
	case '%':
		return hexByte(s, 1)
	case '\\':
		at := 1
		if len(s) > 1 && s[1] == '\\' {
			at = 2
		}
		if len(s) > at+2 && s[at] == 'u' && s[at+1] == '0' && s[at+2] == '0' {
			return hexByte(s, at+3)
		}
		if len(s) > at && s[at] == 'x' {
			return hexByte(s, at+1)
		}
	case '&':
		if len(s) >= 5 && s[1] == '#' && s[4] == ';' && classes[s[2]] == digit && classes[s[3]] == digit {
			return (s[2]-'0')*10 + s[3] - '0', 5
		}
		if len(s) >= 6 && s[1] == '#' && s[2]|0x20 == 'x' && s[5] == ';' {
			c, _ = hexByte(s, 3)
			return c, 6
		}
	case 0xC2: // no-break space
		if len(s) >= 2 && s[1] == 0xA0 {
			return ' ', 2
		}
	case 0xE2:
		if len(s) >= 3 && s[1] == 0x80 {
			return narrow(s[2]), 3
		}
	}
	return 0, 0
}

// narrow is what the character U+2000 to U+203F with this last byte stands for.
func narrow(last byte) byte {
	switch last {
	case 0x87, 0x89, 0xAF: // figure, thin and narrow space
		return ' '
	case 0x90, 0x91, 0x92, 0x93: // hyphens, figure and en dash
		return '-'
	}
	return 0
}

// hexByte reads the two digits at s[at:].
func hexByte(s []byte, at int) (c byte, size int) {
	if len(s) < at+2 {
		return 0, 0
	}
	high, low := hexValue(s[at]), hexValue(s[at+1])
	if high < 0 || low < 0 {
		return 0, 0
	}
	return byte(high<<4 | low), at + 2
}

// hexValue is the value of a hexadecimal digit, -1 for other bytes.
func hexValue(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
