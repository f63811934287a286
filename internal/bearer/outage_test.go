package bearer

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ccms/internal/identity"
	"ccms/internal/problem"
)

func TestAStoppedLoginServiceOpensTheBreakerAndItsReturnClosesIt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.wants(w.token(), "")
		w.stop()
		for range 3 { // with the success these are four results, not yet a window
			w.wants(w.token(), unavailable)
		}
		w.wantStats(Closed, 1, 3)
		w.wants(w.token(), unavailable)
		w.wantStats(Open, 1, 4)

		w.start()
		_, err := w.checker.Authenticate(request(t.Context(), w.token()))
		if e := problem.From(err); e.Code != unavailable || e.RetryAfter != 10*time.Second {
			t.Errorf("open: %v, retry after %v", err, e.RetryAfter)
		}
		w.wants(newSigner(t, "k1").token(t, time.Hour), unauthorized) // the signature is checked all the same
		w.wantCalls(1, 1)

		time.Sleep(10 * time.Second)
		for range 9 {
			w.wants(w.token(), "")
		}
		w.wantStats(HalfOpen, 10, 4)
		w.wants(w.token(), "")
		w.wantStats(Closed, 11, 4)
	})
}

func TestATokenRememberedServesWhileTheBreakerIsOpen(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		token := w.token()
		w.wants(token, "")
		w.stop()
		for range 4 {
			w.wants(w.token(), unavailable)
		}
		w.wants(token, "")
		time.Sleep(memory)
		w.wants(token, unavailable)
	})
}

func TestTimeOutsOpenTheBreaker(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.hangs()
		for range 5 {
			w.wants(w.token(), timedOut)
		}
		start := time.Now()
		w.wants(w.token(), unavailable)
		if time.Since(start) != 0 {
			t.Errorf("an open breaker took %v", time.Since(start))
		}
		w.wantStats(Open, 0, 5)
	})
}

func TestOfAHundredCallersAtTheHalfOpenInstantTenReachTheLoginService(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers(http.StatusInternalServerError, "")
		for range 5 {
			w.wants(w.token(), unavailable)
		}
		open := make(chan struct{})
		w.set(func() {
			w.asked = 0
			w.answerDo = func(rw http.ResponseWriter, _ *http.Request) {
				<-open
				_, _ = rw.Write([]byte(answer))
			}
		})
		time.Sleep(10 * time.Second)
		var passed, refused atomic.Int32
		var wg sync.WaitGroup
		for range 100 {
			token := w.token()
			wg.Go(func() {
				switch _, err := w.checker.Authenticate(request(w.t.Context(), token)); {
				case err == nil:
					passed.Add(1)
				case errors.Is(err, problem.ServiceUnavailable(0)):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if n := refused.Load(); n != 90 {
			t.Errorf("%d refused while ten are under way", n)
		}
		w.wantCalls(1, 10)
		close(open)
		wg.Wait()
		if n := passed.Load(); n != 10 {
			t.Errorf("%d passed", n)
		}
		w.wantStats(Closed, 10, 5)
	})
}

func TestAnOpenBreakerAlsoSparesTheKeySet(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.set(func() { w.keysDo = func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(500) } })
		w.answers(http.StatusInternalServerError, "")
		for range 5 {
			w.wants(w.token(), unavailable)
		}
		time.Sleep(keysPause)
		w.wants(w.token(), unavailable)
		w.wantCalls(1, 5)
	})
}

func TestACallerWhoLeavesIsNoFailureAndReturnsHisPermit(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.wants(w.token(), "")
		w.hangs()
		for range 10 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			if _, err := w.checker.Authenticate(request(ctx, w.token())); !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		}
		w.checker.Close()
		w.wantStats(Closed, 1, 0)
	})
}

func TestACallersOwnDeadlineIsATimeOutButNoFailure(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.wants(w.token(), "")
		w.hangs()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.checker.Authenticate(request(ctx, w.token())); word(t, err) != timedOut {
			t.Errorf("%v", err)
		}
		w.checker.Close()
		w.wantStats(Closed, 1, 0)
	})
}

func TestConcurrentChecksOfOneTokenShareOneCall(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		open := make(chan struct{})
		w.set(func() {
			w.answerDo = func(rw http.ResponseWriter, _ *http.Request) {
				<-open
				_, _ = rw.Write([]byte(answer))
			}
		})
		token := w.token()
		first, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := w.checker.Authenticate(request(first, token)); !errors.Is(err, context.Canceled) {
				t.Errorf("the one who left: %v", err)
			}
		})
		synctest.Wait() // he began the call
		for range 49 {
			wg.Go(func() {
				if p, err := w.checker.Authenticate(request(w.t.Context(), token)); err != nil || p.Subject != "cus_7" {
					t.Errorf("%v", err)
				}
			})
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		close(open)
		wg.Wait()
		w.wantCalls(1, 1)
		w.wantStats(Closed, 1, 0)
	})
}

func TestWhenAllHaveLeftTheCallEndsAndTheNextStartsAfresh(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.wants(w.token(), "")
		w.hangs()
		token := w.token()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { _, _ = w.checker.Authenticate(request(ctx, token)) })
		}
		synctest.Wait()
		start := time.Now()
		cancel()
		wg.Wait()
		w.checker.Close()
		if time.Since(start) != 0 {
			t.Error("the call went on without anyone waiting")
		}
		w.set(func() { w.answerDo = nil })
		w.wants(token, "")
		w.wantStats(Closed, 2, 0)
	})
}

func TestWhoComesAfterAllHaveLeftDoesNotJoinTheCancelledCall(t *testing.T) {
	var g flights[string, int]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ending := make(chan struct{})
	if _, err := g.do(ctx, "k", func(context.Context) (int, error) { <-ending; return 1, nil }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if n, err := g.do(t.Context(), "k", func(context.Context) (int, error) { return 2, nil }); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	close(ending)
	g.running.Wait()
}

// transport is a RoundTripper as the registry's client gives it.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestNoInstanceAtAllIsUnavailableAndOneFailure(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		tried := 0
		w.client = &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
			tried++
			return nil, errors.New("no instance of LOGIN-SERVICE")
		})}
		w.checker = w.with(Config{})
		w.wants(w.token(), unavailable)
		w.wantStats(Closed, 0, 1)
		if tried != 2 { // keys, session
			t.Errorf("tried %d times", tried)
		}
	})
}

func TestAPanicInACheckIsAnErrorAndAFailure(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Authorization") != "" {
				panic("broken")
			}
			return nil, errors.New("no keys")
		})}
		w.checker = w.with(Config{})
		if _, err := w.checker.Authenticate(request(t.Context(), w.token())); err == nil {
			t.Error("authenticated")
		}
		w.wantStats(Closed, 0, 1)
	})
}

// The same over sockets: a real server that is shut down.
func TestOverSocketsAStoppedServerIsUnavailableAndAnOpenBreakerAnswersWithinFiveMilliseconds(t *testing.T) {
	key := newSigner(t, "k1")
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/jwks.json" {
			b, _ := key.jwk().MarshalJSON()
			_, _ = rw.Write([]byte(`{"keys":[` + string(b) + `]}`))
			return
		}
		_, _ = rw.Write([]byte(answer))
	}))
	c := New(Config{Issuer: testIssuer, Audience: "ccms", Client: server.Client(), LoginURL: server.URL, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(c.Close)
	ask := func() (identity.Principal, string) {
		p, err := c.Authenticate(request(t.Context(), key.token(t, time.Hour)))
		return p, word(t, err)
	}
	if _, code := ask(); code != "" {
		t.Fatal(code)
	}
	server.Close()
	for range 4 {
		if _, code := ask(); code != unavailable {
			t.Fatalf("%q", code)
		}
	}
	if c.Breaker().State() != Open {
		t.Fatal(c.Breaker().State())
	}
	best := time.Hour
	for range 20 {
		token := key.token(t, time.Hour)
		start := time.Now()
		_, err := c.Authenticate(request(t.Context(), token))
		best = min(best, time.Since(start))
		if word(t, err) != unavailable {
			t.Fatal(err)
		}
	}
	if best > 5*time.Millisecond {
		t.Errorf("an open breaker took %v", best)
	}
}
