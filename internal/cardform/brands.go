package cardform

import (
	"slices"
	"strings"

	"ccms/internal/card"
)

// accepts reports whether the firm takes cards of one of brands. A card of
// another brand would be rejected, and the link used up by it: better to say so
// before.
func (k link) accepts(brands []card.Brand) bool {
	return len(k.Brands) == 0 || slices.ContainsFunc(brands, func(b card.Brand) bool { return slices.Contains(k.Brands, b.ID) })
}

// accepted are the names of the brands the firm takes, in the order of the
// table; "" where it takes all.
func (k link) accepted() string {
	var names []string
	for _, b := range card.Default().Brands() {
		if slices.Contains(k.Brands, b.ID) {
			names = append(names, b.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return isolate(strings.Join(names, ", "))
}
