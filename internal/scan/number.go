package scan

import (
	"bytes"

	"ccms/internal/card"
)

// Bounds of a card number (ISO/IEC 7812-1; 12 is the shortest Maestro).
const (
	minDigits = 12
	maxDigits = 19
	// oddlyGrouped is from where on groups may have any lengths: shorter numbers
	// are ranges and telephone numbers more often than cards.
	oddlyGrouped = 15
)

// A run is what begins at one digit: groups of digits with one gap between two,
// as far as a number can reach.
type run struct {
	digits [maxDigits + 1]byte
	n      int // of digits
	groups [maxDigits + 1]group
	count  int  // of groups
	cut    bool // the last group may have more digits than it says
	before byte // the gap between this and a digit before it, else 0
}

// A group is digits without a gap.
type group struct {
	from, to int  // in bytes
	sum      int  // of its digits and those of the groups before
	gap      byte // behind it, where another digit follows, else 0
}

func (r *run) end() int { return r.groups[r.count-1].to }

// readRun reads the run that begins at b[i]. In UTF-16, of either byte order, a
// zero stands between two characters.
func readRun(b []byte, i int, r *run) {
	next := element
	if i+2 < len(b) && b[i+1] == 0 && classes[b[i+2]] != other {
		next = wideElement
	}
	r.n, r.count, r.cut, r.before = 0, 0, false, gapBefore(b, i)
	g := group{from: i}
	for i < len(b) {
		c, size := next(b, i)
		if classes[c] == digit && r.n == len(r.digits) {
			r.cut = true
			break
		}
		if classes[c] == digit {
			r.digits[r.n] = c
			r.n++
			i += size
			continue
		}
		if size == 0 || i == g.from || i+size >= len(b) || r.n == len(r.digits) {
			break
		}
		if d, _ := next(b, i+size); classes[d] != digit {
			break
		}
		g.to, g.sum, g.gap = i, r.n, c
		r.groups[r.count] = g
		r.count++
		i += size
		g = group{from: i}
	}
	g.to, g.sum = i, r.n
	r.groups[r.count] = g
	r.count++
}

// wideElement is element in UTF-16, seen from the byte that is not zero.
func wideElement(b []byte, i int) (c byte, size int) {
	switch c = b[i]; {
	case classes[c] != digit && classes[c] != gap:
		return 0, 0
	case i+1 < len(b) && b[i+1] != 0:
		return c, 1 // the last one, when the zero stands before
	}
	return c, 2
}

// gapBefore returns the gap between the digit at b[i] and one before it.
func gapBefore(b []byte, i int) byte {
	if i >= 2 && classes[b[i-1]] == gap && classes[b[i-2]] == digit {
		return b[i-1]
	}
	return 0
}

// number returns the card number that the run begins with, and of how many
// groups it is; none is 0. The caller wipes the number. Luhn comes first, and also
// where a brand does without it: nine of ten numbers end with it.
func (r *run) number(b []byte) (card.Number, int) {
	for k := r.count; k > 0; k-- {
		digits := r.digits[:min(r.groups[k-1].sum, len(r.digits))]
		if len(digits) < minDigits || len(digits) > maxDigits || k == r.count && r.cut || !card.Luhn(digits) {
			continue
		}
		n, err := card.Default().Parse(digits)
		if err != nil {
			continue
		}
		from, to := r.groups[0].from, r.groups[k-1].to
		if r.written(k, n.Brand()) && !inIdentifier(b, from, to) && (k == 1 || !inTable(b, from, to)) && !repeated(digits) {
			return n, k
		}
		n.Wipe()
	}
	return card.Number{}, 0
}

// repeated reports whether all digits are the same: so are no card's, but filler's.
func repeated(digits []byte) bool {
	return len(bytes.Trim(digits, string(digits[:1]))) == 0
}

// written reports whether the first k groups look like a card number on paper
// or in a file: without gaps, in the brand's groups or in fours, or, if it is
// long and nothing else stands beside it, in any groups with one kind of gap.
func (r *run) written(k int, brand card.Brand) bool {
	gaps := r.groups[0].gap
	same := true
	for _, g := range r.groups[:k-1] {
		same = same && g.gap == gaps
	}
	switch {
	case k == 1:
		return r.before != '.' && (gaps != '.' || r.isWhole())
	case !same && (r.has('.', k) || r.has('+', k)):
		return false
	case r.inGroups(k, brand.Groups), r.inGroups(k, []int{4, 4, 4, 4}):
		return true
	}
	return same && (gaps == ' ' || gaps == '-') && k == r.count && r.before == 0 && r.n >= oddlyGrouped
}

func (r *run) has(c byte, k int) bool {
	for _, g := range r.groups[:k-1] {
		if g.gap == c {
			return true
		}
	}
	return false
}

// isWhole reports whether nothing but zeros follow the point behind the first
// group: spreadsheets and data frames write numbers like that. Other numbers
// with a point are measures.
func (r *run) isWhole() bool {
	for _, c := range r.digits[r.groups[0].sum:r.groups[1].sum] {
		if c != '0' {
			return false
		}
	}
	return r.count == 2 && !r.cut
}

// inGroups reports whether the first k groups have these lengths. Only the last
// may differ: shorter on a short number; longer, or one more, on a long one.
func (r *run) inGroups(k int, lengths []int) bool {
	if k-1 > len(lengths) {
		return false
	}
	sum := 0
	for i, g := range r.groups[:k-1] {
		if g.sum-sum != lengths[i] {
			return false
		}
		sum = g.sum
	}
	return true
}
