package registration_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"ccms/internal/registration"
	"ccms/internal/store/storetest"
)

// endpoint is a firm's own.
type endpoint struct {
	url string
	mu  sync.Mutex
	// says is what it answers; "" is a failure.
	says  string
	asked []string // bodies
}

func newEndpoint(t *testing.T, says string) *endpoint {
	e := &endpoint{says: says}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.asked = append(e.asked, string(b))
		if e.says == "" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, e.says)
	}))
	t.Cleanup(srv.Close)
	e.url = srv.URL
	return e
}

func (e *endpoint) say(words string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.says = words
}

func (e *endpoint) calls() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.asked...)
}

// use makes e the endpoint of firm_a in test mode, with more members of it.
func (w *world) use(e *endpoint, more string) {
	w.t.Helper()
	a := w.do(call{
		method: "PUT", path: "/v1/settings", as: client("firm_a", "test"),
		body: fmt.Sprintf(`{"verification":{"endpoint":{"url":%q%s}}}`, e.url, more),
	})
	want(w.t, a, 200, "")
}

// run runs a service until stop is called, at the latest when the test ends.
func (w *world) run(s *registration.Service) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	w.t.Cleanup(stop)
	return stop
}

// until waits for something to become true.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(2 * time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s never came", what)
		}
	}
}

func (w *world) becomes(t *testing.T, id, want string) status {
	t.Helper()
	as := client("firm_a", "test")
	until(t, want, func() bool { return w.statusOf(as, id).Status == want })
	return w.statusOf(as, id)
}

func TestTheFirmsEndpointDecides(t *testing.T) {
	for _, c := range []struct{ name, says, status, reason string }{
		{"approves", `{"decision":"approve"}`, "verified", ""},
		{"declines", `{"decision":"decline"}`, "rejected", "declined"},
		{"declines for a reason", `{"decision":"decline","reason":"not_our_customer"}`, "rejected", "not_our_customer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			e := newEndpoint(t, c.says)
			w.use(e, "")
			id := w.register(client("firm_a", "test"), visa, member{"reference", `"order 7"`})
			if got := w.statusOf(client("firm_a", "test"), id); got != (status{ID: id, Status: "pending"}) {
				t.Errorf("before it was asked: %+v", got)
			}
			w.run(w.service)
			got := w.becomes(t, id, c.status)
			if got.Reason != c.reason || (got.Token != "") != (c.status == "verified") {
				t.Errorf("got %+v", got)
			}
			asked := strings.Join(e.calls(), "\n")
			if len(e.calls()) != 1 || !strings.Contains(asked, id) || !strings.Contains(asked, "order 7") || strings.Contains(asked, visa) {
				t.Errorf("asked %s", asked)
			}
			until(t, "the record", func() bool { return len(w.acts(t, "registration.decide", "success")) > 0 })
			if on := w.acts(t, "registration.decide", "success"); len(on) != 1 || on[0].Object != id || on[0].Owner != "firm_a" || !strings.HasPrefix(on[0].Reason, c.status) {
				t.Errorf("on record: %+v", on)
			}
		})
	}
}

func TestAnEndpointThatIsDownIsAskedAgain(t *testing.T) {
	w := newWorld(t)
	e := newEndpoint(t, "")
	w.use(e, "")
	id := w.register(client("firm_a", "test"), visa)
	w.run(w.service)
	until(t, "the first call", func() bool { return len(e.calls()) == 1 })
	if got := w.statusOf(client("firm_a", "test"), id); got.Status != "pending" {
		t.Errorf("got %+v", got)
	}
	e.say(`{"decision":"approve"}`)
	w.clock.Advance(time.Minute)
	w.becomes(t, id, "verified")
}

func TestAnEndpointThatNeverAnswersEndsInFailure(t *testing.T) {
	w := newWorld(t)
	e := newEndpoint(t, "")
	w.use(e, "")
	id := w.register(client("firm_a", "test"), visa)
	w.clock.Advance(time.Hour)
	w.run(w.service)
	if got := w.becomes(t, id, "failed"); got.Reason != "no_answer" || got.Token != "" {
		t.Errorf("got %+v", got)
	}
	if rows := w.listAll(client("firm_a", "test"), "status=failed"); len(rows) != 1 || rows[0].ID != id {
		t.Errorf("listed %+v", rows)
	}
}

// codeKey is a public key for codes as a member of the settings.
func codeKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	b, err := json.Marshal(jose.JSONWebKey{Key: &key.PublicKey, Use: "enc"})
	must(t, err)
	return `,"send_code":true,"code_key":` + string(b)
}

func TestTheFirmThatAsksForTheCodeGetsIt(t *testing.T) {
	w := newWorld(t)
	e := newEndpoint(t, `{"decision":"approve","cvv_status":"matched"}`)
	w.use(e, codeKey(t))
	id := w.register(client("firm_a", "test"), visa, member{"cvv", `"739"`})
	w.run(w.service)
	if got := w.becomes(t, id, "verified"); got.CVVStatus != "matched" {
		t.Errorf("got %+v", got)
	}
	if asked := e.calls()[0]; !strings.Contains(asked, "code_jwe") || strings.Contains(asked, "739") {
		t.Errorf("asked %s", asked)
	}
}

// TestARestartLosesTheCodeAndNothingElse: the process that accepted the
// registration dies before it asks; the next one asks without the code.
func TestARestartLosesTheCodeAndNothingElse(t *testing.T) {
	w := newWorld(t)
	e := newEndpoint(t, `{"decision":"approve","cvv_status":"matched"}`)
	w.use(e, codeKey(t))
	id := w.register(client("firm_a", "test"), visa)
	w.service, w.handler = w.process()
	w.run(w.service)
	w.clock.Advance(time.Minute)
	if got := w.becomes(t, id, "verified"); got.CVVStatus != "unavailable" {
		t.Errorf("got %+v", got)
	}
	if asked := strings.Join(e.calls(), ""); strings.Contains(asked, "code_jwe") || strings.Count(asked, id) != 1 {
		t.Errorf("asked %s", asked)
	}
}

// TestTheOneWhoAcceptedAsksFirst: another process on the same store leaves the
// first call to it.
func TestTheOneWhoAcceptedAsksFirst(t *testing.T) {
	w := newWorld(t)
	accepting, handler := w.service, w.handler
	other, _ := w.process()
	w.run(other)
	e := newEndpoint(t, `{"decision":"approve","cvv_status":"mismatched"}`)
	w.handler = handler
	w.use(e, codeKey(t))
	id := w.register(client("firm_a", "test"), visa)
	w.run(accepting)
	if got := w.becomes(t, id, "verified"); got.CVVStatus != "mismatched" {
		t.Errorf("got %+v", got)
	}
}

func TestADeletedRegistrationIsNotAskedFor(t *testing.T) {
	w := newWorld(t)
	e := newEndpoint(t, `{"decision":"approve"}`)
	w.use(e, "")
	as := client("firm_a", "test")
	gone := w.register(as, visa)
	want(t, w.do(call{method: "DELETE", path: "/v1/registrations/" + gone, as: as}), 200, "")
	kept := w.register(as, visa)
	w.run(w.service)
	w.clock.Advance(time.Minute)
	w.becomes(t, kept, "verified")
	if asked := strings.Join(e.calls(), ""); strings.Contains(asked, gone) {
		t.Errorf("asked %s", asked)
	}
}

// TestAPendingOneIsAlwaysAskedFor stops the process at each write of a pending
// registration: the firm is asked about what was kept, and never about what was
// not.
func TestAPendingOneIsAlwaysAskedFor(t *testing.T) {
	for _, collection := range []string{"RegistrationOutbox", "Registration"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprint(collection, " after ", after), func(t *testing.T) {
				w := newWorld(t)
				e := newEndpoint(t, `{"decision":"approve"}`)
				w.use(e, "")
				w.db.Add(storetest.Rule{Collection: collection, Op: storetest.Insert, After: after, Err: errors.New("pulled plug")})
				as := client("firm_a", "test")
				want(t, w.do(keyed(registerCall(as, visa), "k")), 503, "DATABASE_ERROR")
				w.db.Clear()
				w.clock.Advance(time.Minute)
				w.service, w.handler = w.process()
				again := w.do(keyed(registerCall(as, visa), "k"))
				want(t, again, 201, "")
				w.run(w.service)
				w.clock.Advance(time.Minute)
				w.becomes(t, decode[status](t, again).ID, "verified")
				if all := w.listAll(as, ""); len(all) != 1 {
					t.Errorf("there are %+v", all)
				}
			})
		}
	}
}

func TestTheBuiltInRulesJudgeAtOnce(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	for _, c := range []struct{ rules, number, status, reason string }{
		{`{"brands":["Visa"]}`, visa, "verified", ""},
		{`{"brands":["Visa"]}`, mastercard, "rejected", "brand_not_accepted"},
		{`{"bin_deny":["411111"]}`, visa, "rejected", "bin_denied"},
		{`{"bin_allow":["555555"]}`, visa, "rejected", "bin_not_allowed"},
		{`{"bin_allow":["555555"]}`, mastercard, "verified", ""},
	} {
		t.Run(c.rules+" "+c.status, func(t *testing.T) {
			want(t, w.do(call{method: "PUT", path: "/v1/settings", as: as, body: `{"verification":` + c.rules + `}`}), 200, "")
			got := w.statusOf(as, w.register(as, c.number))
			if got.Status != c.status || got.Reason != c.reason || (got.Token == "") != (c.status == "rejected") {
				t.Errorf("got %+v", got)
			}
		})
	}
	if got := w.statusOf(client("firm_b", "test"), w.register(client("firm_b", "test"), visa)); got.Status != "verified" {
		t.Errorf("one firm's rules judged another's card: %+v", got)
	}
}

func TestTheTenthRegistrationOfACardInADay(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	for range 9 {
		w.register(as, visa)
		w.clock.Advance(time.Second) // so that the list has an order
	}
	if rows := w.listAll(as, ""); len(rows[0].Flags) != 0 {
		t.Errorf("the ninth is flagged %q", rows[0].Flags)
	}
	w.register(as, visa)
	rows := w.listAll(as, "")
	if row := rows[0]; len(row.Flags) != 1 || row.Flags[0] != "velocity_card" || row.Status != "verified" {
		t.Errorf("the tenth is %+v", row)
	}
	on := w.acts(t, "registration.create", "success")
	if last := on[len(on)-1]; last.Reason != "verified, velocity_card" {
		t.Errorf("on record it is %+v", last)
	}
	want(t, w.do(call{method: "PUT", path: "/v1/settings", as: as, body: `{"verification":{"velocity":"refuse"}}`}), 200, "")
	w.clock.Advance(time.Second)
	if got := w.statusOf(as, w.register(as, visa)); got.Status != "rejected" || got.Reason != "velocity_card" {
		t.Errorf("refused it is %+v", got)
	}
	w.clock.Advance(24 * time.Hour)
	if got := w.statusOf(as, w.register(as, visa)); got.Status != "verified" {
		t.Errorf("the next day it is %+v", got)
	}
}
