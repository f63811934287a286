//go:build memory

package e2e

import (
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// The memory of a running product, as docs/secrets-in-memory.md describes it.
// scripts/memory runs these tests on two builds.

// memoryEnv says what is expected of the build under test: "clean" fails the
// test for every secret found where none may be; anything else only reports.
const memoryEnv = "CCMS_E2E_MEMORY"

const (
	holders   = 12 // who have cards
	mayBeLate = 3  // requests of a run, where a machine stands still for a while
	lanes     = 4  // clients at a time
)

// protocol is how values are sent, and how many. Each value is sent once
// and looked for on its own.
type protocol struct {
	name    string
	flags   []string
	http2   bool
	leaves  bool // something, on any build
	signUps int  // each followed by a login with the right password and one with a wrong one
	logins  int  // in all
	cards   int  // added by their holders, and as many registered by a firm
	refused int  // of either that fail, in several ways
}

var protocols = []protocol{
	{name: "HTTP", signUps: 125, logins: 1000, cards: 1000, refused: 600},
	{name: "HTTPS with HTTP 1.1", flags: []string{"--tls"}, signUps: 10, logins: 50, cards: 300, refused: 120},
	{name: "HTTPS with HTTP 2", flags: []string{"--tls"}, http2: true, leaves: true, signUps: 10, logins: 50, cards: 300, refused: 120},
}

// imprint is what is sent to a process, and what of it must be gone afterwards.
type imprint struct {
	protocol
	p       *process
	c       *client
	tls     *tls.Config // of the client; nil without TLS
	tokens  []string    // of the cardholders
	firm    firmClient
	mu      sync.Mutex
	needles []needle
	late    atomic.Int32 // answers
}

func (l *imprint) keep(kind, value string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.needles = append(l.needles, needle{kind, value})
	return value
}

func (l *imprint) password() string { return l.keep("password", "Pw1-"+rand.Text()) }

func (l *imprint) number(t testing.TB) string { return l.keep("card number", randomCard(t)) }

func (l *imprint) name() string { return l.keep("cardholder name", "ANN "+lettersOnly(rand.Text())) }

// lettersOnly maps digits to letters.
func lettersOnly(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= '9' {
			return r - '0' + 'A'
		}
		return r
	}, s)
}

// code makes a code that no card has: one of three digits could not be told
// from any three digits in memory. It is read as every code is, and refused.
func (l *imprint) code(t testing.TB) string {
	n, err := rand.Int(rand.Reader, big.NewInt(1e15))
	if err != nil {
		t.Fatal(err)
	}
	return l.keep("security code", fmt.Sprintf("%015d", n))
}

// either is the service itself or the portal before it, in turn.
func (l *imprint) either(i int, service string) string {
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
	for _, how := range protocols {
		t.Run(how.name, func(t *testing.T) {
			l := &imprint{protocol: how, c: newClient(t)}
			l.p = start(t, append([]string{
				"--login.bcrypt-cost", "10", "--login.lock-after", "1000", "--login.rate-per-address", "1000000", "--login.rate-per-network", "1000000",
			}, how.flags...)...)
			l.connect(t)
			for i := range holders {
				who := signUp(t, l.c, l.p, fmt.Sprintf("holder-%d", i))
				l.keep("password", who.password)
				l.tokens = append(l.tokens, who.token)
			}
			l.firm = newFirm(t, l.c, l.p, "--live", "--scope", "cards:register,cards:read")
			l.control(t)
			began := time.Now()
			var all sync.WaitGroup
			for lane := range lanes {
				all.Go(func() { l.signUpAndLogIn(t, lane) })
				all.Go(func() { l.addCards(t, lane) })
				all.Go(func() { l.register(t, lane) })
			}
			all.Go(func() { l.registerMany(t) })
			all.Wait()
			l.c.http.CloseIdleConnections()
			t.Logf("%d values sent in %s", len(l.needles), time.Since(began).Round(time.Second))
			l.collections(t, 2)
			l.search(t)
		})
	}
}

// connect makes a client that believes the process, when it needs to.
func (l *imprint) connect(t *testing.T) {
	t.Helper()
	if len(l.flags) == 0 {
		return
	}
	transport, err := believing(l.p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	transport.ForceAttemptHTTP2 = l.http2
	l.tls = transport.TLSClientConfig.Clone()
	l.c.http.Transport = transport
}

// search looks for everything that was sent.
func (l *imprint) search(t *testing.T) {
	t.Helper()
	found, size, err := newScanner(l.needles).scan(l.p.PID)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MiB searched for %d values: %d copies left; values: %v", size>>20, len(l.needles), len(found), distinct(found))
	for _, f := range found[:min(len(found), 20)] {
		t.Log(f)
	}
	if os.Getenv(memoryEnv) == "clean" && !l.leaves && len(found) > 0 {
		t.Errorf("%d copies of secrets are left", len(found))
	}
}

// control sends requests but for their last byte and looks for them where they
// must be. Then their senders go away.
func (l *imprint) control(t *testing.T) {
	t.Helper()
	password, number, code, name := l.password(), l.number(t), l.code(t), l.name()
	for _, call := range []struct{ base, path, body, token string }{
		{l.p.Login, "/api/customer/login", fmt.Sprintf(`{"email":"nobody@example.com","password":%q}`, password), ""},
		{l.p.CreditCard, "/api/customer/creditcard", marshal(t, newCard(number, code)), l.tokens[0]},
		{l.p.CreditCard, "/register", marshal(t, newRegistration(number, code, name)), l.firm.token},
	} {
		defer l.begin(t, call.base+call.path, call.token, call.body).Close()
	}
	s := newScanner(l.needles[len(l.needles)-4:])
	for deadline := time.Now().Add(within); ; <-time.After(20 * time.Millisecond) {
		found, _, err := s.scan(l.p.PID)
		if err != nil {
			t.Fatal(err)
		}
		if len(distinct(found)) == 4 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the search does not find what is being read, only %v", distinct(found))
		}
	}
}

// begin sends all of a request but its last byte.
func (l *imprint) begin(t *testing.T, to, token, body string) io.Closer {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	if l.tls != nil {
		l.tls.ServerName = u.Hostname()
		conn = tls.Client(conn, l.tls)
	}
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
		u.Path, u.Host, token, len(body), body[:len(body)-1])
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
	func(r *http.Request) { r.ContentLength = -1 }, // chunked
}

// post sends request i in one of the manners until the answer is not that the
// service is busy, and expects a status. That the time for one was over is told
// and not judged: what matters here is what it leaves behind.
func (l *imprint) post(t *testing.T, i int, url string, in any, token string, want int) {
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
		if res.StatusCode == http.StatusGatewayTimeout && l.late.Add(1) <= mayBeLate {
			t.Logf("POST %s: %s", url, body)
			return
		}
		if err != nil || res.StatusCode != want {
			t.Errorf("POST %s: %d, want %d: %s %v", url, res.StatusCode, want, body, err)
		}
		return
	}
}

// signUpAndLogIn makes accounts and knocks with right and wrong passwords, at
// addresses that are known and that are not.
func (l *imprint) signUpAndLogIn(t *testing.T, lane int) {
	for i := lane; i < l.signUps; i += lanes {
		name, password := fmt.Sprintf("person-%d", i), l.password()
		email := name + "@example.com"
		base := l.either(i, l.p.Login) + "/api/customer"
		l.post(t, i, base+"/signup", map[string]any{
			"username": name, "name": map[string]string{"first": "Ann", "last": "Example"}, "email": email, "password": password,
		}, "", 201)
		l.post(t, i, base+"/login/subsequent", map[string]string{"email": email, "password": password}, "", 200)
		l.post(t, i, base+"/login/subsequent", map[string]string{"email": email, "password": l.password()}, "", 401)
	}
	for i := lane; i < l.logins-2*l.signUps; i += lanes {
		base := l.either(i, l.p.Login) + "/api/customer"
		l.post(t, i, base+"/login", map[string]string{"email": fmt.Sprintf("nobody-%d@example.com", i), "password": l.password()}, "", 401)
	}
}

// addCards adds cards, and tries to in ways that fail.
func (l *imprint) addCards(t *testing.T, lane int) {
	url := func(i int) string { return l.either(i, l.p.CreditCard) + "/api/customer/creditcard" }
	for i := lane; i < l.cards; i += lanes {
		l.post(t, i, url(i), newCard(printed(i, l.number(t)), fmt.Sprintf("%03d", i)), l.tokens[i%holders], 201)
	}
	for i := lane; i < l.refused/2; i += lanes {
		body := newCard(l.number(t), l.code(t))
		token, want := l.spoil(t, i, body, "cardNumber", l.tokens[i%holders])
		l.post(t, i, url(i), body, token, want)
	}
}

// register registers cards for a firm, and tries to in ways that fail.
func (l *imprint) register(t *testing.T, lane int) {
	url := func(i int) string { return l.either(i, l.p.CreditCard) + "/register" }
	for i := lane; i < l.cards; i += lanes {
		l.post(t, i, url(i), newRegistration(printed(i, l.number(t)), fmt.Sprintf("%03d", i), l.name()), l.firm.token, 201)
	}
	for i := lane; i < l.refused/2; i += lanes {
		body := newRegistration(l.number(t), l.code(t), l.name())
		token, want := l.spoil(t, i, body, "card_number", l.firm.token)
		l.post(t, i, url(i), body, token, want)
	}
}

// registerMany registers cards line by line in one body.
func (l *imprint) registerMany(t *testing.T) {
	for i := range 2 {
		var lines strings.Builder
		for range l.cards / 5 {
			lines.WriteString(marshal(t, newRegistration(l.number(t), "123", l.name())) + "\n")
		}
		status, body, err := l.c.send("POST", l.either(i, l.p.CreditCard)+"/v1/registrations/bulk", lines.String(), append(l.firm.auth(), "Content-Type", "application/x-ndjson")...)
		if err != nil || status != 200 || strings.Count(string(body), "registration_id") != l.cards/5 {
			t.Errorf("bulk: %d %.300s %v", status, body, err)
		}
	}
}

// printed groups some numbers as they stand on a card.
func printed(i int, number string) string {
	if i%5 > 0 {
		return number
	}
	return number[:4] + " " + number[4:8] + "-" + number[8:12] + " " + number[12:]
}

// spoil makes a body, or who sends it, wrong in one of several ways, if it is
// not yet by its code. It returns the token to use and what is answered.
func (l *imprint) spoil(t *testing.T, i int, body map[string]any, number, token string) (string, int) {
	switch i % 6 {
	case 1:
		return "none", 401 // nobody reads the body
	case 3:
		body["surprise"] = l.number(t)
	case 4:
		body[number] = []string{l.number(t)}
	case 5:
		body["filler"] = fmt.Sprintf("%070000d", 0)
		return token, 413
	}
	return token, 400
}

var collected = regexp.MustCompile(`(?m)^go_gc_pause_seconds_count (\d+)`)

// collections waits until garbage was collected n times more. Asking makes the
// garbage that brings it about.
func (l *imprint) collections(t *testing.T, n int) {
	t.Helper()
	count := func() int {
		status, body, err := l.c.send("GET", l.p.Eureka+"/actuator/prometheus", nil)
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
	l.c.http.CloseIdleConnections()
}
