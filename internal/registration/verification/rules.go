package verification

import (
	"cmp"
	"fmt"
	"slices"

	"ccms/internal/card"
	"ccms/internal/problem"
)

// Reaction is what happens to a registration that goes too fast or looks like
// a search for numbers.
type Reaction string

// The reactions; the empty one is Flag (decision D4).
const (
	Flag   Reaction = "flag"   // it goes on and is audited
	Refuse Reaction = "refuse" // it is rejected
)

const (
	maxBrands = 64
	maxBINs   = 2000 // in each list
)

// Rules are the part of a firm's settings that this package reads, as Adopt
// returns them. The zero Rules accept every card and flag what is suspicious.
type Rules struct {
	// Brands are accepted, by name, id or alias; none means all. A card of
	// several brands is accepted for any of them.
	Brands []string `json:"brands,omitempty" bson:"brands,omitempty"`
	// BINAllow and BINDeny are prefixes of 6 to 8 digits, sorted. Deny wins; an
	// empty BINAllow allows all.
	BINAllow []string `json:"bin_allow,omitempty" bson:"binAllow,omitempty"`
	BINDeny  []string `json:"bin_deny,omitempty" bson:"binDeny,omitempty"`
	// Velocity is the reaction to one card 10 times a day, or 100 cards of one
	// client within a minute.
	Velocity Reaction `json:"velocity,omitzero" bson:"velocity,omitempty"`
	// BINWalk is the reaction to a client who tries many numbers of one BIN.
	BINWalk Reaction `json:"bin_walk,omitzero" bson:"binWalk,omitempty"`
	// Endpoint is the firm's own, asked last; nil for none.
	Endpoint *Endpoint `json:"endpoint,omitzero" bson:"endpoint,omitempty"`
}

// WantsCode reports whether the security code is asked for: only then may it be
// held (decision C11b).
func (r Rules) WantsCode() bool { return r.Endpoint != nil && r.Endpoint.SendCode }

// Stated is r with what holds where nothing was set.
func (r Rules) Stated() Rules {
	r.Velocity, r.BINWalk = cmp.Or(r.Velocity, Flag), cmp.Or(r.BINWalk, Flag)
	return r
}

// Validate checks the shape of all but the endpoint, which only a Pipeline can
// check: use Adopt. Its error is 400 VALIDATION_ERROR.
func (r Rules) Validate() error {
	if len(r.Brands) > maxBrands || slices.ContainsFunc(r.Brands, unknownBrand) {
		return problem.Validation("Name known card brands in brands, such as Visa.")
	}
	for list, bins := range map[string][]string{"bin_allow": r.BINAllow, "bin_deny": r.BINDeny} {
		if len(bins) > maxBINs || slices.ContainsFunc(bins, badBIN) {
			return problem.Validation(fmt.Sprintf("Give %s at most %d prefixes of 6 to 8 digits.", list, maxBINs))
		}
	}
	for _, how := range []Reaction{r.Velocity, r.BINWalk} {
		if how != "" && how != Flag && how != Refuse {
			return problem.Validation(`Set velocity and bin_walk to "flag" or "refuse".`)
		}
	}
	return nil
}

func unknownBrand(name string) bool {
	return !slices.ContainsFunc(card.Default().Brands(), func(b card.Brand) bool { return b.Named(name) })
}

func badBIN(bin string) bool {
	return len(bin) < 6 || len(bin) > 8 || slices.ContainsFunc([]byte(bin), func(c byte) bool { return c < '0' || c > '9' })
}
