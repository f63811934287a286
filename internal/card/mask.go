package card

import (
	"regexp"
	"strings"
)

// uuidShape is text that is left alone by MaskRuns: registration and request
// ids may hold a long run of digits (decision A2).
var uuidShape = regexp.MustCompile(`(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// minRun is the length of the shortest card number (ISO/IEC 7812).
const minRun = 12

// MaskRuns replaces each digit but the last four of every run of 12 or more
// digits by an asterisk. Within a run, single spaces, hyphens and their
// percent escapes may stand between digits, and digits may be escaped
// themselves. Text in the shape of a UUID stays (decisions A2 and G).
func MaskRuns(s string) string {
	if !mayHoldRun(s) {
		return s
	}
	var b strings.Builder
	rest := 0
	for _, at := range uuidShape.FindAllStringIndex(s, -1) {
		maskPart(&b, s[rest:at[0]])
		b.WriteString(s[at[0]:at[1]])
		rest = at[1]
	}
	maskPart(&b, s[rest:])
	return b.String()
}

func mayHoldRun(s string) bool {
	digits := 0
	for i := range len(s) {
		if isDigit(s[i]) {
			digits++
		}
	}
	return digits >= minRun
}

func maskPart(b *strings.Builder, s string) {
	for i := 0; i < len(s); {
		if digitLen(s[i:]) == 0 {
			b.WriteByte(s[i])
			i++
			continue
		}
		end, digits := run(s[i:])
		writeRun(b, s[i:i+end], digits)
		i += end
	}
}

// run returns the length of the run of digits s begins with, and how many
// digits it has.
func run(s string) (end, digits int) {
	for i := 0; i < len(s); {
		n := digitLen(s[i:])
		if n == 0 {
			sep := separatorLen(s[i:])
			if sep == 0 || digitLen(s[i+sep:]) == 0 {
				break
			}
			i += sep
			continue
		}
		i += n
		digits++
		end = i
	}
	return end, digits
}

func writeRun(b *strings.Builder, s string, digits int) {
	if digits < minRun {
		b.WriteString(s)
		return
	}
	for i := 0; i < len(s); {
		n := digitLen(s[i:])
		switch {
		case n == 0:
			n = separatorLen(s[i:])
			b.WriteString(s[i : i+n])
			i += n
			continue
		case digits > 4:
			b.WriteByte('*')
		default:
			b.WriteString(s[i : i+n])
		}
		digits--
		i += n
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// digitLen is the length of the digit s begins with, plain or as %3N, else 0.
func digitLen(s string) int {
	switch {
	case len(s) >= 3 && s[0] == '%' && s[1] == '3' && isDigit(s[2]):
		return 3
	case len(s) >= 1 && isDigit(s[0]):
		return 1
	}
	return 0
}

// separatorLen is the length of the space or hyphen s begins with, else 0.
func separatorLen(s string) int {
	switch {
	case len(s) >= 1 && (s[0] == ' ' || s[0] == '-'):
		return 1
	case len(s) >= 3 && (s[:3] == "%20" || strings.EqualFold(s[:3], "%2d")):
		return 3
	}
	return 0
}
