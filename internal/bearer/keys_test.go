package bearer

import (
	"context"
	"crypto/rsa"
	"math/big"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

func TestTokensOfUnknownKeysCauseOneFetchInFiveSeconds(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		garbage := func() string { return newSigner(t, "k9").token(t, time.Hour) }
		for range 10 {
			w.wants(garbage(), unauthorized)
		}
		w.wantCalls(1, 0)
		time.Sleep(keysPause)
		for range 10 {
			w.wants(garbage(), unauthorized)
		}
		w.wantCalls(2, 0)
	})
}

func TestARotatedKeyIsFoundByAskingAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.wants(w.token(), "")
		next := newSigner(t, "k2")
		w.set(func() { w.keys = append(w.keys, next.jwk()) })
		time.Sleep(keysPause)
		w.wants(next.token(t, time.Hour), "")
		w.wants(w.token(), "")
		w.wantCalls(2, 3)
	})
}

func TestCallersWhoNeedTheKeysAtOnceShareTheFetch(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		for range 30 {
			token := w.token()
			wg.Go(func() { w.wants(token, "") })
		}
		wg.Wait()
		w.wantCalls(1, 30)
	})
}

func TestTheKeysAreFetchedAgainAfterFiveMinutesAndOldOnesServeWhileThatFails(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.wants(w.token(), "")
		w.set(func() {
			w.keysDo = func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) }
		})
		time.Sleep(keysAge)
		w.wants(w.token(), "")
		w.wants(newSigner(t, "k1").token(t, time.Hour), unauthorized) // still checked here
		w.wantCalls(2, 2)
		time.Sleep(keysPause)
		retired := w.token()
		w.set(func() { w.keysDo, w.keys = nil, []jose.JSONWebKey{newSigner(t, "k2").jwk()} })
		w.wants(retired, unauthorized)
		w.wantCalls(3, 2)
	})
}

func TestATokenVerifiedBeforeIsCheckedAnewWhenItsKeyIsExchanged(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		token := w.token()
		w.wants(token, "")
		time.Sleep(keysAge)
		w.wants(token, "") // the same key, fetched again
		w.set(func() { w.keys = []jose.JSONWebKey{newSigner(t, "k1").jwk()} })
		time.Sleep(keysAge)
		w.wants(token, unauthorized)
		w.wantCalls(3, 2)
	})
}

func TestKeySetsThatAreNoneLeaveTheDecisionToTheLoginService(t *testing.T) {
	for name, body := range map[string]string{
		"nothing": "", "no JSON": "<html>", "a list": "[]", "no keys": `{"keys":[]}`, "null": "null",
		"a secret": `{"keys":[{"kty":"oct","alg":"HS256","use":"sig","kid":"k1","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`,
		"no id":    `{"keys":[{"kty":"oct","k":"AA"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.set(func() { w.keysDo = func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(body)) } })
				w.wants(w.token(), "")
				w.wantCalls(1, 1)
				w.answers(http.StatusUnauthorized, "")
				w.wants(w.token(), unauthorized)
			})
		})
	}
}

func TestOnlyPublicSigningKeysWithAnIDAreTaken(t *testing.T) {
	good := newSigner(t, "k1")
	private, other, unnamed, encrypting := good.jwk(), newSigner(t, "k1").jwk(), good.jwk(), good.jwk()
	private.Key, private.KeyID = good.key, "private"
	unnamed.KeyID = ""
	encrypting.KeyID, encrypting.Use = "enc", "enc"
	secret := jose.JSONWebKey{Key: []byte("s"), KeyID: "oct", Use: "sig", Algorithm: "HS256"}
	got := usable(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{private, good.jwk(), other, unnamed, encrypting, secret}}, nil)
	if len(got) != 1 || !same(got["k1"], new(good.jwk())) {
		t.Errorf("%v", got)
	}
}

func TestSameComparesSubstance(t *testing.T) {
	a, b := newSigner(t, "k1").jwk(), newSigner(t, "k1").jwk()
	renamed, rsaKey := a, a
	renamed.Algorithm = "ES384"
	rsaKey.Key = &rsa.PublicKey{N: big.NewInt(7), E: 3}
	if !same(&a, new(a)) || same(&a, &b) || same(&a, &renamed) || same(&a, &rsaKey) || same(&jose.JSONWebKey{}, &a) {
		t.Error("wrong")
	}
}

func TestACallerWhoLeavesDuringTheFetchDoesNotSpoilIt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		open := make(chan struct{})
		w.set(func() {
			body, _ := w.signer.jwk().MarshalJSON()
			w.keysDo = func(rw http.ResponseWriter, _ *http.Request) {
				<-open
				_, _ = rw.Write([]byte(`{"keys":[` + string(body) + `]}`))
			}
		})
		var wg sync.WaitGroup
		for range 3 {
			token := w.token()
			wg.Go(func() { w.wants(token, "") })
		}
		synctest.Wait()
		close(open)
		wg.Wait()
		w.wantCalls(1, 3)
	})
}

func TestAFetchThatEndedBecauseItsCallerLeftIsNotATry(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.set(func() { w.keysDo = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() } })
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if _, err := w.checker.Authenticate(request(ctx, w.token())); err == nil {
			t.Error("authenticated")
		}
		w.checker.Close()
		w.set(func() { w.keysDo = nil })
		w.wants(newSigner(t, "k1").token(t, time.Hour), unauthorized) // checked here, with keys
		w.wantCalls(2, 0)
	})
}
