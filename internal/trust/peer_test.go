package trust_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"ccms/internal/problem"
	"ccms/internal/trust"
)

func TestACallOfAnotherService(t *testing.T) {
	for _, tc := range []struct {
		name    string
		status  int
		body    string
		failure error
		away    bool // the contract's 503
	}{
		{"is answered", http.StatusOK, `{"n":7}`, nil, false},
		{"is refused", http.StatusForbidden, `{}`, nil, true},
		{"reaches nobody", 0, "", errors.New("refused"), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			peer := trust.Peer{Name: cardName, Client: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.Method != http.MethodPost || r.URL.String() != "http://creditcard-service/internal/x" {
					t.Errorf("asked %s %s", r.Method, r.URL)
				}
				return &http.Response{StatusCode: tc.status, Body: io.NopCloser(strings.NewReader(tc.body))}, tc.failure
			})}}
			var out struct {
				N int `json:"n"`
			}
			err := peer.Call(t.Context(), http.MethodPost, "/internal/x", &out)
			if p, ok := errors.AsType[*problem.Error](err); ok != tc.away || ok && p.Kind != problem.Unavailable {
				t.Errorf("got %v", err)
			}
			if !tc.away && (err != nil || out.N != 7) {
				t.Errorf("got %v, %v", out, err)
			}
		})
	}
	t.Run("is answered with what cannot be read", func(t *testing.T) {
		peer := trust.Peer{Name: cardName, Client: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("{"))}, nil
		})}}
		var out any
		if err := peer.Call(t.Context(), http.MethodGet, "/", &out); err == nil {
			t.Error("it was taken")
		}
		if err := peer.Call(t.Context(), http.MethodGet, "/", nil); err != nil {
			t.Errorf("nobody wants the answer, yet %v", err)
		}
	})
}
