package bearer

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/identity"
	"ccms/internal/problem"
)

// FuzzAnswer gives a session any status and body: only a 200 that says
// "valid": true, once, is a positive answer, and nothing else than 5xx and an
// unintelligible 200 is a failure.
func FuzzAnswer(f *testing.F) {
	f.Add(200, []byte(answer))
	f.Add(200, []byte(`{"valid":true,"exp":-9223372036854775808}`))
	f.Add(200, []byte(`{"valid":false,"VALID":true}`))
	f.Add(403, []byte(`{"errorCode":"TOKEN_EXPIRED"}`))
	f.Add(403, []byte(`[]`))
	f.Add(503, []byte(nil))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		l := login{base: "http://LOGIN-SERVICE", client: &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}, nil
		})}}
		s, err := l.validate(t.Context(), "a.b.c")
		if err == nil {
			var plain map[string]any
			if status != http.StatusOK || json.Unmarshal(body, &plain) != nil || plain["valid"] != true || !s.Valid {
				t.Fatalf("%d %q is a positive answer", status, body)
			}
			return
		}
		if _, ok := errors.AsType[*problem.Error](err); !ok && !(status >= 300 && status < 400) {
			t.Errorf("%d: %v is no problem", status, err)
		}
		if failed := errors.Is(err, errFailure); failed && status != http.StatusOK && status < 500 {
			t.Errorf("%d counts as a failure", status)
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	key := newSigner(b, "k1")
	client := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		body := []byte(answer)
		if r.URL.Path == "/.well-known/jwks.json" {
			jwk, _ := key.jwk().MarshalJSON()
			body = []byte(`{"keys":[` + string(jwk) + `]}`)
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}, nil
	})}
	c := New(Config{Issuer: testIssuer, Audience: "ccms", Client: client, Log: slog.New(slog.DiscardHandler)})
	defer c.Close()
	token := key.token(b, time.Hour)
	b.Run("remembered", func(b *testing.B) {
		r := request(b.Context(), token)
		for b.Loop() {
			if _, err := c.Authenticate(r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("asked", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.check(b.Context(), token, identity.DigestOf(token)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
