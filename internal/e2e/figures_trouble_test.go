package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// TestTroubleMovesItsFigures gives a running product bad days: a mail server that
// refuses, a webhook's endpoint that is down, keys that age. It would fail if
// what tells of them stood still, or did not return to what it shows in health.
func TestTroubleMovesItsFigures(t *testing.T) {
	t.Parallel()
	m := new(mailServer)
	stop := m.start(t)
	p, c := start(t, "--webhook.allow-private", "--no-demo", "--mail.smtp-url", "smtp://"+m.addr, "--mail.from", "CCMS <no-reply@ccms.example>"), newClient(t)
	stop()
	join := func(name string) {
		c.must(t, 201, "POST", p.Login+"/api/customer/signup", map[string]any{
			"username": name, "name": map[string]string{"first": "Ann", "last": "Example"}, "email": name + "@example.com", "password": "Pw1-tangerine-walrus",
		}, nil)
	}
	join("waits") // for five seconds, during which the rest happens
	early := awaitFigures(t, c, p.Login, "a mail waits", func(g gauges) bool { return g.sum("ccms_outbox_queued") == 1 })

	t.Run("an endpoint is down", func(t *testing.T) { losesWebhooks(t, p, c) })
	t.Run("keys", func(t *testing.T) { rotatesKeys(t, p, c) })
	t.Run("backups", func(t *testing.T) { backsUp(t, p, c) })

	late := awaitFigures(t, c, p.Login, "the mail grows older", func(g gauges) bool {
		return g.sum("ccms_outbox_oldest_seconds") > early.sum("ccms_outbox_oldest_seconds")
	})
	if late.sum("process_uptime_seconds") <= early.sum("process_uptime_seconds") || late.sum("process_start_time_seconds") != early.sum("process_start_time_seconds") {
		t.Error("the process does not grow older")
	}
	m.start(t)
	awaitFigures(t, c, p.Login, "no mail waits", func(g gauges) bool {
		return g.sum("ccms_outbox_queued") == 0 && g.sum("ccms_outbox_oldest_seconds") == 0
	})
	m.refuse(&smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "nobody"})
	join("refused")
	awaitFigures(t, c, p.Login, "a mail was given up", func(g gauges) bool { return g.sum("ccms_outbox_dead") == 1 })
	m.refuse(nil)
	operator(t, p.dir, "mail", "retry", listMail(t, p.dir)[0].ID)
	awaitFigures(t, c, p.Login, "no mail is given up", func(g gauges) bool { return g.sum("ccms_outbox_dead") == 0 })
}

// losesWebhooks registers a card of a firm whose endpoint fails, and has the
// event sent again when it is well.
func losesWebhooks(t *testing.T, p *process, c *client) {
	var down atomic.Bool
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer endpoint.Close()
	firm := newFirm(t, c, p, "--scope", "cards:register,webhooks:manage")
	var hook struct {
		ID string `json:"id"`
	}
	c.must(t, 201, "POST", p.CreditCard+"/v1/webhooks", map[string]any{"url": endpoint.URL, "events": []string{"webhook.test"}}, &hook, firm.auth()...)
	send := func() { c.must(t, 202, "POST", p.CreditCard+"/v1/webhooks/"+hook.ID+"/test", nil, nil, firm.auth()...) }
	send()
	awaitFigures(t, c, p.CreditCard, "an event reached its firm", func(g gauges) bool {
		return g.sum("ccms_webhook_attempts_total", `outcome="delivered"`) == 1 && g.sum("ccms_webhook_lag_seconds_count") == 1
	})
	down.Store(true)
	send()
	began := time.Now()
	awaitFigures(t, c, p.CreditCard, "an event waits", func(g gauges) bool {
		age := g.sum("ccms_webhook_oldest_seconds")
		return g.sum("ccms_webhook_attempts_total", `outcome="status"`) >= 1 && age > 0 && age <= time.Since(began).Seconds()+1
	})
	down.Store(false)
	c.must(t, 202, "POST", p.CreditCard+"/v1/webhooks/"+hook.ID+"/replay", map[string]any{"since": began.Add(-time.Minute).UTC().Format(time.RFC3339)}, nil, firm.auth()...)
	awaitFigures(t, c, p.CreditCard, "no event waits", func(g gauges) bool {
		return g.sum("ccms_webhook_attempts_total", `outcome="delivered"`) >= 2 && g.sum("ccms_webhook_oldest_seconds") == 0
	})
}

// rotatesKeys would fail if the age of the keys did not grow, or did not end with
// a rotation.
func rotatesKeys(t *testing.T, p *process, c *client) {
	firm := newFirm(t, c, p)
	c.must(t, 201, "POST", p.CreditCard+"/register", newRegistration("4111111111111111", "123", "Ann Example"), nil, firm.auth()...)
	for command, key := range map[string]struct{ service, figure string }{
		"":      {p.CreditCard, "ccms_key_age_seconds"},
		"--jwt": {p.Login, "ccms_signing_key_age_seconds"},
	} {
		old := look(t, c, key.service).sum(key.figure)
		if old <= 0 {
			t.Errorf("%s is %v", key.figure, old)
		}
		awaitFigures(t, c, key.service, "a key grows older", func(g gauges) bool { return g.sum(key.figure) > max(old, 0.2) })
		began := time.Now()
		operator(t, p.dir, strings.Fields("keys rotate "+command)...)
		awaitFigures(t, c, key.service, "the key is new", func(g gauges) bool {
			age := g.sum(key.figure)
			return age > 0 && age < time.Since(began).Seconds()
		})
	}
}

// backsUp would fail if a backup did not show at once, with its time.
func backsUp(t *testing.T, p *process, c *client) {
	if before := look(t, c, p.Login).sum(backupMetric); before != 0 {
		t.Errorf("a backup that was never made: %v", before)
	}
	began := float64(time.Now().UnixMilli()) / 1000
	if out, err := locked(p.dir, "backup", filepath.Join(t.TempDir(), "backup")); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if at := look(t, c, p.Login).sum(backupMetric); at < began {
		t.Errorf("the backup was made %v s before it began", began-at)
	}
}

// TestTheBreakerShowsItsStates takes the login service away from a card service
// and gives it back, so that the breaker goes round once.
func TestTheBreakerShowsItsStates(t *testing.T) {
	t.Parallel()
	const window, failures, trials = 3, 2, 10
	registry, login := freePort(t), freePort(t)
	toLogin, err := url.Parse("http://127.0.0.1:" + login)
	if err != nil {
		t.Fatal(err)
	}
	var gone atomic.Bool
	pass := httputil.NewSingleHostReverseProxy(toLogin)
	there := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if gone.Load() {
			panic(http.ErrAbortHandler) // the connection ends without an answer
		}
		pass.ServeHTTP(w, r)
	}))
	p := launch(t.TempDir(), "up", append(anyPort("creditcard", "portal"), "--no-demo", "--eureka.addr", "127.0.0.1:"+registry, "--login.addr", "127.0.0.1:"+login,
		"--eureka.urls", "http://127.0.0.1:"+listen(t, newDetour(t, registry, login, there))+"/eureka/",
		"--creditcard.breaker.sliding-window-size", "3", "--creditcard.breaker.wait-duration-in-open-state", "1500ms")...)
	if err := p.awaitReady(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	c := newClient(t)
	firm := newFirm(t, c, p)
	tokens := make([]string, window+failures+1+trials) // one for each call, so that none is remembered
	for i := range tokens {
		firm.renew(t, c, p)
		tokens[i] = firm.token
	}
	call := func(want int) {
		t.Helper()
		c.must(t, want, "GET", p.CreditCard+"/v1/cards", nil, nil, "Authorization", "Bearer "+tokens[0])
		tokens = tokens[1:]
	}
	is := func(state string) {
		t.Helper()
		if got := breakerState(t, c, p); got != state {
			t.Fatalf("the breaker is %s, want %s", got, state)
		}
	}
	for range window {
		is("closed")
		call(200)
	}
	gone.Store(true)
	for range failures { // of three calls, two thirds
		is("closed")
		call(503)
	}
	is("open")
	refused := look(t, c, p.CreditCard).sum("resilience4j_circuitbreaker_not_permitted_calls_total")
	call(503)
	if now := look(t, c, p.CreditCard); now.sum("resilience4j_circuitbreaker_not_permitted_calls_total") != refused+1 || now.sum("http_server_requests_seconds_count", `outcome="SERVER_ERROR"`) != failures+1 {
		t.Errorf("a call that was not made does not count, nor do failures: %v", now.sum("http_server_requests_seconds_count", `outcome="SERVER_ERROR"`))
	}
	gone.Store(false)
	<-time.After(1500 * time.Millisecond)
	for range trials {
		call(200)
		if len(tokens) > 0 {
			is("half_open")
		}
	}
	is("closed")
}
