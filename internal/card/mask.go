package card

import (
	"regexp"
	"slices"
	"strings"
)

// uuidShape is text that MaskRuns leaves alone: registration and request ids
// may hold a long run of digits (decision A2).
var uuidShape = regexp.MustCompile(`(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// MaskRuns replaces each digit but the last four of every run of 12 or more
// digits by an asterisk. Within a run, spaces, hyphens and their percent
// escapes may stand between digits, and digits may be escaped themselves: all
// that Parse takes for a number, and what a path makes of it. Text in the shape
// of a UUID stays (decisions A2 and G). Whatever is not a digit of a run is
// copied as it is.
func MaskRuns(s string) string {
	if !mayHoldRun(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	rest := 0
	for _, at := range uuids(s) {
		maskPart(&b, s[rest:at[0]])
		b.WriteString(s[at[0]:at[1]])
		rest = at[1]
	}
	maskPart(&b, s[rest:])
	return b.String()
}

// mayHoldRun spares the text that certainly holds no run, such as almost every
// id, the rest of the work. A letter ends a run, but for those of escapes.
func mayHoldRun(s string) bool {
	escaped := strings.Contains(s, "%")
	digits := 0
	for i := range len(s) {
		switch {
		case isDigit(s[i]):
			digits++
		case !escaped && isLetter(s[i]):
			digits = 0
		}
		if digits == minDigits {
			return true
		}
	}
	return false
}

// uuids returns where s holds UUIDs, in order.
func uuids(s string) [][]int {
	if strings.Count(s, "-") < 4 {
		return nil // the pattern costs microseconds
	}
	return slices.DeleteFunc(uuidShape.FindAllStringIndex(s, -1), func(at []int) bool { return !standsAlone(s, at[0], at[1]) })
}

// standsAlone reports whether s[from:to] is not part of a longer word, such as
// a run of digits that happens to end like a UUID.
func standsAlone(s string, from, to int) bool {
	return (from == 0 || !isAlnum(s[from-1])) && (to == len(s) || !isAlnum(s[to]))
}

func maskPart(b *strings.Builder, s string) {
	for i := 0; i < len(s); {
		end, digits := run(s[i:])
		if digits == 0 {
			end = otherLen(s[i:])
			b.WriteString(s[i : i+end])
		} else {
			writeRun(b, s[i:i+end], digits)
		}
		i += end
	}
}

// run returns the length of the run of digits s begins with, and how many
// digits it has.
func run(s string) (end, digits int) {
	for i := 0; i < len(s); {
		if n := digitLen(s[i:]); n > 0 {
			i += n
			end = i
			digits++
			continue
		}
		n := separatorLen(s[i:])
		if n == 0 || digits == 0 {
			break
		}
		i += n
	}
	return end, digits
}

func writeRun(b *strings.Builder, s string, digits int) {
	if digits < minDigits {
		b.WriteString(s)
		return
	}
	for i := 0; i < len(s); {
		n := digitLen(s[i:])
		switch {
		case n == 0:
			n = separatorLen(s[i:])
			b.WriteString(s[i : i+n])
		case digits > 4:
			b.WriteByte('*')
			digits--
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isAlnum(c byte) bool { return isDigit(c) || isLetter(c) }

func isHexLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'f' }

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

// separatorLen is the length of the space or hyphen s begins with, else 0. No
// brand's numbers begin with 20, so %20 is never a percent sign and digits.
func separatorLen(s string) int {
	switch {
	case len(s) >= 1 && (s[0] == ' ' || s[0] == '-'):
		return 1
	case len(s) >= 3 && (s[:3] == "%20" || strings.EqualFold(s[:3], "%2d")):
		return 3
	}
	return 0
}

// otherLen is the length of what s begins with when that is no digit. An
// escape with a letter in it is one, and copied whole; of %41 before a run the
// percent sign may as well be free text, so its digits count.
func otherLen(s string) int {
	if n := separatorLen(s); n > 0 {
		return n
	}
	if len(s) >= 3 && s[0] == '%' && (isHexLetter(s[1]) && isHexDigit(s[2]) || isDigit(s[1]) && isHexLetter(s[2])) {
		return 3
	}
	return 1
}

func isHexDigit(c byte) bool { return isDigit(c) || isHexLetter(c) }
