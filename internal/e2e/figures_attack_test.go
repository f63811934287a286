package e2e

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// gauges is what a service shows: by series, as in
// `ccms_login_attempts_total{outcome="wrong",route="customer.login"}`.
type gauges map[string]float64

// look asks a service for its figures.
func look(t testing.TB, c *client, service string) gauges {
	t.Helper()
	status, text, err := c.send("GET", service+"/actuator/prometheus", nil)
	if err != nil || status != 200 {
		t.Fatalf("figures of %s: %d %v", service, status, err)
	}
	all := gauges{}
	for line := range strings.Lines(string(text)) {
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		if all[line[:at]], err = strconv.ParseFloat(strings.TrimSpace(line[at:]), 64); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
	}
	return all
}

// sum adds the series of a name whose labels contain all of these texts.
func (r gauges) sum(name string, labels ...string) (total float64) {
	for series, v := range r {
		if base, rest, _ := strings.Cut(series, "{"); base == name && !slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(rest, l) }) {
			total += v
		}
	}
	return total
}

// awaitFigures reads a service until what it shows is as wanted.
func awaitFigures(t testing.TB, c *client, service, what string, wanted func(gauges) bool) gauges {
	t.Helper()
	var last gauges
	for deadline := time.Now().Add(within); time.Now().Before(deadline); <-time.After(5 * time.Millisecond) {
		if last = look(t, c, service); wanted(last) {
			return last
		}
	}
	for _, series := range slices.Sorted(maps.Keys(last)) {
		if strings.HasPrefix(series, "ccms_") && !strings.Contains(series, "_bucket") {
			t.Logf("%s %v", series, last[series])
		}
	}
	t.Fatalf("it never showed that %s", what)
	return nil
}

// moved fails unless the sum of some series rose by as much as is told.
func moved(t *testing.T, before, after gauges, by float64, name string, labels ...string) {
	t.Helper()
	if rose := after.sum(name, labels...) - before.sum(name, labels...); rose != by {
		t.Errorf("%s%q rose by %v, want %v", name, labels, rose, by)
	}
}

// TestAnAttackMovesItsFigures does what attackers do, a little of each, to a
// running product, and would fail if one of the figures that tell of an attack
// stood still, or if the queue of logins stayed long. A slot for hashes is left.
func TestAnAttackMovesItsFigures(t *testing.T) {
	t.Setenv("GOMAXPROCS", "2")
	p, c := start(t, "--reveal.per-hour", "1", "--no-demo"), newClient(t)
	t.Run("passwords are guessed", func(t *testing.T) { guessesPasswords(t, p, c) })
	t.Run("addresses are tried", func(t *testing.T) { triesAddresses(t, p, c) })
	t.Run("more logins than can be hashed", func(t *testing.T) { floods(t, p, c) })
	t.Run("codes and numbers are tried", func(t *testing.T) { triesCodes(t, p, c) })
	t.Run("no label is a caller's", func(t *testing.T) { makesNoSeries(t, p, c) })
}

func guessesPasswords(t *testing.T, p *process, c *client) {
	before := look(t, c, p.Login)
	for _, want := range []int{401, 401, 401, 401, 401, 429, 429} {
		status, body, err := c.send("POST", p.Login+"/api/customer/login/subsequent", `{"email":"guessed@example.com","password":"Wrong-Passw0rd!"}`)
		if err != nil || status/100 != 4 || status == 401 != (want == 401) {
			t.Fatalf("%d %s %v", status, body, err)
		}
	}
	after := look(t, c, p.Login)
	moved(t, before, after, 5, "ccms_login_attempts_total", `outcome="wrong"`)
	moved(t, before, after, 2, "ccms_login_attempts_total", `outcome="locked"`)
	moved(t, before, after, 0, "ccms_login_attempts_total", `outcome="success"`)
	moved(t, before, after, 1, "ccms_login_lockouts_total")
	moved(t, before, after, 5, "ccms_login_hash_seconds_count")
	if after.sum("ccms_login_hash_seconds_sum") <= before.sum("ccms_login_hash_seconds_sum") {
		t.Error("hashes took no time")
	}
	moved(t, before, after, 7, "http_server_requests_seconds_count", `outcome="CLIENT_ERROR"`)
	moved(t, before, after, 7, "ccms_requests_seconds_count")
}

// triesAddresses signs up with an address that is known, and asks for mails to
// one that is not.
func triesAddresses(t *testing.T, p *process, c *client) {
	known := signUp(t, c, p, "known")
	before := look(t, c, p.Login)
	for i := range 3 {
		c.must(t, 409, "POST", p.Login+"/api/customer/signup", map[string]any{
			"username": fmt.Sprint("other", i), "name": map[string]string{"first": "Ann", "last": "Example"},
			"email": known.email, "password": "Pw1-tangerine-walrus",
		}, nil)
	}
	c.must(t, 404, "POST", p.Login+"/api/customer/forgot-password", `{"email":"nobody@example.com"}`, nil)
	after := look(t, c, p.Login)
	moved(t, before, after, 3, "ccms_login_enumeration_probes_total", `route="signup"`)
	moved(t, before, after, 1, "ccms_login_enumeration_probes_total", `route="reset"`)
}

// floods sends more logins at once than the pool has places, and none again.
func floods(t *testing.T, p *process, c *client) {
	const logins = 60
	before := look(t, c, p.Login)
	var answers sync.Map
	var flood sync.WaitGroup
	for i := range logins {
		flood.Go(func() {
			status, body, err := c.send("POST", p.Login+"/api/customer/login/subsequent", fmt.Sprintf(`{"email":"flood%d@example.com","password":"Wrong-Passw0rd!"}`, i))
			if err != nil || status != 401 && status != 503 {
				t.Errorf("login %d: %d %s %v", i, status, body, err)
			}
			n, _ := answers.LoadOrStore(status, new(atomic.Int64))
			n.(*atomic.Int64).Add(1)
		})
	}
	awaitFigures(t, c, p.Login, "logins wait", func(r gauges) bool { return r.sum("ccms_login_hash_queue_depth") > 0 })
	flood.Wait()
	after := awaitFigures(t, c, p.Login, "no login waits", func(r gauges) bool { return r.sum("ccms_login_hash_queue_depth") == 0 })
	shed, _ := answers.LoadOrStore(503, new(atomic.Int64))
	if refused := float64(shed.(*atomic.Int64).Load()); refused == 0 {
		t.Error("no login was turned away")
	} else {
		moved(t, before, after, refused, "ccms_login_hash_shed_total")
		moved(t, before, after, refused, "http_server_requests_seconds_count", `outcome="SERVER_ERROR"`)
		moved(t, before, after, refused, "ccms_requests_failed_total")
		moved(t, before, after, logins-refused, "ccms_login_attempts_total", `outcome="wrong"`)
	}
	if slow := after.sum("ccms_requests_seconds_count") - after.sum("ccms_requests_seconds_bucket", `le="0.05"`); slow <= 0 {
		t.Error("requests that waited are not among the slow ones")
	}
}

// triesCodes tries security codes of one card, as a person and as a firm, and
// reveals more than a client may.
func triesCodes(t *testing.T, p *process, c *client) {
	who, firm := signUp(t, c, p, "holder"), newFirm(t, c, p, "--live", "--scope", "cards:register,cards:read,cards:reveal")
	before := look(t, c, p.CreditCard)
	theirs, own := randomCard(t), randomCard(t)
	for i, want := range []int{201, 409, 409, 429, 429} {
		c.must(t, want, "POST", p.CreditCard+"/api/customer/creditcard", newCard(theirs, fmt.Sprint(100+i)), nil, who.auth()...)
	}
	var made struct {
		ID string `json:"registration_id"`
	}
	for i, want := range []int{201, 201, 201, 429} {
		c.must(t, want, "POST", p.CreditCard+"/register", newRegistration(own, fmt.Sprint(100+i), "Ann Example"), nil, firm.auth()...)
	}
	c.must(t, 201, "POST", p.CreditCard+"/register", newRegistration(randomCard(t), "123", "Ann Example"), &made, firm.auth()...)
	var is struct {
		Token string `json:"token"`
	}
	for deadline := time.Now().Add(within); is.Token == "" && time.Now().Before(deadline); {
		is.Token = tokenIn(c, p, firm, made.ID)
	}
	for _, want := range []int{200, 429, 429} {
		c.must(t, want, "POST", p.CreditCard+"/v1/cards/"+is.Token+"/reveal", `{"reason":"test"}`, nil, firm.auth()...)
	}
	after := look(t, c, p.CreditCard)
	moved(t, before, after, 2, "ccms_card_code_guesses_refused_total")
	moved(t, before, after, 1, "ccms_registration_code_guesses_refused_total")
	moved(t, before, after, 2, "ccms_firm_card_reveals_refused_total")
	moved(t, before, after, 1, "ccms_cards_total", `act="add"`)
	moved(t, before, after, 1, "ccms_firm_cards_total", `act="reveal"`)
	moved(t, before, after, 4, "ccms_registration_acts_total", `act="create"`)
	if after.sum("ccms_audit_records_total")-before.sum("ccms_audit_records_total") < 6 {
		t.Error("the record did not grow")
	}
	let := after.sum("ccms_revocation_lag_seconds_count")
	if let <= before.sum("ccms_revocation_lag_seconds_count") || let != after.sum("ccms_revocation_lag_seconds_bucket", `le="0.9"`) {
		t.Errorf("%v requests were let in by what was remembered", let)
	}
}

// tokenIn is the token in the status of a registration, once it is there.
func tokenIn(c *client, p *process, firm firmClient, id string) string {
	_, body, _ := c.send("GET", p.CreditCard+"/status/"+id, nil, firm.auth()...)
	return member(body, "token")
}

// makesNoSeries sends what a caller may choose: paths, queries, methods, headers. What comes a second time, otherwise, makes no series.
func makesNoSeries(t *testing.T, p *process, c *client) {
	services := []string{p.Eureka, p.Login, p.CreditCard, p.Portal}
	send := func() (series int) {
		for _, service := range services {
			for _, method := range []string{"GET", "POST", "PUT", "DELETE", "FROB" + rand.Text()[:4]} {
				for _, path := range []string{"/", "/eureka/apps/", "/api/customer/", "/api/customer/creditcard/", "/v1/cards/", "/status/", "/v1/webhooks/", "/api/firms/", "/assets/", "/actuator/metrics/"} {
					req, err := http.NewRequestWithContext(t.Context(), method, service+path+rand.Text()+"?"+rand.Text()+"="+rand.Text(), nil)
					if err != nil {
						t.Fatal(err)
					}
					for _, name := range []string{"Authorization", "CCMS-Firm", "X-Forwarded-For", "traceparent", "X-Request-Id", "User-Agent", "X-" + rand.Text()} {
						req.Header.Set(name, rand.Text())
					}
					res, err := c.http.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					_ = res.Body.Close()
				}
			}
		}
		for _, service := range services {
			series += len(look(t, c, service))
		}
		return series
	}
	send() // which the first reading of each service is part of
	if first, second := send(), send(); first != second {
		t.Errorf("there were %d series, and then %d", first, second)
	}
}
