package scan

import (
	"errors"
	"io"
	"strings"

	"ccms/internal/card"
)

// A match is a number in a stream.
type match struct {
	offset int64
	size   int         // in bytes
	number card.Number // wiped once it was reported
	form   string      // how it is written, "" for digits
}

// A finder looks for card numbers in bytes, whatever they are.
type finder struct {
	report func(match)
	base   int64 // of the bytes at hand, in their stream
	// No number is looked for that begins before these, in the bytes at hand.
	done, decoded int
	long          bool // done is in the midst of more digits than a number has
	run           run
}

// Sizes of what is at hand of a stream. A number, in its longest form, is
// shorter than lookAhead.
const (
	bufferSize = 256 << 10
	lookAhead  = 512
)

// stream searches all of r in buf, whose size bounds the memory needed. Its
// error is that of r.
func (f *finder) stream(r io.Reader, buf []byte) error {
	f.base, f.done, f.decoded, f.long = 0, 0, 0, false
	filled := 0
	for {
		n, err := io.ReadFull(r, buf[filled:])
		filled += n
		ended := err != nil
		f.search(buf[:filled], ended)
		if ended {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil
			}
			return err
		}
		keep := max(0, min(f.done, f.decoded)-lookBack)
		f.base += int64(keep)
		f.done -= keep
		f.decoded -= keep
		filled = copy(buf, buf[keep:filled])
	}
}

// text searches bytes that are all there is.
func (f *finder) text(b []byte) {
	f.base, f.done, f.decoded, f.long = 0, 0, 0, false
	f.search(b, true)
}

// search looks for numbers that begin behind done, up to where the last may
// not be whole yet.
func (f *finder) search(b []byte, ended bool) {
	limit := len(b)
	if !ended {
		limit -= lookAhead
	}
	f.plain(b, limit)
	f.encoded(b, limit)
}

// plain looks for all forms but base64.
func (f *finder) plain(b []byte, limit int) {
	i := f.done
	if f.long {
		i = f.pastDigits(b, i)
	}
	for i < limit {
		if i = nextDigit(b, i, limit); i < limit {
			i = f.at(b, i)
		}
	}
	f.done = i
}

// at looks for a number that begins with the digit at b[i], and returns where
// to go on.
func (f *finder) at(b []byte, i int) int {
	if end := shortRun(b, i); end > 0 {
		return end
	}
	r := &f.run
	readRun(b, i, r)
	defer clear(r.digits[:])
	if r.groups[0].sum > maxDigits {
		return f.pastDigits(b, r.groups[0].to)
	}
	if r.n < minDigits {
		return r.end()
	}
	n, k := r.number(b)
	switch {
	case k > 0:
		end := r.groups[k-1].to
		f.report(match{offset: f.base + int64(i), size: end - i, number: n, form: formOf(b[i:end])})
		n.Wipe()
		return end
	case r.count > 1:
		return r.groups[1].from
	}
	return r.end()
}

// shortRun returns the end of the run at b[i] if it has too few digits for a
// number, as nearly all have, and 0 if it has enough or takes a closer look.
func shortRun(b []byte, i int) int {
	digits := 0
	for ; i < len(b); i++ {
		switch classes[b[i]] {
		case digit:
			if digits++; digits == minDigits {
				return 0
			}
		case gap:
			if i+1 == len(b) || classes[b[i+1]] == other {
				return i + 1
			}
			if classes[b[i+1]] != digit {
				return 0
			}
		case escape:
			return 0
		default:
			if b[i] == 0 {
				return 0
			}
			return i
		}
	}
	return i
}

// pastDigits returns the end of the digits at b[i], and remembers when there may
// be more of them behind b.
func (f *finder) pastDigits(b []byte, i int) int {
	i = endOfDigits(b, i)
	f.long = i == len(b)
	return i
}

func endOfDigits(b []byte, i int) int {
	for i < len(b) && classes[b[i]] == digit {
		i++
	}
	return i
}

// formOf names how a number is written.
func formOf(b []byte) string {
	switch text := string(b); {
	case strings.Contains(text, "\x00"):
		return "UTF-16"
	case strings.ContainsAny(text, "%\\&"):
		return "escaped"
	}
	return ""
}
