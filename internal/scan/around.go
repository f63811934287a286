package scan

// What stands around a number may show that it is none.

const (
	uuidLength = 36
	// hexLength is from where on a word of hexadecimal digits is an object's id, a
	// digest or a dump.
	hexLength = 24
	// lookBack is how many bytes before a number decide about it.
	lookBack = 136
	// maxBeside is how many groups of digits may stand beside a number in groups:
	// a house number, a month and a year. More are a table.
	maxBeside = 3
)

// inIdentifier reports whether b[from:to] is part of a UUID (decision A2 leaves
// them alone too) or a word of hexadecimal digits.
func inIdentifier(b []byte, from, to int) bool {
	return inUUID(b, from, to) || endOfDigits(b, from) == to && inHex(b, from, to)
}

func inUUID(b []byte, from, to int) bool {
	for start := max(0, to-uuidLength); start <= from && start+uuidLength <= len(b); start++ {
		end := start + uuidLength
		if isUUID(b[start:end]) && (start == 0 || hexValue(b[start-1]) < 0) && (end == len(b) || hexValue(b[end]) < 0) {
			return true
		}
	}
	return false
}

func isUUID(b []byte) bool {
	for i, c := range b {
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		if hyphen != (c == '-') || !hyphen && hexValue(c) < 0 {
			return false
		}
	}
	return true
}

// inHex reports whether b[from:to], all digits, is part of a word of hexadecimal
// digits with letters of one case.
func inHex(b []byte, from, to int) bool {
	start, end := from, to
	for start > 0 && hexValue(b[start-1]) >= 0 && from-start < lookBack {
		start--
	}
	for end < len(b) && hexValue(b[end]) >= 0 && end-to < lookBack {
		end++
	}
	lower, upper := 0, 0
	for _, c := range b[start:end] {
		switch {
		case 'a' <= c && c <= 'f':
			lower++
		case 'A' <= c && c <= 'F':
			upper++
		}
	}
	return end-start >= hexLength && (lower == 0) != (upper == 0)
}

// inTable reports whether b[from:to], a number in groups, stands in a row of
// numbers, or in a list of them that begins or ends with a point.
func inTable(b []byte, from, to int) bool {
	start := max(0, from-lookBack)
	b, from, to = b[start:min(len(b), to+lookBack)], from-start, to-start
	if from > 0 && b[from-1] == '.' || to+1 < len(b) && b[to] == '.' && classes[b[to+1]] == other && b[to+1] > ' ' {
		return true
	}
	return groupsBefore(b, from)+groupsBehind(b, to) > maxBeside
}

// groupsBefore counts groups of digits before b[i], with one gap between two.
func groupsBefore(b []byte, i int) (n int) {
	for ; n <= maxBeside && gapBefore(b, i) != 0; n++ {
		for i--; i > 0 && classes[b[i-1]] == digit; i-- {
		}
	}
	return n
}

// groupsBehind counts those behind b[:i].
func groupsBehind(b []byte, i int) (n int) {
	for ; n <= maxBeside && i+1 < len(b) && classes[b[i]] == gap && classes[b[i+1]] == digit; n++ {
		i = endOfDigits(b, i+1)
	}
	return n
}
