package trust_test

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"ccms/internal/identity"
	"ccms/internal/secret"
	"ccms/internal/trust"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestEveryRequestIsProven(t *testing.T) {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	prover := identity.NewProver(secret.New(key), nil)
	for _, tc := range []struct{ name, url, purpose string }{
		{"what somebody asked the portal", "http://LOGIN-SERVICE/api/customer/signup", identity.PurposeForward},
		{"what our services ask each other", "http://login-service/internal/sessions", identity.PurposeInternal},
		{"a path that only begins alike", "http://login-service/internally", identity.PurposeForward},
		{"a path with an escape", "http://login-service/api/a%2Fb", identity.PurposeForward},
	} {
		t.Run(tc.name, func(t *testing.T) {
			asked := httptest.NewRequest(http.MethodPost, tc.url, nil)
			asked.Header.Set(identity.ProofHeader, "of the caller")
			next := roundTrip(func(r *http.Request) (*http.Response, error) {
				purpose, err := prover.Check(r.Header.Get(identity.ProofHeader), loginName, r.Method, r.URL.EscapedPath())
				if err != nil || purpose != tc.purpose {
					t.Errorf("purpose %q, %v", purpose, err)
				}
				if _, err := prover.Check(r.Header.Get(identity.ProofHeader), cardName, r.Method, r.URL.EscapedPath()); err == nil {
					t.Error("the proof is good for another service")
				}
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
			})
			res, err := trust.Proving(next, prover).RoundTrip(asked)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if asked.Header.Get(identity.ProofHeader) != "of the caller" {
				t.Error("the caller's request was changed")
			}
		})
	}
}

func TestVouchReplacesWhatTheCallerClaims(t *testing.T) {
	for _, tc := range []struct {
		name   string
		client netip.Addr
		want   string
	}{
		{"a client that is known", netip.MustParseAddr("192.0.2.7"), "192.0.2.7"},
		{"a client that is not", netip.Addr{}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("X-Forwarded-For", "203.0.113.9")
			trust.Vouch(r, tc.client)
			if got := r.Header.Get("X-Forwarded-For"); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
