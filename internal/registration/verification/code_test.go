package verification_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/meter"
	"ccms/internal/registration/verification"
	"ccms/internal/secret"
)

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func jwk(t testing.TB, key jose.JSONWebKey) jsontext.Value {
	t.Helper()
	b, err := key.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// codeIn is the JWE of the last call, "" when there was none.
func (f *firm) codeIn(call int) string {
	var q struct {
		Data struct {
			Code string `json:"code_jwe"`
		} `json:"data"`
	}
	bodies, _ := f.heard()
	if err := json.Unmarshal([]byte(bodies[call]), &q); err != nil {
		f.t.Fatal(err)
	}
	return q.Data.Code
}

func TestTheCodeReachesTheFirmEncrypted(t *testing.T) {
	r, e := rsaKey(t, 2048), ecKey(t, elliptic.P256())
	for _, tt := range []struct {
		name, alg string
		public    any
		private   any
	}{
		{"RSA", "RSA-OAEP-256", &r.PublicKey, r},
		{"EC", "ECDH-ES+A256KW", &e.PublicKey, e},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key := jwk(t, jose.JSONWebKey{Key: tt.public, KeyID: "key-1", Use: "enc"})
			f := newFirm(t, key, say(`{"decision":"approve","cvv_status":"matched"}`))
			f.p.HoldCode("reg_1", secret.NewString("0737"))
			f.p.HoldCode("reg_2", secret.NewString("123"))
			v, err := f.ask()
			if err != nil || v.CVVStatus != "matched" || v.Status != "verified" {
				t.Fatalf("%+v, %v", v, err)
			}
			jwe, err := jose.ParseEncryptedCompact(f.codeIn(0), []jose.KeyAlgorithm{jose.KeyAlgorithm(tt.alg)}, []jose.ContentEncryption{jose.A256GCM})
			if err != nil {
				t.Fatal(err)
			}
			code, err := jwe.Decrypt(tt.private)
			if err != nil || string(code) != "0737" || jwe.Header.KeyID != "key-1" {
				t.Errorf("%s, %v, kid %s", code, err, jwe.Header.KeyID)
			}
			if n := f.p.Held(); n != 1 {
				t.Errorf("%d codes are held after the answer, want the other one", n)
			}
			if v, err := f.ask(); err != nil || v.CVVStatus != "unavailable" || f.codeIn(1) != "" {
				t.Errorf("asked again: %+v, %v", v, err)
			}
		})
	}
}

func TestWhatBecomesOfTheCode(t *testing.T) {
	key := jwk(t, jose.JSONWebKey{Key: &ecKey(t, elliptic.P256()).PublicKey})
	for _, tt := range []struct {
		name, answer, status string
		held, asks           bool
	}{
		{"matched", `{"decision":"approve","cvv_status":"matched"}`, "matched", true, true},
		{"mismatched", `{"decision":"approve","cvv_status":"mismatched"}`, "mismatched", true, true},
		{"mismatched and declined", `{"decision":"decline","cvv_status":"mismatched"}`, "mismatched", true, true},
		{"unavailable", `{"decision":"approve","cvv_status":"unavailable"}`, "unavailable", true, true},
		{"not spoken of", `{"decision":"approve"}`, "unavailable", true, true},
		{"matched though it was lost", `{"decision":"approve","cvv_status":"matched"}`, "unavailable", false, true},
		{"matched though nobody asked for it", `{"decision":"approve","cvv_status":"matched"}`, "unchecked", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFirm(t, key, say(tt.answer))
			f.rules.Endpoint.SendCode = tt.asks
			if tt.held {
				f.p.HoldCode("reg_1", secret.NewString("737"))
			}
			if v, err := f.ask(); err != nil || v.CVVStatus != tt.status {
				t.Errorf("%+v, %v", v, err)
			}
			if sent := f.codeIn(0) != ""; sent != (tt.held && tt.asks) {
				t.Errorf("sent: %v", sent)
			}
			if n := f.p.Held(); n != 0 {
				t.Errorf("%d codes are held after the answer", n)
			}
		})
	}
}

func TestTheCodeWaitsForAnAnswer(t *testing.T) {
	up := false
	f := newFirm(t, jwk(t, jose.JSONWebKey{Key: &ecKey(t, elliptic.P384()).PublicKey}), func(w http.ResponseWriter, _ *http.Request) {
		if !up {
			w.WriteHeader(502)
			return
		}
		_, _ = io.WriteString(w, `{"decision":"approve","cvv_status":"matched"}`)
	})
	code := secret.NewString("737")
	f.p.HoldCode("reg_1", code)
	if code.Len() != 0 {
		t.Error("the caller's code is not wiped")
	}
	if _, err := f.ask(); unanswered(err) != "status" || f.p.Held() != 1 {
		t.Fatalf("%v, %d held", err, f.p.Held())
	}
	up = true
	if v, err := f.ask(); err != nil || v.CVVStatus != "matched" || f.p.Held() != 0 {
		t.Errorf("%+v, %v, %d held", v, err, f.p.Held())
	}
}

func TestCodesAreForgottenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config(newClock())
		c.Now, c.Codes = time.Now, 3
		p := open(t, c)
		done := make(chan error)
		ctx, stop := context.WithCancel(t.Context())
		go func() { done <- p.Run(ctx) }()

		p.HoldCode("reg_1", secret.NewString("111"))
		p.HoldCode("reg_1", secret.NewString("222")) // the latest counts
		sealed := p.Sealed("reg_1")
		time.Sleep(14 * time.Minute)
		synctest.Wait()
		if code, ok := p.Code("reg_1"); !ok || string(code) != "222" || p.Held() != 1 {
			t.Errorf("after 14 minutes: %q, %d held", code, p.Held())
		}
		p.HoldCode("reg_2", secret.NewString("333"))
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, ok := p.Code("reg_1"); ok || p.Held() != 1 || !bytes.Equal(sealed, make([]byte, len(sealed))) {
			t.Errorf("after 15 minutes: there %v, %d held, %x", ok, p.Held(), sealed)
		}
		p.DropCode("reg_2")
		p.DropCode("reg_2")
		if p.Held() != 0 {
			t.Errorf("after a drop: %d held", p.Held())
		}
		for i := range 5 {
			p.HoldCode(fmt.Sprint("reg_", i), secret.NewString("444"))
		}
		if _, ok := p.Code("reg_1"); ok || p.Held() != 3 {
			t.Errorf("more than fit: the oldest is there: %v, %d held", ok, p.Held())
		}
		stop()
		if err := <-done; err != nil || p.Held() != 0 {
			t.Errorf("at the end: %v, %d held", err, p.Held())
		}
		p.HoldCode("reg_9", secret.NewString("555"))
		if p.Held() != 0 {
			t.Error("held after the end")
		}
	})
}

func TestFirmsThatNobodyAsksAnyMoreAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config(newClock())
		c.Now = time.Now
		p := open(t, c)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		asked := caseOf(t, visa, verification.Rules{Endpoint: &verification.Endpoint{URL: "https://10.0.0.1:1/"}})
		asked.Mode = "live" // where that port is refused without a call
		if _, err := p.Ask(ctx, asked); unanswered(err) != "unacceptable" || p.Firms() != 1 {
			t.Errorf("%v, %d firms", err, p.Firms())
		}
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		if p.Firms() != 1 {
			t.Error("forgotten within the hour")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if p.Firms() != 0 {
			t.Error("remembered after an hour")
		}
		stop()
		<-done
	})
}

// TestNoSecretIsSaidAnywhere lets everything go wrong with a code, a secret and
// a URL that are easy to find, and looks for them.
func TestNoSecretIsSaidAnywhere(t *testing.T) {
	const canary = "canary"
	var said bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug})))
	log.SetOutput(&said)
	t.Cleanup(func() { slog.SetDefault(before); log.SetOutput(io.Discard) })

	key := jwk(t, jose.JSONWebKey{Key: &ecKey(t, elliptic.P256()).PublicKey})
	for i, handle := range []http.HandlerFunc{
		func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		say(`{"decision":"approve"}`), say(`{"decision":"canary"}`), say(canary), say(`{"decision":"decline","reason":"CANARY canary"}`),
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/canary", http.StatusFound) },
		func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		f := newFirm(t, key, handle)
		if i == 0 {
			f.waits(100 * time.Millisecond)
		}
		f.p.HoldCode("reg_1", secret.NewString(canary))
		v, err := f.ask()
		fmt.Fprintf(&said, "%v %+v %#v %v %+v\n", err, err, err, v, f.p)
		fmt.Fprint(&said, gather(t, f.p))
		bodies, _ := f.heard()
		said.WriteString(strings.Join(bodies, "\n"))
	}
	for _, form := range []string{canary, hex.EncodeToString([]byte(canary)), base64.StdEncoding.EncodeToString([]byte(canary)), "whsec_", fmt.Sprint([]byte(canary))} {
		if strings.Contains(said.String(), form) {
			t.Errorf("%s was said", form)
		}
	}
}

// gather is what an operator's monitoring reads.
func gather(t *testing.T, p *verification.Pipeline) string {
	t.Helper()
	var r meter.Registry
	r.Add(p.Collectors()...)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		for _, m := range f.Series {
			label := ""
			if l := m.Labels; len(l) == 1 {
				label = fmt.Sprintf("{%s=%q}", l[0].Name, l[0].Value)
			}
			fmt.Fprintf(&b, "%s%s %v\n", f.Name, label, m.Value)
		}
	}
	return b.String()
}
