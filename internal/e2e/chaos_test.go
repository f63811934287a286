//go:build chaos

package e2e

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mongoPIDEnv is the process of the database, to be paused. Nothing else is done
// to it: it keeps everything in memory.
const mongoPIDEnv = "CCMS_CHAOS_MONGO_PID"

// TestFaultsOfADeployment starts two of each service, each a process of its own,
// on one database, and lets happen under load what happens to processes and
// networks. What was acknowledged must be there, every refusal must be the
// contract's, and all must be well again by itself. In the end every write of
// which nobody knew what became is sent again under its key: it is there once.
func TestFaultsOfADeployment(t *testing.T) {
	s := startSite(t)
	tr := s.traffic()
	for _, f := range append(append(s.kindsKilled(), s.kindsPaused()...), s.linksBroken()...) {
		t.Run(f.name+" "+f.between, func(t *testing.T) { tr.suffer(t, f) })
	}
	tr.prepare()
	open, slowest := tr.settle()
	t.Logf("%d orders, of which %d were not acknowledged at once; they settled within %v", len(tr.orders), open, slowest)
}

// traffic is load on the portals of s.
func (s *site) traffic() *traffic {
	view := s.view()
	return newTraffic(s.t, s.client(), view, &process{dir: s.logins[0].dir, urls: view.urls})
}

// kindsKilled are kill -9 of one and of both instances of each kind, and of
// pairs of kinds.
func (s *site) kindsKilled() []fault {
	var all []fault
	add := func(between string, portals bool, victims ...*runner) {
		all = append(all, fault{
			name: "kill -9", between: between, lasts: lasting(s.t), noAnswer: portals,
			begin: func() { s.kills(victims) },
			end:   func() time.Time { return s.restarts(victims) },
		})
	}
	add("one eureka", false, s.eurekas[0])
	add("one login", false, s.logins[0])
	add("one creditcard", false, s.cards[0])
	add("one portal", true, s.portals[0])
	add("both eurekas", false, s.eurekas...)
	add("both logins", false, s.logins...)
	add("both creditcards", false, s.cards...)
	add("both portals", true, s.portals...)
	add("a login and a creditcard", false, s.logins[1], s.cards[1])
	add("a eureka and a portal", true, s.eurekas[1], s.portals[1])
	add("both eurekas and a login", false, s.eurekas[0], s.eurekas[1], s.logins[0])
	return all
}

// kindsPaused are SIGSTOP and SIGCONT of each kind, and of the database.
func (s *site) kindsPaused() []fault {
	var all []fault
	add := func(between string, portals bool, pids ...func() int) {
		send := func(signal syscall.Signal) {
			for _, pid := range pids {
				if err := syscall.Kill(pid(), signal); err != nil {
					s.t.Errorf("%v: %v", signal, err)
				}
			}
		}
		all = append(all, fault{
			name: "paused", between: between, lasts: max(10*time.Second, lasting(s.t)), noAnswer: portals,
			begin: func() { send(syscall.SIGSTOP) },
			end:   func() time.Time { send(syscall.SIGCONT); return time.Now() },
		})
	}
	pid := func(m *runner) func() int { return func() int { return m.cmd.Process.Pid } } // which a restart changes
	for i, kind := range [][]*runner{s.eurekas, s.logins, s.cards, s.portals} {
		name := []string{"eureka", "login", "creditcard", "portal"}[i]
		add("one "+name, name == "portal", pid(kind[1]))
	}
	add("both logins", false, pid(s.logins[0]), pid(s.logins[1]))
	add("both creditcards", false, pid(s.cards[0]), pid(s.cards[1]))
	add("both eurekas", false, pid(s.eurekas[0]), pid(s.eurekas[1]))
	if mongo, err := strconv.Atoi(os.Getenv(mongoPIDEnv)); err == nil {
		add("mongo", false, func() int { return mongo })
	} else {
		s.t.Logf("NOT RUN: the database is not paused, because %s does not name its process", mongoPIDEnv)
	}
	return all
}

// linksBroken are the ways in which a network fails, between each pair.
func (s *site) linksBroken() []fault {
	var all []fault
	for _, way := range []struct {
		name string
		does func(*proxy)
	}{
		{"packets lost", (*proxy).drop},
		{"accepted, no answer", (*proxy).stall},
		{"reset", func(p *proxy) { p.turn(weather{reset: true}) }},
		{"300 ms each way", func(p *proxy) { p.turn(weather{delay: 300 * time.Millisecond}) }},
		{"16 KiB/s", func(p *proxy) { p.turn(weather{rate: 16 << 10}) }},
	} {
		for _, between := range s.partings() {
			links := s.between(between)
			all = append(all, fault{
				name: way.name, between: between, lasts: lasting(s.t),
				begin: func() {
					for _, p := range links {
						way.does(p)
					}
				},
				end: func() time.Time {
					for _, p := range links {
						p.mend()
					}
					return time.Now()
				},
			})
		}
	}
	return all
}

// partings are what is broken: every pair of kinds that has a link, all services
// parted from the registries at once, and a single process from the database
// that the other one has.
func (s *site) partings() []string {
	return append(slices.Sorted(maps.Keys(s.links)), "services→eureka", "one login→mongo", "one creditcard→mongo")
}

// between are the links of a pair of kinds.
func (s *site) between(pair string) []*proxy {
	if kinds, single := strings.CutPrefix(pair, "one "); single {
		return s.links[kinds][:1]
	}
	var all []*proxy
	for name, links := range s.links {
		if name == pair || pair == "services→eureka" && strings.HasSuffix(name, "→eureka") && name != "eureka→eureka" {
			all = append(all, links...)
		}
	}
	if len(all) == 0 {
		s.t.Fatalf("there is no link %s", pair)
	}
	return all
}
