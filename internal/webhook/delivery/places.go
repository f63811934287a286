package delivery

// places are those for calls under way. Half of them are for endpoints that are
// quick or were never called, and a call keeps such a place for as long as
// Config.Slow at most: then it is moved to the other half, where every endpoint
// is from then on until it was quick once. So who keeps places long takes none
// from who does not, however many they are; and of the quick half a firm has so
// many at most, however many endpoints it has.
type places struct {
	half, perFirm int
	quick, slow   int            // taken
	firms         map[string]int // taken of the quick half
}

func newPlaces(c Config) places {
	return places{half: max(1, c.Parallel/2), perFirm: c.PerFirm, firms: map[string]int{}}
}

// free reports whether a lane may make a call now.
func (p *places) free(l *lane) bool {
	if l.slow {
		return p.slow < p.half
	}
	return p.quick < p.half && p.firms[l.firm] < p.perFirm
}

// place is what a call under way keeps.
type place struct {
	lane *lane
	slow bool // it is one of the slow half
	late bool // it was moved there, or would have been
}

// take takes a place that is free.
func (p *places) take(l *lane) *place {
	held := &place{lane: l, slow: l.slow}
	p.count(held, 1)
	return held
}

// late moves a call that lasts to the slow half. That may be full: then nobody
// of it begins another until the calls too many have ended.
func (p *places) late(held *place) {
	p.count(held, -1)
	held.slow, held.late, held.lane.slow = true, true, true
	held.lane.late++
	p.count(held, 1)
}

// give gives a place back. An endpoint is slow until a call is quick and none
// lasts.
func (p *places) give(held *place) {
	p.count(held, -1)
	if held.late {
		held.lane.late--
		return
	}
	held.lane.slow = held.lane.late > 0
}

func (p *places) count(held *place, n int) {
	if held.slow {
		p.slow += n
		return
	}
	p.quick += n
	if p.firms[held.lane.firm] += n; p.firms[held.lane.firm] == 0 {
		delete(p.firms, held.lane.firm)
	}
}
