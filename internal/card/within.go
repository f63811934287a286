package card

import "slices"

// Within reports whether text holds what is a card number: 12 to 19 digits
// that fit a brand, its length and the Luhn check (also where the brand does
// without it, decision D2). They stand in one run, or in groups as the brand
// prints them with one space or hyphen between two. Text in the shape of a UUID
// is passed over.
func (t *Table) Within(text string) bool {
	if !mayHoldRun(text) {
		return false
	}
	rest := 0
	for _, at := range uuids(text) {
		if t.withinPart(text[rest:at[0]]) {
			return true
		}
		rest = at[1]
	}
	return t.withinPart(text[rest:])
}

// group is a run of digits of a text, and what stands between it and the one
// before: a single space or hyphen, or 0 for anything else.
type group struct {
	from, to int
	gap      byte
}

func (t *Table) withinPart(s string) bool {
	groups := digitGroups(s)
	var digits [maxDigits]byte
	defer clear(digits[:])
	for i := range groups {
		n := 0
		for j := i; j < len(groups) && (j == i || groups[j].gap != 0 && groups[j].gap == groups[i+1].gap); j++ {
			g := s[groups[j].from:groups[j].to]
			if n+len(g) > maxDigits {
				break
			}
			n += copy(digits[n:], g)
			if n >= minDigits && t.prints(digits[:n], groups[i:j+1]) {
				return true
			}
		}
	}
	return false
}

// digitGroups finds the runs of digits in s.
func digitGroups(s string) []group {
	var groups []group
	for i := 0; i < len(s); {
		if !isDigit(s[i]) {
			i++
			continue
		}
		g := group{from: i}
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		g.to = i
		if last := len(groups) - 1; last >= 0 && groups[last].to == g.from-1 && (s[g.from-1] == ' ' || s[g.from-1] == '-') {
			g.gap = s[g.from-1]
		}
		groups = append(groups, g)
	}
	return groups
}

// prints reports whether digits are a number that a brand prints in groups of
// these lengths; one group is how every brand may be written.
func (t *Table) prints(digits []byte, groups []group) bool {
	if !Luhn(digits) {
		return false
	}
	for _, r := range t.find(digits) {
		if slices.Contains(r.series.lengths, len(digits)) && (len(groups) == 1 || inGroups(groups, t.brands[r.brand].Groups)) {
			return true
		}
	}
	return false
}

// inGroups reports whether groups have the brand's lengths. Only the last may
// differ: it is shorter on a short number, and longer, or one more, on a long
// one.
func inGroups(groups []group, lengths []int) bool {
	last := len(groups) - 1
	if last > len(lengths) {
		return false
	}
	for i, g := range groups[:last] {
		if g.to-g.from != lengths[i] {
			return false
		}
	}
	return true
}
