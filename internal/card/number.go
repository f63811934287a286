package card

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// errNotEncoded refuses binary encodings, in which a masked number would pass
// for a real one.
var errNotEncoded = errors.New("card: refusing to encode a card number")

// Number is a valid card number. Under every verb and text encoding it shows as
// Masked; two pointers keep formatters from the digits where they call no
// methods (see package secret). Copies share the digits; the zero Number has
// none.
type Number struct{ n **number }

type number struct {
	digits []byte
	brands []Brand
}

// Parse reads a card number by the built-in table; see Table.Parse.
func Parse(input string) (Number, error) { return Default().Parse([]byte(input)) }

// Parse reads a card number: ASCII digits with any spaces and hyphens between
// them. It is valid when the table knows its brand, its length is one of the
// brand's, and, where the brand has it, the Luhn check holds (decision C2);
// else the error is an ErrNumber. It keeps no reference to input.
func (t *Table) Parse(input []byte) (Number, error) {
	digits, err := onlyDigits(input)
	if err != nil {
		return Number{}, err
	}
	found := t.find(digits)
	if err := check(digits, found); err != nil {
		clear(digits)
		return Number{}, err
	}
	n := &number{digits: digits}
	for _, r := range found {
		if slices.Contains(r.series.lengths, len(digits)) {
			n.brands = append(n.brands, t.brands[r.brand])
		}
	}
	return Number{&n}, nil
}

// onlyDigits copies the digits of input. Separators may not begin or end it.
func onlyDigits(input []byte) ([]byte, error) {
	digits := make([]byte, 0, maxDigits)
	for i, c := range input {
		switch {
		case isDigit(c) && len(digits) < maxDigits:
			digits = append(digits, c)
			continue
		case (c == ' ' || c == '-') && i > 0 && i < len(input)-1:
			continue
		}
		clear(digits)
		return nil, ErrNumber
	}
	if len(digits) < minDigits {
		clear(digits)
		return nil, ErrNumber
	}
	return digits, nil
}

func check(digits []byte, found []rule) error {
	switch {
	case len(found) == 0:
		return badNumber("The number belongs to no card brand that is accepted here.")
	case !slices.Contains(found[0].series.lengths, len(digits)):
		return badNumber("The number has too many or too few digits for its brand.")
	case found[0].series.luhn && !Luhn(digits):
		return badNumber("The check digit does not fit; look for a typing error.")
	}
	return nil
}

// Claim returns the brand that the first digits of a number tell, and whether
// the number is too short (-1) or too long (1) for it: for telling a person what
// to mend in a number that Parse refused. ok is false for what no brand claims.
func (t *Table) Claim(number []byte) (b Brand, misfit int, ok bool) {
	if !allDigits(number) {
		return Brand{}, 0, false
	}
	found := t.find(number)
	if len(found) == 0 {
		return Brand{}, 0, false
	}
	lengths := found[0].series.lengths
	switch {
	case slices.Contains(lengths, len(number)):
	case len(number) < slices.Max(lengths):
		misfit = -1
	default:
		misfit = 1
	}
	return t.brands[found[0].brand], misfit, true
}

// Luhn is the check of ISO/IEC 7812-1 annex B on ASCII digits: from the right, every
// second one is doubled, less nine when above nine, and the sum ends in zero.
func Luhn(digits []byte) bool {
	sum := 0
	for i, c := range digits {
		d := int(c - '0')
		if (len(digits)-i)%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// Digits returns the digits themselves, not a copy; nil after Wipe.
func (n Number) Digits() []byte {
	if n.n == nil {
		return nil
	}
	return (*n.n).digits
}

// Brand is the scheme the number belongs to.
func (n Number) Brand() Brand {
	if n.n == nil {
		return Brand{}
	}
	return (*n.n).brands[0]
}

// Brands are all schemes that claim the number, Brand first: more than one on
// co-badged cards.
func (n Number) Brands() []Brand {
	if n.n == nil {
		return nil
	}
	return slices.Clone((*n.n).brands)
}

// BIN is the first six digits. Six and the last four are what PCI DSS 3.4.1
// lets be shown and what may be kept beside a sealed number.
func (n Number) BIN() string {
	d := n.Digits()
	return string(d[:min(6, len(d))])
}

// Last4 is the last four digits.
func (n Number) Last4() string {
	d := n.Digits()
	return string(d[max(0, len(d)-4):])
}

// Masked is one asterisk for each hidden digit and the last four digits:
// "************1111".
func (n Number) Masked() string {
	return strings.Repeat("*", max(0, len(n.Digits())-4)) + n.Last4()
}

// Wipe overwrites the digits of every copy with zeros and forgets them. Brand
// stays.
func (n Number) Wipe() {
	if n.n == nil {
		return
	}
	clear((*n.n).digits)
	(*n.n).digits = nil
}

// String implements fmt.Stringer with Masked.
func (n Number) String() string { return n.Masked() }

// GoString implements fmt.GoStringer with Masked.
func (n Number) GoString() string { return n.Masked() }

// Format implements fmt.Formatter with Masked for every verb.
func (n Number) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, n.Masked()) }

// MarshalText implements encoding.TextMarshaler with Masked; slog, JSON and
// XML use it.
func (n Number) MarshalText() ([]byte, error) { return []byte(n.Masked()), nil }

// MarshalBinary refuses, so that no codec stores a number by accident.
func (Number) MarshalBinary() ([]byte, error) { return nil, errNotEncoded }
