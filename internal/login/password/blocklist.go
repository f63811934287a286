package password

import (
	"bytes"
	_ "embed"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// commonText holds the stems of the most common passwords, one per line. It was written down by hand from what the yearly public
// rankings of leaked passwords repeat; it is a list of stems, not of
// passwords, because people reach twelve characters with digits by adding to a
// short favourite: common looks at what is left without the additions.
//
//go:embed common.txt
var commonText []byte

// leet undoes the usual substitutions of digits and signs for letters.
var leet = map[rune]rune{'0': 'o', '1': 'i', '3': 'e', '4': 'a', '5': 's', '7': 't', '8': 'b', '@': 'a', '$': 's', '!': 'i', '+': 't'}

// walks are rows and columns of the keyboard and the orders everyone knows.
var walks = [][]byte{
	[]byte("01234567890123456789"), []byte("abcdefghijklmnopqrstuvwxyz"),
	[]byte("qwertyuiopasdfghjklzxcvbnm"), []byte("qwertzuiopasdfghjklyxcvbnm"), []byte("azertyuiopqsdfghjklmwxcvbn"),
	[]byte("qazwsxedcrfvtgbyhnujmikolp"), []byte("1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p"),
	[]byte("q1w2e3r4t5y6u7i8o9p0"), []byte("1q2w3e4r5t6y7u8i9o0p"),
	[]byte("1a2b3c4d5e6f7g8h9i0j"), []byte("a1b2c3d4e5f6g7h8i9j0"),
}

// common reports whether b is a common password with the usual additions:
// digits and signs around it, letters replaced by digits, capitals, the whole
// repeated, or a walk over the keyboard.
func common(b []byte) bool {
	lower := bytes.ToLower(b)
	defer clear(lower)
	if repeats(lower) || walk(lower) {
		return true
	}
	found := false
	stems(lower, func(stem []byte) { found = found || listed(stem) })
	return found
}

// own reports whether b is one of words with the usual additions.
func own(b []byte, words []string) bool {
	lower := bytes.ToLower(b)
	defer clear(lower)
	found := false
	for _, w := range words {
		plain := letters([]byte(strings.ToLower(w)), false)
		if len(plain) < 3 {
			continue
		}
		stems(lower, func(stem []byte) { found = found || bytes.Equal(stem, plain) })
		clear(plain)
	}
	return found
}

// stems calls f with b as it is without digits and signs, and with the usual
// substitutions undone after digits and signs around it were cut off.
func stems(b []byte, f func(stem []byte)) {
	plain := letters(b, false)
	f(plain)
	f(unrepeated(plain))
	undone := letters(bytes.TrimFunc(b, func(r rune) bool { return !unicode.IsLetter(r) }), true)
	f(undone)
	leading := letters(bytes.TrimRightFunc(b, func(r rune) bool { return !unicode.IsLetter(r) }), true)
	f(leading)
	clear(plain)
	clear(undone)
	clear(leading)
}

// letters keeps the letters of b, after undoing substitutions if asked.
func letters(b []byte, undo bool) []byte {
	out := make([]byte, 0, len(b)+utf8Slack)
	for r := range runes(b) {
		if l, ok := leet[r]; ok && undo {
			r = l
		}
		if unicode.IsLetter(r) {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

// utf8Slack keeps letters from growing its buffer, which would leave a copy.
const utf8Slack = 8

// listed looks b up among the stems.
func listed(b []byte) bool {
	if len(b) < 3 || len(b) > 32 {
		return false
	}
	for stem := range bytes.FieldsSeq(commonText) {
		if bytes.Equal(stem, b) {
			return true
		}
	}
	return false
}

// repeats reports whether b is a piece of at most four characters repeated, or
// has fewer than four different characters.
func repeats(b []byte) bool {
	seen := map[byte]bool{}
	for _, c := range b {
		seen[c] = true
	}
	return len(seen) < 4 || len(unrepeated(b)) <= 4
}

// unrepeated is the shortest piece of which b is a repetition.
func unrepeated(b []byte) []byte {
	for n := 1; n <= len(b)/2; n++ {
		if len(b)%n == 0 && bytes.Equal(b[n:], b[:len(b)-n]) {
			return b[:n]
		}
	}
	return b
}

// walk reports whether b consists of at most three walks of four characters or
// more, forwards or backwards.
func walk(b []byte) bool {
	for range 3 {
		n := longestWalk(b)
		if n < 4 {
			return false
		}
		if b = b[n:]; len(b) == 0 {
			return true
		}
	}
	return false
}

// longestWalk is the length of the longest start of b that lies on a walk.
func longestWalk(b []byte) int {
	back := slices.Clone(b)
	slices.Reverse(back)
	defer clear(back)
	for n := len(b); n >= 4; n-- {
		for _, w := range walks {
			if bytes.Contains(w, b[:n]) || bytes.Contains(w, back[len(back)-n:]) {
				return n
			}
		}
	}
	return 0
}
