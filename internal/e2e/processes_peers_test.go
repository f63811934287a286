//go:build peers || chaos

package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// cluster is the product as it runs in production: two of each service,
// processes of their own, on one MongoDB.
type cluster struct {
	t       testing.TB
	dir     string
	flags   map[string][]string // by command, and by folder what one process has alone
	eurekas []*runner
	logins  []*runner
	cards   []*runner
	portals []*runner
}

// runner is one process of it.
type runner struct {
	*process
	command string
	url     string
}

var listening = regexp.MustCompile(`listens on (http\S+)\s+ready`)

func startCluster(t testing.TB) *cluster {
	at, _ := database(t)
	c := &cluster{t: t, dir: t.TempDir(), flags: map[string][]string{}}
	keys := filepath.Join(c.dir, "keys")
	if out, err := exec.Command(binary, "keys", "init", "--out", keys).CombinedOutput(); err != nil {
		t.Fatalf("keys init: %v\n%s", err, out)
	}
	all := []string{"--internal.credential-file", filepath.Join(keys, "internal")}
	c.flags["eureka"] = append(anyPort("eureka"), all...)
	var registries []string
	for i := range 2 {
		m := c.launch("eureka", fmt.Sprint("eureka", i))
		m.ready(t)
		c.eurekas = append(c.eurekas, m)
		registries = append(registries, m.url+"/eureka/")
	}
	all = append(all, "--eureka.urls", strings.Join(registries, ","), "--public-url", "http://localhost:5000")
	stored := append(onMongo(at), all...)
	c.flags["login"] = append(append(anyPort("login"), "--keyring.url", "file:"+filepath.Join(keys, "login.key"),
		"--login.rate-per-address", "1000000", "--login.rate-per-network", "1000000"), stored...)
	c.flags["creditcard"] = append(append(anyPort("creditcard"), "--keyring.url", "file:"+filepath.Join(keys, "creditcard.key")), stored...)
	c.flags["portal"] = append(anyPort("portal"), all...)
	// All at once, as after a power cut: the first start makes keys in the store.
	for i := range 2 {
		c.logins = append(c.logins, c.launch("login", fmt.Sprint("login", i)))
		c.cards = append(c.cards, c.launch("creditcard", fmt.Sprint("creditcard", i)))
		c.portals = append(c.portals, c.launch("portal", fmt.Sprint("portal", i)))
	}
	for _, m := range slices.Concat(c.logins, c.cards, c.portals) {
		m.ready(t)
	}
	return c
}

// members are all processes.
func (c *cluster) members() []*runner {
	var all []*runner
	for i := range c.logins {
		all = append(all, c.logins[i], c.eurekas[i], c.cards[i], c.portals[i])
	}
	return all
}

// launch starts a process in a folder of its own.
func (c *cluster) launch(command, folder string) *runner {
	m := &runner{command: command, process: launch(filepath.Join(c.dir, folder), command, slices.Concat(c.flags[command], c.flags[folder])...)}
	c.t.Cleanup(func() {
		if err := m.stop(); err != nil && !m.killed() {
			c.t.Errorf("%s: %v", folder, err)
		}
	})
	return m
}

func (m *runner) ready(t testing.TB) { m.url = m.await(t, listening) }

// killed reports whether the process, which has ended, was killed.
func (m *runner) killed() bool { return !m.cmd.ProcessState.Exited() }

// restart starts a process again that was killed.
func (c *cluster) restart(m *runner) {
	again := c.launch(m.command, filepath.Base(m.dir))
	again.ready(c.t)
	m.process, m.url = again.process, again.url
}

// edge is how clients reach the portals: the balancer in front of them that
// leaves one that refuses out, and repeats what is safe.
type edge struct {
	next    http.RoundTripper
	portals []string
	turn    atomic.Uint64
}

// RoundTrip implements http.RoundTripper.
func (e *edge) RoundTrip(r *http.Request) (*http.Response, error) {
	first := e.turn.Add(1)
	var err error
	for i := range uint64(len(e.portals)) {
		at, bad := url.Parse(e.portals[(first+i)%uint64(len(e.portals))])
		if bad != nil {
			return nil, bad
		}
		again := r.Clone(r.Context())
		again.URL.Host = at.Host
		if r.GetBody != nil {
			if again.Body, bad = r.GetBody(); bad != nil {
				return nil, bad
			}
		}
		var res *http.Response
		if res, err = e.next.RoundTrip(again); err == nil || r.Method != http.MethodGet && !errors.Is(err, syscall.ECONNREFUSED) {
			return res, err
		}
	}
	return nil, err
}

// portalURLs are where the portals listen; they keep their ports.
func (c *cluster) portalURLs() []string {
	var all []string
	for _, p := range c.portals {
		all = append(all, p.url)
	}
	return all
}

// client speaks to the portals as people do.
func (c *cluster) client() *client {
	client := newClient(c.t)
	client.http.Transport = &edge{next: client.http.Transport, portals: c.portalURLs()}
	return client
}

// view is the cluster as the helpers of other tests see a product: everything
// behind the portals, mails in the folder of whichever login service sent them.
func (c *cluster) view() *process {
	return &process{dir: filepath.Join(c.dir, "login*"), urls: urls{Login: c.portals[0].url, CreditCard: c.portals[0].url, Portal: c.portals[0].url}}
}

// people signs people up through the portals.
func (c *cluster) people(count int) []customer {
	client := c.client()
	all := make([]customer, count)
	for i := range all {
		all[i] = signUp(c.t, client, c.view(), fmt.Sprint("person", i))
		client.must(c.t, 201, "POST", c.portals[0].url+"/api/customer/creditcard", newCard(randomCard(c.t), "123"), nil, all[i].auth()...)
	}
	return all
}

// stream is a steady flow of requests and what became of each.
type stream struct {
	mu   sync.Mutex
	sent []sent
}

type sent struct {
	method, path string
	begun, ended time.Time
	status       int
	err          error
}

func (s sent) good() bool { return s.err == nil && s.status == 200 }

// run sends so many requests a second until stop is closed, reads most of
// them, and waits for all.
func (l *stream) run(c *client, base string, people []customer, perSecond int, stop <-chan struct{}) {
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		who := people[i%len(people)]
		s := sent{method: "GET", path: []string{"/api/creditcards", "/api/account", "/api/customer/jwt/validate"}[i%3]}
		var body any
		if i%10 == 9 {
			s.method, s.path, body = "PUT", "/api/account", map[string]any{"name": map[string]string{"first": "Ann", "last": strconv.Itoa(i)}}
		}
		wg.Go(func() {
			s.begun = time.Now()
			s.status, _, s.err = c.send(s.method, base+s.path, body, who.auth()...)
			s.ended = time.Now()
			l.mu.Lock()
			defer l.mu.Unlock()
			l.sent = append(l.sent, s)
		})
	}
}

// take returns what was sent since the last time.
func (l *stream) take() []sent {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.sent
	l.sent = nil
	return all
}

// stall is how long the database, asked directly, may take before nothing that
// happens meanwhile says anything about us: half of what our services wait for
// an answer of the store.
const stall = time.Second

// witness asks the database itself, all the while, and remembers when it was
// slow to answer: a machine that stands still fails every deadline there is.
type witness struct {
	mu   sync.Mutex
	slow []sent
}

func watch(t testing.TB) *witness {
	_, db := database(t)
	w := &witness{}
	var asking sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(func() { stop(); asking.Wait() })
	asking.Go(func() {
		last := time.Now()
		for ctx.Err() == nil {
			_ = db.RunCommand(ctx, bson.D{{Key: "ping", Value: 1}}).Err()
			if now := time.Now(); now.Sub(last) > stall {
				w.mu.Lock()
				w.slow = append(w.slow, sent{begun: last, ended: now})
				w.mu.Unlock()
			}
			last = time.Now()
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	return w
}

// stood reports whether the machine stood still at some time during s.
func (w *witness) stood(s sent) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.slow, func(slow sent) bool { return slow.begun.Before(s.ended) && s.begun.Before(slow.ended) })
}

// TestAnyInstanceMayBeKilled kills instances of every service under load. Each
// request that begins after a kill must succeed, and each GET that was under
// way; a write that was may fail, and is counted. So is a 504 while the machine
// stood still: the services wait 2 s for each other and the store (decisions A5
// and C1).
func TestAnyInstanceMayBeKilled(t *testing.T) {
	kills, perSecond := setting(t, "CCMS_TEST_KILLS", 12), setting(t, "CCMS_TEST_RATE", 50)
	cl := startCluster(t)
	people := cl.people(8)
	c := cl.client()
	var l stream
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { l.run(c, cl.portals[0].url, people, perSecond, stop) })
	machine := watch(t)
	requests, cutOff, stood := 0, 0, 0
	victims := cl.members()
	for kill := range kills {
		<-time.After(time.Duration(500+rand.IntN(500)) * time.Millisecond)
		victim := victims[kill%len(victims)]
		victim.kill()
		dead := time.Now()
		<-time.After(2 * time.Second)
		cl.restart(victim)
		for _, s := range l.take() {
			requests++
			switch {
			case s.good():
			case s.method != "GET" && s.begun.Before(dead):
				cutOff++
			case s.status == http.StatusGatewayTimeout && machine.stood(s):
				stood++
			default:
				t.Errorf("kill %d, of %s: %s %s: %d %v, begun %v after it", kill+1, filepath.Base(victim.dir), s.method, s.path, s.status, s.err, s.begun.Sub(dead))
			}
		}
	}
	close(stop)
	running.Wait()
	t.Logf("%d kills, %d requests at %d/s, %d writes cut off under way, %d timed out while the machine stood still", kills, requests, perSecond, cutOff, stood)
}

// TestALogoutIsKnownEverywhereWithinASecond asks every instance directly.
func TestALogoutIsKnownEverywhereWithinASecond(t *testing.T) {
	cl := startCluster(t)
	who := cl.people(1)[0]
	c := newClient(t)
	routes := []string{
		cl.logins[0].url + "/api/account", cl.logins[1].url + "/api/account",
		cl.cards[0].url + "/api/creditcards", cl.cards[1].url + "/api/creditcards",
		cl.portals[0].url + "/api/creditcards", cl.portals[1].url + "/api/creditcards",
	}
	var longest time.Duration
	for range 5 {
		who.token = logIn(t, c, cl.view(), who)
		for _, route := range routes {
			c.must(t, 200, "GET", route, nil, nil, who.auth()...)
		}
		c.must(t, 200, "POST", cl.portals[1].url+"/api/customer/logout", nil, nil, who.auth()...)
		out := time.Now()
		for _, route := range routes {
			for status := 200; status != 401; {
				asked := time.Since(out)
				if status, _, _ = c.send("GET", route, nil, who.auth()...); status == 200 && asked > time.Second {
					t.Fatalf("%s still answers 200, %v after the logout", route, asked)
				}
				if status == 200 {
					longest = max(longest, asked)
				}
			}
		}
	}
	t.Logf("the last answer to a token that was logged out began %v after the logout", longest)
}

// TestTwoWorkersSendEachMailOnce lets both login services look for mails to
// send, and counts what left.
func TestTwoWorkersSendEachMailOnce(t *testing.T) {
	const people = 40
	cl := startCluster(t)
	c := cl.client()
	for i := range people {
		c.must(t, 201, "POST", cl.portals[0].url+"/api/customer/signup", map[string]any{
			"username": fmt.Sprint("reader", i), "name": map[string]string{"first": "A", "last": "B"},
			"email": fmt.Sprintf("reader%d@example.com", i), "password": "Pw1-once-and-only-once",
		}, nil)
	}
	for i := range people {
		if _, err := awaitMail(cl.view().dir, fmt.Sprintf("reader%d@example.com", i), "(?i)confirm|verif"); err != nil {
			t.Error(err)
		}
	}
	<-time.After(3 * time.Second) // in which a second worker could send them again
	mails, err := filepath.Glob(filepath.Join(cl.view().dir, "mail", "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	to, from := map[string]int{}, map[string]int{}
	for _, name := range mails {
		address, _, _, err := readMail(name)
		if err != nil {
			t.Fatal(err)
		}
		to[address]++
		from[filepath.Base(filepath.Dir(filepath.Dir(name)))]++
	}
	for address, n := range to {
		if n != 1 {
			t.Errorf("%d mails to %s", n, address)
		}
	}
	if len(to) != people || len(from) != 2 {
		t.Errorf("%d people got mail, from %v", len(to), from)
	}
	t.Logf("%d mails, by %v", len(mails), from)
}
