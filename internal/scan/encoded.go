package scan

import "encoding/base64"

// A number in base64 shows: of three digits, the four characters come from
// small alphabets. So does one with gaps, from somewhat larger ones.
//
//	digit   0011dddd    gap   0010gggg
//	1st character  bits 00111d, 00110d, 0010gg    5 of 64
//	2nd            dd0011, dd0010                 8
//	3rd            dddd00                        16
//	4th            11dddd, 1gggg0 …               13
//
// phases says, bit by bit, at which of the four places a character may stand.
// Twelve digits make at least three whole fours, so of every fourth byte three
// in a row fit one place.
var phases = classifyPhases()

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

func classifyPhases() (table [256]byte) {
	const plain = "0123456789 -."
	for _, a := range []byte(plain) {
		for _, b := range []byte(plain) {
			var four [4]byte
			for _, three := range [][]byte{{a, b, b}, {b, a, b}, {b, b, a}} {
				base64.StdEncoding.Encode(four[:], three)
				for place, c := range four {
					table[c] |= 1 << place
				}
			}
		}
	}
	return table
}

// values are those of the characters of base64, -1 for others, in both of its
// alphabets (RFC 4648).
var values = classifyValues()

func classifyValues() (table [256]int8) {
	for i := range table {
		table[i] = -1
	}
	for i, c := range []byte(alphabet) {
		table[c] = int8(i)
	}
	table['-'], table['_'] = table['+'], table['/']
	return table
}

// How far around three fours the rest of a number may lie.
const (
	foursBefore = 10
	foursAtOnce = foursBefore + 3 + 13
)

// encoded looks for numbers in base64. Lines are read as one text, but three
// fours have to stand in one line.
func (f *finder) encoded(b []byte, limit int) {
	p := f.decoded
	for ; p < limit && p+8 < len(b); p += 4 {
		if phases[b[p]]&phases[b[p+4]]&phases[b[p+8]] != 0 {
			p = max(p, f.decode(b, p)-4)
		}
	}
	f.decoded = p
}

// decode looks for a number around b[p], and returns where to go on if there is
// one, else 0.
func (f *finder) decode(b []byte, p int) int {
	for place := range 4 {
		start := p - place
		if start < 0 || start+12 > len(b) || !fits(b[start:start+12]) {
			continue
		}
		if next := f.decodeAt(b, start); next > 0 {
			return next
		}
	}
	return 0
}

// fits reports whether whole fours may stand for digits and gaps.
func fits(b []byte) bool {
	for i, c := range b {
		if phases[c]&(1<<(i%4)) == 0 {
			return false
		}
	}
	return true
}

// decodeAt searches what the fours around start stand for, and returns where the
// last number in them ends, or 0.
func (f *finder) decodeAt(b []byte, start int) int {
	for range foursBefore {
		before := start - 4 - lineBreak(b[max(0, start-2):start])
		if before < 0 || decodeFour(nil, b[before:before+4]) < 3 {
			break
		}
		start = before
	}
	var plain [3 * foursAtOnce]byte
	defer clear(plain[:])
	n, i, more := 0, start, true
	for more && n < len(plain) && i < len(b) {
		size := decodeFour(plain[n:], b[i:min(len(b), i+4)])
		more = size == 3
		n += size
		i += 4
		if more && i < len(b) {
			i += lineBreak(b[i:min(len(b), i+2)])
		}
	}
	next := 0
	inner := finder{report: func(m match) {
		at := start + int(m.offset)/3*4
		next = at + m.size/3*4
		m.offset, m.form = f.base+int64(at), "base64"
		f.report(m)
	}}
	inner.plain(plain[:n], n)
	return next
}

// lineBreak is the length of b if it is a line break, or ends or begins with
// one of a single byte.
func lineBreak(b []byte) int {
	switch {
	case string(b) == "\r\n":
		return 2
	case len(b) > 0 && b[0] == '\n':
		return 1
	}
	return 0
}

// decodeFour decodes up to four characters into out, if there is room, and
// returns how many bytes they stand for: 3, or less at the end of a text.
func decodeFour(out, four []byte) int {
	bits, n := 0, 0
	for _, c := range four {
		v := values[c]
		if v < 0 {
			break
		}
		bits = bits<<6 | int(v)
		n++
	}
	if n < 2 {
		return 0
	}
	bits <<= 6 * (4 - n)
	for i := range min(n-1, len(out)) {
		out[i] = byte(bits >> (16 - 8*i))
	}
	return n - 1
}
