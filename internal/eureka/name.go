package eureka

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

// XML carries metadata keys as element names, coded as XStream codes them:
// "_" becomes "__", "$" becomes "_-", and a UTF-16 unit that is illegal at its
// place in a name becomes "_." and four lower-case hex digits.

func encodeName(key string) string {
	var b strings.Builder
	for i, u := range utf16.Encode([]rune(key)) {
		switch {
		case u == '_':
			b.WriteString("__")
		case u == '$':
			b.WriteString("_-")
		case nameStart(u) || i > 0 && nameChar(u):
			b.WriteRune(rune(u))
		default:
			b.WriteString("_.")
			hex := strconv.FormatUint(uint64(u), 16)
			b.WriteString("0000"[len(hex):])
			b.WriteString(hex)
		}
	}
	return b.String()
}

// decodeName reverses encodeName; a "_" that begins no code stays.
func decodeName(name string) string {
	if !strings.Contains(name, "_") {
		return name
	}
	units := utf16.Encode([]rune(name))
	out := make([]uint16, 0, len(units))
	for i := 0; i < len(units); i++ {
		u, n := decodeUnit(units[i:])
		out = append(out, u)
		i += n - 1
	}
	return string(utf16.Decode(out))
}

// decodeUnit returns the unit u begins with and how many units spelled it.
func decodeUnit(u []uint16) (unit uint16, n int) {
	if u[0] != '_' || len(u) < 2 {
		return u[0], 1
	}
	switch u[1] {
	case '_':
		return '_', 2
	case '-':
		return '$', 2
	case '.':
		if v, ok := hexUnit(u[2:]); ok {
			return v, 6
		}
	}
	return '_', 1
}

func hexUnit(u []uint16) (uint16, bool) {
	if len(u) < 4 {
		return 0, false
	}
	v, err := strconv.ParseUint(string(utf16.Decode(u[:4])), 16, 16)
	return uint16(v), err == nil
}

// nameStart and nameChar are the productions of XML 1.0, fifth edition, within
// the basic plane; XStream knows no other.
func nameStart(u uint16) bool {
	switch {
	case u == ':', 'A' <= u && u <= 'Z', 'a' <= u && u <= 'z',
		0xC0 <= u && u <= 0xD6, 0xD8 <= u && u <= 0xF6, 0xF8 <= u && u <= 0x2FF,
		0x370 <= u && u <= 0x37D, 0x37F <= u && u <= 0x1FFF,
		0x200C <= u && u <= 0x200D, 0x2070 <= u && u <= 0x218F,
		0x2C00 <= u && u <= 0x2FEF, 0x3001 <= u && u <= 0xD7FF,
		0xF900 <= u && u <= 0xFDCF, 0xFDF0 <= u && u <= 0xFFFD:
		return true
	}
	return false
}

func nameChar(u uint16) bool {
	return nameStart(u) || u == '-' || u == '.' || '0' <= u && u <= '9' ||
		u == 0xB7 || 0x300 <= u && u <= 0x36F || 0x203F <= u && u <= 0x2040
}
