package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"ccms/client"
)

func parseQuery(text string) (url.Values, error) { return url.ParseQuery(text) }

func after(status int, value string) answer {
	a := refusal(status, "X")
	a.header = map[string]string{"Retry-After": value}
	return a
}

func TestWhatIsTriedAgainAndWhen(t *testing.T) {
	register := func(ctx context.Context, c *client.Client) error { _, err := c.Register(ctx, aCard()); return err }
	status := func(ctx context.Context, c *client.Client) error { _, err := c.Status(ctx, "r1"); return err }
	reveal := func(ctx context.Context, c *client.Client) error { _, err := c.Reveal(ctx, "tok", "x"); return err }
	erase := func(ctx context.Context, c *client.Client) error { return c.DeleteCard(ctx, "tok") }
	link := func(ctx context.Context, c *client.Client) error {
		_, err := c.CreateLink(ctx, client.NewLink{})
		return err
	}
	broken := answer{}
	cutOff := answer{status: 201, body: `{"registration_id":`, cut: true}
	tests := []struct {
		name        string
		call        func(context.Context, *client.Client) error
		first       []answer // then it succeeds
		tries       int
		least, most time.Duration
		fails       bool
	}{
		{"a registration after a broken connection", register, []answer{broken, broken}, 3, 300 * time.Millisecond, 600 * time.Millisecond, false},
		{"a registration whose answer broke off", register, []answer{cutOff}, 2, 100 * time.Millisecond, 200 * time.Millisecond, false},
		{"a registration after 503", register, []answer{refusal(503, "SERVICE_UNAVAILABLE")}, 2, 100 * time.Millisecond, 200 * time.Millisecond, false},
		{"a registration after a proxy's 502", register, []answer{{status: 502, body: "<html>"}}, 2, 100 * time.Millisecond, 200 * time.Millisecond, false},
		{"a registration after 504", register, []answer{refusal(504, "TIMEOUT")}, 2, 100 * time.Millisecond, 200 * time.Millisecond, false},
		{"a registration while the first try runs", register, []answer{refusal(409, client.CodeInProgress)}, 2, 100 * time.Millisecond, 200 * time.Millisecond, false},
		{"a status after 429", status, []answer{after(429, "7")}, 2, 7 * time.Second, 7200 * time.Millisecond, false},
		{"a time as Retry-After", status, []answer{after(503, "Sat, 01 Jan 2000 00:00:09 GMT")}, 2, 9 * time.Second, 9200 * time.Millisecond, false},
		{"a Retry-After that says nothing", status, []answer{after(503, "soon")}, 2, 100 * time.Millisecond, 200 * time.Millisecond, false},
		{"a Retry-After beyond patience", status, []answer{after(429, "3600")}, 1, 0, 0, true},
		{"a conflict of another kind", register, []answer{refusal(409, "CARD_EXISTS")}, 1, 0, 0, true},
		{"a mistake", register, []answer{refusal(400, client.CodeInvalidCard)}, 1, 0, 0, true},
		{"an internal error", status, []answer{refusal(500, "SERVER_ERROR")}, 1, 0, 0, true},
		{"a reveal", reveal, []answer{broken}, 1, 0, 0, true},
		{"a reveal after 503", reveal, []answer{after(503, "1")}, 1, 0, 0, true},
		{"an erasure", erase, []answer{broken}, 1, 0, 0, true},
		{"a link", link, []answer{broken}, 1, 0, 0, true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // the clock begins at 2000-01-01T00:00:00Z
				s := &service{say: func(n int, _ asked) answer {
					if n < len(tc.first) {
						return tc.first[n]
					}
					return made()
				}}
				began := time.Now()
				err := tc.call(t.Context(), s.open(t))
				if took := time.Since(began); took < tc.least || took > tc.most {
					t.Errorf("took %s, not %s to %s", took, tc.least, tc.most)
				}
				if (err != nil) != tc.fails || len(s.asked) != tc.tries {
					t.Errorf("%d tries, %v", len(s.asked), err)
				}
				for _, q := range s.asked {
					if q.key != s.asked[0].key || q.body != s.asked[0].body {
						t.Error("the tries differ")
					}
				}
			})
		})
	}
}

func TestPatienceEnds(t *testing.T) {
	tests := []struct {
		name     string
		retryFor time.Duration // 0 is the default
		within   time.Duration // of the context, 0 for none
		least    time.Duration
		most     time.Duration
	}{
		{"after a minute by default", 0, 0, 35 * time.Second, time.Minute},
		{"when the Config says", 5 * time.Second, 0, 1500 * time.Millisecond, 5 * time.Second},
		{"at once when it says never", -1, 0, 0, 0},
		{"before the context does", 0, 3 * time.Second, time.Second, 3 * time.Second},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{say: func(int, asked) answer { return refusal(503, "SERVICE_UNAVAILABLE") }}
				c := s.open(t, func(cfg *client.Config) { cfg.RetryFor = tc.retryFor })
				ctx := t.Context()
				if tc.within > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tc.within)
					defer cancel()
				}
				began := time.Now()
				_, err := c.Status(ctx, "r1")
				if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != 503 {
					t.Errorf("the reason is lost: %v", err)
				}
				if took := time.Since(began); took < tc.least || took > tc.most {
					t.Errorf("gave up after %s", took)
				}
			})
		})
	}
}

func TestACallThatIsEndedEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		s := &service{say: func(int, asked) answer { return after(503, "30") }}
		began := time.Now()
		if _, err := s.open(t).Status(ctx, "r1"); err == nil || time.Since(began) != time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func TestErrorsSayWhatTheServiceSaid(t *testing.T) {
	a := refusal(429, client.CodeInvalidCard)
	a.header = map[string]string{"Retry-After": "12", "X-Request-Id": "req-1"}
	s := &service{say: func(int, asked) answer { return a }}
	_, err := s.open(t, func(cfg *client.Config) { cfg.RetryFor = -1 }).Status(t.Context(), "r1")
	want := client.Error{
		Message: "A sentence", Code: client.CodeInvalidCard, Timestamp: time.Date(2027, 3, 10, 8, 0, 0, 0, time.UTC),
		Path: "/register", Details: "What to do.", Status: 429, RetryAfter: 12 * time.Second, RequestID: "req-1",
	}
	if e, ok := errors.AsType[*client.Error](err); !ok || *e != want {
		t.Errorf("%+v", err)
	}
	if text := fmt.Sprint(err); text != "ccms: 429 INVALID_CARD: A sentence: What to do." {
		t.Errorf("it reads %q", text)
	}
	a = answer{status: 200, body: "<html>4111111111111111"}
	if _, err = s.open(t).Status(t.Context(), "r1"); err == nil || fmt.Sprint(err) != "ccms: the answer to GET /status/r1 is not what the service says; is the base URL right?" {
		t.Errorf("%v", err)
	}
}
