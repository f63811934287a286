package bearer

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"ccms/internal/identity"
	"ccms/internal/problem"
)

func TestWhatIsNoTokenIsRefusedWithoutAsking(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		good := w.token()
		for name, values := range map[string][]string{
			"no header":         nil,
			"an empty header":   {""},
			"the scheme alone":  {"Bearer"},
			"another scheme":    {"Basic " + good},
			"the token alone":   {good},
			"two headers":       {"Bearer " + good, "Bearer " + good},
			"garbage":           {"Bearer garbage"},
			"a token too many":  {"Bearer " + good + " " + good},
			"a list":            {"Bearer " + good + ", Bearer " + good},
			"a megabyte of dot": {"Bearer " + strings.Repeat(".", 1<<20)},
		} {
			r := request(t.Context(), "")
			r.Header["Authorization"] = values
			if _, err := w.checker.Authenticate(r); !errors.Is(err, problem.NoToken()) {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.wantCalls(0, 0)
	})
}

func TestForgedAndExpiredTokensAreRefusedWithoutAskingForTheSession(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		forged := newSigner(t, "k1").token(t, time.Hour)
		old := w.signer.token(t, time.Minute)
		time.Sleep(time.Minute)
		oldForged := newSigner(t, "k1").token(t, -time.Minute)
		w.wants(forged, unauthorized)
		w.wants(old, expired)
		w.wants(oldForged, unauthorized)
		w.wantCalls(1, 0)
		w.stop() // nor does it matter whether the login service lives
		w.wants(forged, unauthorized)
		w.wants(old, expired)
		w.wantStats(Closed, 0, 0)
	})
}

func TestTheCurrentStateWinsOverTheClaims(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p, code := w.ask(w.token())
		if code != "" || p.Subject != "cus_7" || p.Session != "ses_1" || p.Username != "johndoe" ||
			p.Email != "new@example.com" || !p.Validated || !p.Has(identity.ScopeCards) {
			t.Errorf("%q, %+v", code, p)
		}
		w.answers(http.StatusOK, `{"valid":true,"username":"johndoe","email":"e","accountValidated":false,"scope":"account","exp":1}`)
		p, code = w.ask(w.token())
		if code != "" || p.Validated || p.Has(identity.ScopeCards) || p.Email != "e" || p.Expires.Unix() != 1 {
			t.Errorf("%q, %+v", code, p)
		}
	})
}

func TestAClientsTokenIsWhatTheLoginServiceSaysOfItNow(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers(http.StatusOK, `{"valid":true,"firm_id":"firm_1","client_id":"client_1","scope":"cards:read","exp":4102444800}`)
		token := w.signer.says(t, identity.Claims{
			Subject: "client_1", ClientID: "client_1", FirmID: "firm_1", Mode: "live", Scope: "cards:read cards:reveal",
			Expires: time.Now().Add(10 * time.Minute).Unix(),
		})
		p, code := w.ask(token)
		if code != "" || p.FirmID != "firm_1" || p.ClientID != "client_1" || p.Mode != "live" || p.Username != "" || p.Validated {
			t.Errorf("%q, %+v", code, p)
		}
		if !p.Has(identity.ScopeRead) || p.Has(identity.ScopeReveal) || p.Has(identity.ScopeCards) {
			t.Errorf("scope %q: what was taken away must be gone", p.Scope)
		}
		w.answers(http.StatusUnauthorized, "") // revoked, or the firm suspended
		w.wants(token, "")
		time.Sleep(memory)
		w.wants(token, unauthorized)
	})
}

func TestTheLoginServicesRefusalsAreAnswersAndNeverRemembered(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		token := w.token()
		w.answers(http.StatusUnauthorized, `{"error":"Invalid or missing token","errorCode":"UNAUTHORIZED"}`)
		w.wants(token, unauthorized)
		w.wants(token, unauthorized)
		w.answers(http.StatusForbidden, `{"error":"Token has expired","errorCode":"TOKEN_EXPIRED"}`)
		w.wants(token, expired)
		w.answers(http.StatusOK, answer)
		w.wants(token, "")
		w.wantCalls(1, 4)
		w.wantStats(Closed, 4, 0)
	})
}

func TestAPositiveAnswerIsRememberedForLessThanASecond(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		token := w.token()
		w.wants(token, "")
		w.answers(http.StatusUnauthorized, "") // logged out elsewhere
		time.Sleep(900*time.Millisecond - 1)
		w.wants(token, "")
		w.wantCalls(1, 1)
		time.Sleep(time.Nanosecond)
		w.wants(token, unauthorized)
		w.wantCalls(1, 2)
		if h := w.checker.lag.Collect()[0].Series[0]; h.Count != 1 || h.Value < 0.89 || h.Value > 0.9 {
			t.Errorf("the lag is shown as %v", h)
		}
	})
}

func TestTheTimeAnAnswerTakesCountsAsPartOfItsMemory(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		token := w.token()
		w.set(func() {
			w.answerDo = func(rw http.ResponseWriter, _ *http.Request) {
				time.Sleep(600 * time.Millisecond) // decided first, sent late
				_, _ = rw.Write([]byte(answer))
			}
		})
		w.wants(token, "")
		time.Sleep(299 * time.Millisecond)
		w.wants(token, "")
		w.wantCalls(1, 1)
		time.Sleep(time.Millisecond)
		w.wants(token, "")
		w.wantCalls(1, 2)
	})
}

func TestNothingIsRememberedPastTheEndOfTheToken(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		token := w.signer.token(t, time.Second)
		time.Sleep(500 * time.Millisecond)
		w.wants(token, "")
		time.Sleep(500 * time.Millisecond)
		w.wants(token, expired)
		w.wantCalls(1, 1)
	})
}

func TestASlowLoginServiceIsATimeOutAfterTwoSeconds(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.wants(w.token(), "")
		w.hangs()
		start := time.Now()
		w.wants(w.token(), timedOut)
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %v", took)
		}
		w.wantStats(Closed, 1, 1)
	})
}

func TestAnAnswerThatStopsHalfWayIsATimeOut(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.set(func() {
			w.answerDo = func(rw http.ResponseWriter, r *http.Request) {
				_, _ = rw.Write([]byte(`{"valid":true`))
				_ = http.NewResponseController(rw).Flush()
				<-r.Context().Done()
			}
		})
		w.wants(w.token(), timedOut)
		w.wantStats(Closed, 0, 1)
	})
}

func TestSlowKeysAndASlowSessionShareTheTwoSeconds(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.set(func() { w.keysDo = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() } })
		start := time.Now()
		w.wants(w.token(), "") // without keys the login service decides
		if took := time.Since(start); took != time.Second {
			t.Errorf("slow keys: took %v", took)
		}
		time.Sleep(keysPause)
		w.hangs()
		start = time.Now()
		w.wants(w.token(), timedOut)
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("slow in both: took %v", took)
		}
	})
}

func TestAnswersThatDecideNothing(t *testing.T) {
	for name, c := range map[string]struct {
		status  int
		body    string
		want    string
		failure bool
	}{
		"500":                    {500, "", unavailable, true},
		"502":                    {502, "", unavailable, true},
		"503":                    {503, "", unavailable, true},
		"its own time-out":       {504, "", timedOut, true},
		"an empty 200":           {200, "", unavailable, true},
		"not valid":              {200, `{"valid":false}`, unavailable, true},
		"no JSON":                {200, "<html>", unavailable, true},
		"a member twice":         {200, `{"valid":false,"valid":true}`, unavailable, true},
		"a member of wrong type": {200, `{"valid":"true"}`, unavailable, true},
		"an endless body":        {200, `{"valid":true,"x":"` + strings.Repeat("x", answerLimit) + `"}`, unavailable, true},
		"429":                    {429, "", unavailable, false},
		"404":                    {404, "", unavailable, false},
		"another 403":            {403, `{"errorCode":"FORBIDDEN"}`, unavailable, false},
		"a 403 without a body":   {403, "", unavailable, false},
		"204":                    {204, "", unavailable, false},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.answers(c.status, c.body)
				w.wants(w.token(), c.want)
				if c.failure {
					w.wantStats(Closed, 0, 1)
				} else {
					w.wantStats(Closed, 1, 0)
				}
			})
		})
	}
}

func TestRetryAfterIsPassedOnWithinReason(t *testing.T) {
	for sent, want := range map[string]time.Duration{
		"": time.Second, "7": 7 * time.Second, "0": time.Second, "-5": time.Second, "soon": time.Second,
		"86400": time.Minute, "99999999999999999999": time.Second, "9223372036854775807": time.Minute,
	} {
		inWorld(t, func(t *testing.T, w *world) {
			w.set(func() {
				w.answerDo = func(rw http.ResponseWriter, _ *http.Request) {
					rw.Header().Set("Retry-After", sent)
					rw.WriteHeader(http.StatusServiceUnavailable)
				}
			})
			_, err := w.checker.Authenticate(request(t.Context(), w.token()))
			if got := problem.From(err).RetryAfter; got != want {
				t.Errorf("%q: %v", sent, got)
			}
		})
	}
}

func TestARedirectDoesNotCarryTheTokenAway(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.set(func() {
			w.answerDo = func(rw http.ResponseWriter, r *http.Request) {
				http.Redirect(rw, r, "http://LOGIN-SERVICE/api/customer/jwt/validate?again", http.StatusTemporaryRedirect)
			}
		})
		w.wants(w.token(), unavailable)
		w.wantCalls(1, 1)
	})
}

func TestTheTokenTravelsInTheHeaderOnly(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		token := w.token()
		w.set(func() {
			w.answerDo = func(rw http.ResponseWriter, r *http.Request) {
				if r.RequestURI != "/api/customer/jwt/validate" || r.Header.Get("Authorization") != "Bearer "+token || r.Host != "LOGIN-SERVICE" {
					t.Errorf("%s at %s with %v", r.RequestURI, r.Host, r.Header)
				}
				_, _ = rw.Write([]byte(answer))
			}
			w.keysDo = func(_ http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "" {
					t.Error("the key set was asked for with a token")
				}
			}
		})
		w.wants(token, "")
	})
}

func TestErrorsDoNotHoldTheToken(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		token := w.token()
		for _, status := range []int{500, 503, 429, 401} {
			w.answers(status, token)
			_, err := w.checker.Authenticate(request(t.Context(), token))
			if err == nil || strings.Contains(fmt.Sprintf("%v %+v", err, problem.From(err)), token) {
				t.Errorf("%v", err)
			}
		}
		w.stop()
		_, err := w.checker.Authenticate(request(t.Context(), token))
		if err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("%v", err)
		}
	})
}

// hs256 is a login service that publishes no keys.
func hs256(w *world) func(life time.Duration) string {
	w.set(func() { w.keys = nil })
	secret := make([]byte, 32)
	return func(life time.Duration) string {
		return sign(w.t, jose.SigningKey{Algorithm: jose.HS256, Key: secret}, "s1", life)
	}
}

func TestWithoutPublishedKeysTheLoginServiceDecidesAlone(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		token := hs256(w)
		p, code := w.ask(token(time.Hour))
		if code != "" || p.Subject != "cus_7" || p.Email != "new@example.com" {
			t.Errorf("%q, %+v", code, p)
		}
		w.answers(http.StatusUnauthorized, "")
		w.wants(token(time.Hour), unauthorized)
		w.answers(http.StatusForbidden, `{"errorCode":"TOKEN_EXPIRED"}`)
		w.wants(token(-time.Hour), unauthorized) // expired before it was issued: no token of ours
		w.wants(token(0), expired)
		w.wantCalls(1, 3)
	})
}

func TestWhatIsNoTokenOfOursIsRefusedWithoutAskingEvenWithoutKeys(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		hs256(w)
		w.wants("a.b.c", unauthorized)
		w.wants("e30.e30.e30", unauthorized)
		w.wantCalls(0, 0)
	})
}
