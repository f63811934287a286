//go:build chaos

package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// perSecond is how many requests the portals get, all kinds together.
const perSecond = 40

// cardsEach is how many cards a person is given: more than a hundred are refused.
const cardsEach = 80

// mix is what a second of the load is made of, in some order.
var mix = slices.Concat(
	slices.Repeat([]string{"register"}, 6), slices.Repeat([]string{"status"}, 6), slices.Repeat([]string{"reveal"}, 4),
	slices.Repeat([]string{"add card"}, 2), slices.Repeat([]string{"list cards"}, 6), slices.Repeat([]string{"account"}, 6),
	slices.Repeat([]string{"validate"}, 6), slices.Repeat([]string{"export"}, 2), slices.Repeat([]string{"log in"}, 2))

// order is a write under an Idempotency-Key, and what was said to it.
type order struct {
	path   string
	key    string
	body   map[string]any
	number string
	holder *holder // of a cardholder's card; nil for a firm's
	answer []byte  // its acknowledgement; nil while there is none
}

// holder is a cardholder, and the cards he was told he has.
type holder struct {
	customer
	given int
}

// result is what became of one request.
type result struct {
	what         string
	begun, ended time.Time
	status       int
	code         string // of an error
	err          error  // there was no answer
	wrong        string // what the contract does not allow about it
}

func (r result) good() bool { return r.err == nil && r.wrong == "" && r.status < 300 }

// traffic is what people and firms do all the while, through the portals.
type traffic struct {
	t      testing.TB
	c      *client
	view   *process // the portal in place of every service
	sayers sync.WaitGroup

	mu      sync.Mutex
	firm    firmClient
	holders []*holder
	orders  []*order
	tokens  map[string]string // of firms' cards, with the number of each
	results []result
	flying  map[int]time.Time
	count   int
}

func newTraffic(t testing.TB, c *client, view, admin *process) *traffic {
	tr := &traffic{t: t, c: c, view: view, tokens: map[string]string{}, flying: map[int]time.Time{}}
	tr.firm = newFirm(t, c, admin, "--live", "--scope", allScopes)
	tr.prepare()
	for range 4 { // so that there is something to read
		tr.send("register")
		tr.send("add card")
		tr.send("status")
	}
	tr.take()
	return tr
}

// prepare renews what runs out: tokens of firms live ten minutes, and people
// have a hundred cards at most.
func (tr *traffic) prepare() {
	tr.t.Helper()
	firm := tr.firm
	firm.renew(tr.t, tr.c, tr.view)
	who := &holder{customer: signUp(tr.t, tr.c, tr.view, "person-"+strings.ToLower(randomName()))}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.firm = firm
	tr.holders = append(tr.holders, who)
}

func randomName() string { return fmt.Sprintf("%08x", rand.Uint32()) }

// run sends requests until stop is closed, and waits for all answers.
func (tr *traffic) run(stop <-chan struct{}) {
	defer tr.sayers.Wait()
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	for {
		for _, i := range rand.Perm(len(mix)) {
			select {
			case <-stop:
				return
			case <-tick.C:
				tr.sayers.Go(func() { tr.send(mix[i]) })
			}
		}
	}
}

// send sends one request and keeps what became of it.
func (tr *traffic) send(what string) {
	method, path, body, header, o := tr.request(what)
	if path == "" {
		return // there is nothing to ask about yet
	}
	tr.mu.Lock()
	tr.count++
	id, begun := tr.count, time.Now()
	tr.flying[id] = begun
	tr.mu.Unlock()
	status, answer, err := tr.c.send(method, tr.view.Portal+path, body, header...)
	r := result{what: what, begun: begun, ended: time.Now(), status: status, err: err}
	if err == nil {
		r.code, r.wrong = judge(status, answer)
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	delete(tr.flying, id)
	if r.good() {
		if bad := tr.learn(what, path, answer, o); bad != "" {
			r.wrong = bad
		}
	}
	tr.results = append(tr.results, r)
}

// request is one of a kind. Its order is set when it is a write under a key.
func (tr *traffic) request(what string) (method, path string, body any, header []string, o *order) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	who, firm := tr.holders[len(tr.holders)-1], tr.firm
	switch what {
	case "register", "add card":
		o = tr.place(what)
		if o == nil {
			return
		}
		return "POST", o.path, o.body, tr.headerOf(o), o
	case "status":
		if o = tr.acknowledged(); o == nil {
			return
		}
		return "GET", "/status/" + member(o.answer, "registration_id"), nil, firm.auth(), o
	case "reveal":
		for token := range tr.tokens { // in no order
			return "POST", "/v1/cards/" + token + "/reveal", `{"reason":"chaos"}`, firm.auth(), nil
		}
		return
	case "list cards":
		return "GET", "/api/creditcards", nil, who.auth(), nil
	case "account":
		return "GET", "/api/account", nil, who.auth(), nil
	case "export": // for which the login service asks the card service
		return "GET", "/api/account/export", nil, who.auth(), nil
	case "validate":
		return "GET", "/api/customer/jwt/validate", nil, who.auth(), nil
	}
	return "POST", "/api/customer/login/subsequent", map[string]string{"email": who.email, "password": who.password}, nil, nil
}

// place makes a write, or nil when the person has enough cards. The caller
// holds the lock.
func (tr *traffic) place(what string) *order {
	o := &order{path: "/register", key: fmt.Sprintf("order %d", len(tr.orders)), number: randomCard(tr.t)}
	o.body = newRegistration(o.number, "123", "Ann Example")
	if what == "add card" {
		o.holder = tr.holders[len(tr.holders)-1]
		if o.holder.given++; o.holder.given > cardsEach {
			return nil
		}
		o.path, o.body = "/api/customer/creditcard", newCard(o.number, "123")
	}
	tr.orders = append(tr.orders, o)
	return o
}

func (tr *traffic) headerOf(o *order) []string {
	if o.holder != nil {
		return append(o.holder.auth(), "Idempotency-Key", o.key)
	}
	return append(tr.firm.auth(), "Idempotency-Key", o.key)
}

// acknowledged is one of the latest registrations, nil while there is none. The
// caller holds the lock.
func (tr *traffic) acknowledged() *order {
	for _, o := range slices.Backward(tr.orders) {
		if o.holder == nil && o.answer != nil && rand.IntN(4) == 0 {
			return o
		}
	}
	return nil
}

// learn keeps what an answer says, and returns what is wrong with it. The
// caller holds the lock.
func (tr *traffic) learn(what, path string, answer []byte, o *order) (wrong string) {
	switch what {
	case "register", "add card":
		if o.answer != nil && !bytes.Equal(o.answer, answer) {
			return fmt.Sprintf("the key was answered %s before", o.answer)
		}
		o.answer = answer
	case "status":
		if token := member(answer, "token"); token != "" {
			tr.tokens[token] = o.number
		}
	case "reveal":
		token := strings.Split(path, "/")[3]
		if member(answer, "card_number") != tr.tokens[token] {
			return "another card's number"
		}
	}
	return ""
}

// known are the codes of an answer that a fault may bring: contract sections 5.2
// and 5.3, decisions A5 and D5. Go's client sends a request that has a key again
// by itself when its connection dies, and may find the first one at work.
var known = map[int][]string{
	http.StatusConflict:           {"IDEMPOTENCY_IN_PROGRESS"},
	http.StatusServiceUnavailable: {"SERVICE_UNAVAILABLE", "DATABASE_ERROR"},
	http.StatusGatewayTimeout:     {"TIMEOUT"},
}

// judge returns the code of an error, and what is wrong with an answer.
func judge(status int, answer []byte) (code, wrong string) {
	if status < 300 {
		return "", ""
	}
	var object map[string]string
	if err := json.Unmarshal(answer, &object); err != nil || len(object) != 5 {
		return "", fmt.Sprintf("not the contract's object: %.200s", answer)
	}
	for _, name := range []string{"error", "errorCode", "timestamp", "path", "details"} {
		if object[name] == "" {
			return "", fmt.Sprintf("no %s: %.200s", name, answer)
		}
	}
	if code = object["errorCode"]; !slices.Contains(known[status], code) {
		return code, fmt.Sprintf("not an answer to a fault: %.300s", answer)
	}
	return code, ""
}

// take returns the results since the last time.
func (tr *traffic) take() []result {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	all := tr.results
	tr.results = nil
	return all
}

// troubled is when the last request failed that has ended, and when the oldest
// began that has not; zero for none.
func (tr *traffic) troubled() (failed, oldest time.Time) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, r := range tr.results {
		if !r.good() && r.ended.After(failed) {
			failed = r.ended
		}
	}
	for _, begun := range tr.flying {
		if oldest.IsZero() || begun.Before(oldest) {
			oldest = begun
		}
	}
	return failed, oldest
}
