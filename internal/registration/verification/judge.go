package verification

import (
	"slices"

	"ccms/internal/card"
)

// perCardDay is the registration of a card, within a day, from which on it is
// suspicious (decision G).
const perCardDay = 10

// Judge applies the built-in rules. It works in memory, takes microseconds, and
// is called within the request. What it notices stands in Flags even when
// another rule rejects; a registration that velocity or BINWalk refuses does
// not count towards the next, so a client who slows down gets through again.
// Registrations that pass are Pending where the firm has an endpoint, else
// Verified.
func (p *Pipeline) Judge(c Case) Verdict {
	v := Verdict{Status: Verified, CVVStatus: CodeUnchecked}
	if c.Rules.Endpoint != nil {
		v.Status = Pending
	}
	now := p.now()
	who := client{c.FirmID, c.ClientID}
	v.notice(VelocityCard, c.RegisteredToday >= perCardDay, c.Rules.Velocity)
	v.notice(VelocityClient, p.pace.over(who, now, c.Rules.Velocity), c.Rules.Velocity)
	v.notice(BINWalk, p.walk.over(who, c.Number, now, c.Rules.BINWalk), c.Rules.BINWalk)
	if reason := c.Rules.refusal(c.Number); reason != "" {
		v.Status, v.Reason = Rejected, reason
	}
	p.metrics.judged(v)
	return v
}

// notice flags what a rule found, and rejects where the firm says so.
func (v *Verdict) notice(word string, found bool, how Reaction) {
	if !found {
		return
	}
	v.Flags = append(v.Flags, word)
	if how == Refuse && v.Status != Rejected {
		v.Status, v.Reason = Rejected, word
	}
}

// refusal is why the firm's lists refuse a number, "" when they do not.
func (r Rules) refusal(n card.Number) string {
	switch digits := n.Digits(); {
	case !r.accepts(n.Brands()):
		return BrandNotAccepted
	case under(r.BINDeny, digits):
		return BINDenied
	case len(r.BINAllow) > 0 && !under(r.BINAllow, digits):
		return BINNotAllowed
	}
	return ""
}

func (r Rules) accepts(brands []card.Brand) bool {
	return len(r.Brands) == 0 || slices.ContainsFunc(brands, func(b card.Brand) bool {
		return slices.ContainsFunc(r.Brands, b.Named)
	})
}

// under searches a list as Adopt sorts it.
func under(prefixes []string, digits []byte) bool {
	for n := 6; n <= 8 && n <= len(digits); n++ {
		if _, found := slices.BinarySearchFunc(prefixes, digits[:n], compare); found {
			return true
		}
	}
	return false
}

// compare is strings.Compare without a copy of the digits.
func compare(prefix string, digits []byte) int {
	for i := range min(len(prefix), len(digits)) {
		if prefix[i] != digits[i] {
			return int(prefix[i]) - int(digits[i])
		}
	}
	return len(prefix) - len(digits)
}
