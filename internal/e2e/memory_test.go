//go:build memory

package e2e

import (
	"crypto/rand"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// The memory of a running product, as docs/secrets-in-memory.md describes it.
// scripts/memory runs these tests on two builds.

// memoryEnv says what is expected of the build under test: "clean" fails the
// test for every secret found; anything else only reports.
const memoryEnv = "CCMS_E2E_MEMORY"

// How much is sent. Each value is sent once and looked for on its own.
const (
	holders = 12
	signUps = 125  // each followed by a login with the right password and one with a wrong one
	logins  = 1000 // in all
	cards   = 1000
	refused = 600 // adds that fail, in several ways
	lanes   = 4   // clients at a time
)

// load is what is sent to a process, and what of it must be gone afterwards.
type load struct {
	p       *process
	c       *client
	tokens  []string // of the cardholders
	mu      sync.Mutex
	needles []needle
}

func (l *load) keep(kind, value string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.needles = append(l.needles, needle{kind, value})
	return value
}

func (l *load) password() string { return l.keep("password", "Pw1-"+rand.Text()) }

func (l *load) number(t testing.TB) string { return l.keep("card number", randomCard(t)) }

// code makes a code that no card has: one of three digits could not be told
// from any three digits in memory. It is read as every code is, and refused.
func (l *load) code(t testing.TB) string {
	n, err := rand.Int(rand.Reader, big.NewInt(1e15))
	if err != nil {
		t.Fatal(err)
	}
	return l.keep("security code", fmt.Sprintf("%015d", n))
}

// either is the service itself or the portal before it, in turn.
func (l *load) either(i int, service string) string {
	if i%2 == 0 {
		return service
	}
	return l.p.Portal
}

// TestMemoryHoldsNoSecret would fail, on a build that promises it, if the
// memory of the process still held a password, code or card number of a
// request that was answered, once connections were closed and garbage was
// collected twice. That the search finds such values is shown first: they are
// there while a request is being read.
func TestMemoryHoldsNoSecret(t *testing.T) {
	l := &load{
		p: start(t, "--login.bcrypt-cost", "10", "--login.lock-after", "1000", "--login.rate-per-address", "1000000", "--login.rate-per-network", "1000000"),
		c: newClient(t),
	}
	for i := range holders {
		who := signUp(t, l.c, l.p, fmt.Sprintf("holder-%d", i))
		l.keep("password", who.password)
		l.tokens = append(l.tokens, who.token)
	}
	l.control(t)
	began := time.Now()
	var all sync.WaitGroup
	for lane := range lanes {
		all.Go(func() { l.signUpAndLogIn(t, lane) })
		all.Go(func() { l.addCards(t, lane) })
	}
	all.Wait()
	l.c.http.CloseIdleConnections()
	t.Logf("%d values sent in %s", len(l.needles), time.Since(began).Round(time.Second))
	collections(t, l.p, 2)

	found, size, err := newScanner(l.needles).scan(l.p.PID)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d MiB searched for %d values: %d copies left; values: %v", binary, size>>20, len(l.needles), len(found), distinct(found))
	for _, f := range found[:min(len(found), 20)] {
		t.Log(f)
	}
	if os.Getenv(memoryEnv) == "clean" && len(found) > 0 {
		t.Errorf("%d copies of secrets are left", len(found))
	}
}

// control sends requests but for their last byte and looks for them where they
// must be. Then their senders go away.
func (l *load) control(t *testing.T) {
	t.Helper()
	password, number, code := l.password(), l.number(t), l.code(t)
	for _, call := range []struct{ base, path, body, token string }{
		{l.p.Login, "/api/customer/login", fmt.Sprintf(`{"email":"nobody@example.com","password":%q}`, password), ""},
		{l.p.CreditCard, "/api/customer/creditcard", marshal(t, newCard(number, code)), l.tokens[0]},
	} {
		defer begin(t, call.base, call.path, call.token, call.body).Close()
	}
	s := newScanner(l.needles[len(l.needles)-3:])
	for deadline := time.Now().Add(readyWithin); ; <-time.After(20 * time.Millisecond) {
		found, _, err := s.scan(l.p.PID)
		if err != nil {
			t.Fatal(err)
		}
		if len(distinct(found)) == 3 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the search does not find what is being read, only %v", distinct(found))
		}
	}
}

// begin sends all of a request but its last byte.
func begin(t *testing.T, base, path, token, body string) io.Closer {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
		path, u.Host, token, len(body), body[:len(body)-1])
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func marshal(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// manners are ways to send a request that differ in what they leave behind.
var manners = []func(*http.Request){
	func(*http.Request) {},
	func(r *http.Request) { r.Close = true },
	func(r *http.Request) { r.ContentLength, r.GetBody = -1, nil }, // chunked
}

// post sends request i in one of the manners until the answer is not that the
// service is busy, and expects a status.
func (l *load) post(t *testing.T, i int, url string, in any, token string, want int) {
	t.Helper()
	for {
		req, err := newRequest("POST", url, in, "Authorization", "Bearer "+token)
		if err != nil {
			t.Error(err)
			return
		}
		manners[i/2%len(manners)](req) // not in step with either
		res, err := l.c.http.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode == http.StatusServiceUnavailable {
			<-time.After(50 * time.Millisecond)
			continue
		}
		if err != nil || res.StatusCode != want {
			t.Errorf("POST %s: %d, want %d: %s %v", url, res.StatusCode, want, body, err)
		}
		return
	}
}

// signUpAndLogIn makes accounts and knocks with right and wrong passwords, at
// addresses that are known and that are not.
func (l *load) signUpAndLogIn(t *testing.T, lane int) {
	for i := lane; i < signUps; i += lanes {
		name, password := fmt.Sprintf("person-%d", i), l.password()
		email := name + "@example.com"
		base := l.either(i, l.p.Login) + "/api/customer"
		l.post(t, i, base+"/signup", map[string]any{
			"username": name, "name": map[string]string{"first": "Ann", "last": "Example"}, "email": email, "password": password,
		}, "", 201)
		l.post(t, i, base+"/login/subsequent", map[string]string{"email": email, "password": password}, "", 200)
		l.post(t, i, base+"/login/subsequent", map[string]string{"email": email, "password": l.password()}, "", 401)
	}
	for i := lane; i < logins-2*signUps; i += lanes {
		base := l.either(i, l.p.Login) + "/api/customer"
		l.post(t, i, base+"/login", map[string]string{"email": fmt.Sprintf("nobody-%d@example.com", i), "password": l.password()}, "", 401)
	}
}

// addCards adds cards, and tries to in ways that fail.
func (l *load) addCards(t *testing.T, lane int) {
	url := func(i int) string { return l.either(i, l.p.CreditCard) + "/api/customer/creditcard" }
	for i := lane; i < cards; i += lanes {
		number := l.number(t)
		if i%5 == 0 {
			number = number[:4] + " " + number[4:8] + "-" + number[8:12] + " " + number[12:]
		}
		l.post(t, i, url(i), newCard(number, fmt.Sprintf("%03d", i)), l.tokens[i%holders], 201)
	}
	for i := lane; i < refused; i += lanes {
		body, token, want := newCard(l.number(t), l.code(t)), l.tokens[i%holders], 400
		switch i % 6 {
		case 1:
			token, want = "none", 401 // nobody reads the body
		case 3:
			body["surprise"] = l.number(t)
		case 4:
			body["cardNumber"] = []string{l.number(t)}
		case 5:
			body["filler"] = fmt.Sprintf("%070000d", 0)
			want = 413
		}
		l.post(t, i, url(i), body, token, want)
	}
}

var collected = regexp.MustCompile(`(?m)^go_gc_pause_seconds_count (\d+)`)

// collections waits until garbage was collected n times more. Asking makes the
// garbage that brings it about.
func collections(t *testing.T, p *process, n int) {
	t.Helper()
	c := newClient(t)
	defer c.http.CloseIdleConnections()
	count := func() int {
		status, body, err := c.send("GET", p.Eureka+"/actuator/prometheus", nil)
		m := collected.FindSubmatch(body)
		if err != nil || m == nil {
			t.Fatalf("%d %s %v", status, body, err)
		}
		v, _ := strconv.Atoi(string(m[1]))
		return v
	}
	for want, asked := count()+n, 0; count() < want; asked++ {
		if asked > 20000 {
			t.Fatal("garbage is not collected")
		}
	}
}
