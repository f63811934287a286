package main

import "math/rand/v2"

// The routes that are in the mix beside those measured.
const (
	readCard = "GET /v1/cards/{token}"
	status   = "GET /status/{registration_id}"
	login    = "POST /login/subsequent"
)

// share of a route in the mix, and what it computes in microseconds: what was
// measured with 64 clients; for reads, which were not, as much as an
// introspection, and for a login what a token takes beside its hash.
type share struct {
	route   string
	part    float64
	compute float64
	writes  int // it waits for, one behind the other; the first is its record
	reads   int // of documents
	record  float64
	atLogin bool // of the login service
}

func mix() []share {
	return []share{
		{route: readCard, part: .45, compute: 63, reads: 1},
		{route: introspect, part: .25, compute: 63, atLogin: true},
		{route: status, part: .15, compute: 63, reads: 1},
		{route: reveal, part: .07, compute: 161, writes: 1, reads: 1, record: 730},
		{route: grant, part: .05, compute: 282, writes: 1, record: 544, atLogin: true},
		{route: register, part: .02, compute: 377, writes: 3, record: 741},
		{route: login, part: .01, compute: 282, writes: 2, reads: 1, record: 600, atLogin: true},
	}
}

// assumed is what was not measured; microseconds.
type assumed struct {
	majority float64 // until a majority has a write in its journal
	network  float64 // to a server of the database and back
	document float64 // computing of a server for a document read or written
	hash     float64 // of a password, bcrypt with cost 10
	cores    int     // of an instance
	server   int     // cores of a server of the database
	busy     float64 // share of the cores that is planned for
}

func assumptions() assumed {
	return assumed{majority: 3000, network: 500, document: 100, hash: 100_000, cores: 4, server: 8, busy: .6}
}

// need is how many cores of a service a rate takes, without hashes.
func need(rate float64, atLogin bool) float64 {
	sum := 0.0
	for _, s := range mix() {
		if s.atLogin == atLogin {
			sum += s.part * s.compute
		}
	}
	return rate * sum / 1e6
}

// instances for that many cores, two at least.
func instances(cores float64, a assumed) int {
	return max(2, int(cores/(float64(a.cores)*a.busy))+1)
}

// site is a region: instances of both services, and shards of the database, on
// the first of which are the collections that cannot be sharded.
type site struct {
	*clock
	a      assumed
	rng    *rand.Rand
	cards  []instance
	logins []instance
	shards []*journal
	times  answers
}

type instance struct {
	cpu *cores
	log *chain
}

func newSite(a assumed, rate float64, shards int) *site {
	s := &site{clock: new(clock), a: a, rng: rand.New(rand.NewPCG(9, 7)), times: answers{}}
	for range shards {
		s.shards = append(s.shards, &journal{clock: s.clock, on: &cores{clock: s.clock, free: a.server}, each: a.document, sync: a.majority, calls: 1, together: true})
	}
	some := func(n int) (all []instance) {
		for range n {
			mine := s.shards[s.rng.IntN(shards)] // a chain's documents lie together
			log := &chain{clock: s.clock, write: func(then func()) { s.in(a.network, func() { mine.write(then) }) }}
			all = append(all, instance{&cores{clock: s.clock, free: a.cores}, log})
		}
		return all
	}
	s.cards, s.logins = some(instances(need(rate, false), a)), some(instances(need(rate, true), a))
	return s
}

// request goes through its steps: compute, read, compute and write in turns.
func (s *site) request(of share) {
	all := s.cards
	if of.atLogin {
		all = s.logins
	}
	at := all[s.rng.IntN(len(all))]
	part := of.compute / float64(of.writes+of.reads+1)
	began := s.now
	var step func(reads, writes int)
	step = func(reads, writes int) {
		at.cpu.use(part, true, func() {
			switch {
			case reads > 0:
				s.in(s.a.network, func() { s.shards[0].on.use(s.a.document, true, func() { step(reads-1, writes) }) })
			case writes == of.writes && writes > 0:
				at.log.record(func() { step(0, writes-1) })
			case writes > 0:
				s.in(s.a.network, func() { s.shards[s.rng.IntN(len(s.shards))].write(func() { step(0, writes-1) }) })
			default:
				if of.writes > 0 {
					at.log.outcome()
				}
				s.times[of.route] = append(s.times[of.route], s.now-began)
			}
		})
	}
	step(of.reads, of.writes)
}

// load has requests come at a rate, independently of each other, for a while.
func (s *site) load(rate, seconds float64) {
	var next func()
	next = func() {
		left := s.rng.Float64()
		for _, m := range mix() {
			if left -= m.part; left < 0 {
				s.request(m)
				break
			}
		}
		s.in(s.rng.ExpFloat64()*1e6/rate, next)
	}
	next()
	s.run(seconds * 1e6)
}
