package verification_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	published "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"ccms/internal/registration/verification"
	"ccms/internal/secret"
	"ccms/internal/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// firm is a firm with an endpoint, as its engineers would build it.
type firm struct {
	t       *testing.T
	p       *verification.Pipeline
	rules   verification.Rules
	secrets []secret.Bytes // as they were shown, the newest last
	handle  http.HandlerFunc
	url     string

	mu     sync.Mutex
	bodies []string
	heads  []http.Header
}

// newFirm sets an endpoint that handle answers, and the code's key if any.
func newFirm(t *testing.T, key jsontext.Value, handle http.HandlerFunc) *firm {
	t.Helper()
	f := &firm{t: t, handle: handle}
	server := httptest.NewUnstartedServer(f)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	f.url = server.URL + "/canary"
	t.Cleanup(server.Close)
	f.waits(30 * time.Second)
	f.adopt(&verification.Endpoint{URL: f.url, SendCode: key != nil, CodeKey: key})
	return f
}

// waits has the firm asked by a pipeline that waits so long for an answer.
func (f *firm) waits(d time.Duration) {
	client := webhook.NewClient(webhook.ClientConfig{AllowPrivate: true, Total: d})
	f.t.Cleanup(client.Close)
	f.p = open(f.t, verification.Config{Client: client, Secret: webhook.NewSecret()})
}

func (f *firm) adopt(e *verification.Endpoint) {
	f.t.Helper()
	rules, made, err := f.p.Adopt(verification.Change{FirmID: "firm_1", Mode: "test", Before: f.rules, After: verification.Rules{Endpoint: e}})
	if err != nil {
		f.t.Fatal(err)
	}
	f.rules = rules
	if made.Len() > 0 {
		f.secrets = append(f.secrets, made)
	}
}

func (f *firm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.bodies, f.heads = append(f.bodies, string(body)), append(f.heads, r.Header)
	f.mu.Unlock()
	f.handle(w, r)
}

func (f *firm) ask() (verification.Verdict, error) { return f.p.Ask(f.t.Context(), f.question()) }

func (f *firm) question() verification.Case {
	c := caseOf(f.t, visa, f.rules)
	c.Number.Wipe()
	return c
}

func (f *firm) calls() int {
	bodies, _ := f.heard()
	return len(bodies)
}

// heard is what the endpoint was sent.
func (f *firm) heard() ([]string, []http.Header) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.bodies), slices.Clone(f.heads)
}

func say(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }
}

func unanswered(err error) string {
	if u, ok := errors.AsType[*verification.Unanswered](err); ok {
		return u.Class
	}
	return fmt.Sprint(err)
}

func TestAFirmIsAskedInSignedWords(t *testing.T) {
	f := newFirm(t, nil, say(`{"decision":"approve"}`))
	for range 2 {
		if v, err := f.ask(); err != nil || v.Status != "verified" || v.CVVStatus != "unchecked" {
			t.Fatalf("%+v, %v", v, err)
		}
	}
	theirs, err := published.NewWebhook(string(bytes.Clone(f.secrets[0].Reveal())))
	if err != nil {
		t.Fatal(err)
	}
	bodies, heads := f.heard()
	for i, body := range bodies {
		if err := theirs.Verify([]byte(body), heads[i]); err != nil {
			t.Error(err)
		}
		if id := heads[i].Get("webhook-id"); id != "verify_reg_1" {
			t.Errorf("call %d has the id %q", i+1, id)
		}
	}
	var got struct {
		Type, Timestamp string
		Data            map[string]string
	}
	if err := json.Unmarshal([]byte(bodies[0]), &got, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"registration_id": "reg_1", "token": "tok_1", "bin": "411111", "last4": "1111", "brand": "Visa",
		"expiry": "03/2030", "reference": "order-7", "mode": "test",
	}
	if got.Type != "registration.verify" || fmt.Sprint(got.Data) != fmt.Sprint(want) {
		t.Errorf("asked %s", bodies[0])
	}
	if at, err := time.Parse(time.RFC3339, got.Timestamp); err != nil || !strings.HasSuffix(got.Timestamp, "Z") || time.Since(at) > time.Minute {
		t.Errorf("at %s", got.Timestamp)
	}
	if strings.Contains(strings.Join(bodies, ""), visa) {
		t.Error("the number was sent")
	}
}

func TestAnswers(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, `{"decision":"approve"}`)
		}
	}
	for _, tt := range []struct {
		name           string
		answer         http.HandlerFunc
		status, reason string
		class          string
	}{
		{"approve", say(`{"decision":"approve"}`), "verified", "", ""},
		{"approve with white space", say(" {\"decision\" : \"approve\"}\n"), "verified", "", ""},
		{"approve with a reason, which says nothing", say(`{"decision":"approve","reason":"vip"}`), "verified", "", ""},
		{"decline", say(`{"decision":"decline"}`), "rejected", "declined", ""},
		{"decline with a reason", say(`{"decision":"decline","reason":"customer_blocked"}`), "rejected", "customer_blocked", ""},
		{"a status of a code that nobody sent", say(`{"decision":"approve","cvv_status":"matched"}`), "verified", "", ""},
		{"no decision", say(`{}`), "", "", "malformed"},
		{"null", say(`null`), "", "", "malformed"},
		{"another decision", say(`{"decision":"Approve"}`), "", "", "malformed"},
		{"a list", say(`[{"decision":"approve"}]`), "", "", "malformed"},
		{"an unknown member", say(`{"decision":"approve","note":"x"}`), "", "", "malformed"},
		{"a member twice", say(`{"decision":"decline","decision":"approve"}`), "", "", "malformed"},
		{"a member in other case", say(`{"Decision":"approve"}`), "", "", "malformed"},
		{"something after it", say(`{"decision":"approve"}{}`), "", "", "malformed"},
		{"half of it", say(`{"decision":"appro`), "", "", "malformed"},
		{"another type", say(`{"decision":true}`), "", "", "malformed"},
		{"bytes that are no text", say("{\"decision\":\"approve\",\"reason\":\"\xff\"}"), "", "", "malformed"},
		{"an unknown status of the code", say(`{"decision":"approve","cvv_status":"yes"}`), "", "", "malformed"},
		{"a reason of other letters", say(`{"decision":"decline","reason":"No!"}`), "", "", "malformed"},
		{"a reason that is too long", say(`{"decision":"decline","reason":"` + strings.Repeat("a", 41) + `"}`), "", "", "malformed"},
		{"a reason with a card number", say(`{"decision":"decline","reason":"card_4111111111111111"}`), "", "", "malformed"},
		{"nothing", say(""), "", "", "malformed"},
		{"a page", say("<html>approve</html>"), "", "", "malformed"},
		{"status 201", status(201), "", "", "status"},
		{"status 204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "", "", "status"},
		{"status 401", status(401), "", "", "status"},
		{"status 500", status(500), "", "", "status"},
		{"a redirect to loopback", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		}, "", "", "status"},
		{"a huge body", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte(" "), 1<<20)) }, "", "", "too_large"},
		{"a compressed flood", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(make([]byte, 4<<20))
			_ = z.Close()
		}, "", "", "malformed"},
		{"a connection that breaks", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", "", "unreachable"},
		{"a connection that breaks in the answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "22")
			_, _ = io.WriteString(w, `{"decision"`)
		}, "", "", "unreachable"},
		{"silence", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "", "", "too_slow"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFirm(t, nil, tt.answer)
			if tt.class == webhook.TooSlow {
				f.waits(100 * time.Millisecond)
			}
			v, err := f.ask()
			if tt.class != "" {
				if unanswered(err) != tt.class {
					t.Errorf("got %+v, %v", v, err)
				}
				return
			}
			if err != nil || v.Status != tt.status || v.Reason != tt.reason || v.CVVStatus != "unchecked" {
				t.Errorf("got %+v, %v", v, err)
			}
		})
	}
}

func TestAnEndpointThatIsGoneAsksNobody(t *testing.T) {
	f := newFirm(t, nil, say(`{"decision":"decline"}`))
	c := f.question()
	c.Rules.Endpoint = nil
	if v, err := f.p.Ask(t.Context(), c); err != nil || v.Status != "verified" || f.calls() != 0 {
		t.Errorf("%+v, %v after %d calls", v, err, f.calls())
	}
}

func TestALiveRegistrationIsNotAskedForOverHTTP(t *testing.T) {
	f := newFirm(t, nil, say(`{"decision":"approve"}`))
	c := f.question()
	c.Mode = "live"
	if _, err := f.p.Ask(t.Context(), c); unanswered(err) != "unacceptable" || f.calls() != 0 {
		t.Errorf("%v after %d calls", err, f.calls())
	}
}

// TestADeadEndpointHoldsNobodyUp asks a firm that never answers and one that
// does, with as many workers as a queue has.
func TestADeadEndpointHoldsNobodyUp(t *testing.T) {
	release := make(chan struct{})
	dead := newFirm(t, nil, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	var group sync.WaitGroup
	classes := make(chan string, 40)
	for range cap(classes) {
		group.Go(func() {
			_, err := dead.ask()
			classes <- unanswered(err)
		})
	}
	waiting := 0
	for range cap(classes) - 8 { // those beyond the firm's share come back at once
		if <-classes == "waiting" {
			waiting++
		}
	}
	if waiting != cap(classes)-8 || dead.calls() > 8 {
		t.Errorf("%d came back at once, %d calls were made", waiting, dead.calls())
	}
	close(release)
	group.Wait()
}

func TestAnEndpointThatFailsIsLeftAloneForAWhile(t *testing.T) {
	clock := newClock()
	fail := true
	f := newFirm(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		if fail {
			w.WriteHeader(503)
			return
		}
		_, _ = io.WriteString(w, `{"decision":"approve"}`)
	})
	f.p = open(t, verification.Config{Client: webhook.NewClient(webhook.ClientConfig{AllowPrivate: true}), Secret: webhook.NewSecret(), Now: clock.Now})
	expect := func(class string, calls int) {
		t.Helper()
		if _, err := f.ask(); unanswered(err) != class || f.calls() != calls {
			t.Fatalf("got %v after %d calls, want %s after %d", err, f.calls(), class, calls)
		}
	}
	for i := range 5 {
		expect("status", i+1)
	}
	expect("waiting", 5)
	clock.Advance(29 * time.Second)
	expect("waiting", 5)
	clock.Advance(time.Second)
	expect("status", 6)
	expect("waiting", 6)
	other := f.question()
	other.FirmID = "firm_2"
	if _, err := f.p.Ask(t.Context(), other); unanswered(err) != "status" {
		t.Errorf("another firm: %v", err)
	}
	fail = false
	clock.Advance(30 * time.Second)
	for i := range 10 {
		expect("<nil>", 8+i)
	}
}

func TestACallerWhoLeavesIsNoFailureOfTheFirm(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := newFirm(t, nil, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	for range 7 {
		if _, err := f.p.Ask(ctx, f.question()); err != context.Canceled {
			t.Fatalf("got %v", err)
		}
	}
}

func TestOutcomesAreCounted(t *testing.T) {
	f := newFirm(t, nil, say(`{"decision":"approve"}`))
	_, _ = f.ask()
	c := caseOf(t, visa, verification.Rules{Velocity: "refuse"})
	c.RegisteredToday = 10
	f.p.Judge(c)
	got := gather(t, f.p)
	for _, want := range []string{
		`ccms_verification_asks_total{outcome="verified"} 1`,
		`ccms_verification_asks_total{outcome="waiting"} 0`,
		`ccms_verification_flags_total{rule="velocity_card"} 1`,
		`ccms_verification_refusals_total{reason="velocity_card"} 1`,
		`ccms_verification_refusals_total{reason="bin_denied"} 0`,
		`ccms_verification_codes_held 0`,
	} {
		if !slices.Contains(strings.Split(got, "\n"), want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func FuzzReadReply(f *testing.F) {
	for _, s := range []string{`{"decision":"approve"}`, `{"decision":"decline","reason":"x_1","cvv_status":"matched"}`, `{}`, `null`, `{"decision":"approve","decision":"decline"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		decision, reason, code, ok := verification.ReadReply(body)
		if !ok {
			return
		}
		if decision != "approve" && decision != "decline" || !slices.Contains([]string{"", "matched", "mismatched", "unavailable"}, code) {
			t.Errorf("%q passes as %s, %s", body, decision, code)
		}
		if len(reason) == 0 || len(reason) > 40 || strings.Trim(reason, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			t.Errorf("%q passes with the reason %q", body, reason)
		}
	})
}
