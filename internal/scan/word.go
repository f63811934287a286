package scan

import "slices"

// The forms of identifiers that are hexadecimal and may hold a number by
// chance: UUIDs, and the words of object ids and of digests.
const uuidLength = 36

var digests = []int{24, 32, 40, 48, 56, 64, 96, 128}

// lookBack is how many bytes before a number decide about it.
const lookBack = 136

// inWord reports whether b[from:to] is part of such an identifier (decision A2
// leaves UUIDs alone too).
func inWord(b []byte, from, to int) bool {
	return inUUID(b, from, to) || endOfDigits(b, from) == to && inDigest(b, from, to)
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

func inDigest(b []byte, from, to int) bool {
	start, end := from, to
	for start > 0 && hexValue(b[start-1]) >= 0 && from-start < lookBack {
		start--
	}
	for end < len(b) && hexValue(b[end]) >= 0 && end-to < lookBack {
		end++
	}
	return slices.Contains(digests, end-start) && end-start > to-from && slices.ContainsFunc(b[start:end], isHexLetter)
}

func isHexLetter(c byte) bool { return hexValue(c) > 9 }
