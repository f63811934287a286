package login

import (
	"io"
	"net/http"
	"testing"

	"ccms/internal/httpserver"
)

// BenchmarkValidate compares the answer to "is this token good" with an empty
// handler behind the same server; the aim is half of its rate.
func BenchmarkValidate(b *testing.B) {
	h := open(b)
	token := h.logIn(h.member("mary"))
	h.mux.Handle("GET /empty", httpserver.JSON(func(*http.Request, httpserver.None) (httpserver.Message, error) {
		return httpserver.Message{Message: "ok"}, nil
	}))
	for _, path := range []string{"/empty", "/api/customer/jwt/validate"} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				client := &http.Client{Transport: &http.Transport{}}
				defer client.CloseIdleConnections()
				for pb.Next() {
					r := must(http.NewRequest("GET", h.url+path, nil))
					r.Header.Set("Authorization", "Bearer "+token)
					res := must(client.Do(r))
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
					if res.StatusCode != 200 {
						b.Errorf("status %d", res.StatusCode)
					}
				}
			})
		})
	}
}

// BenchmarkSession is what validation costs without HTTP: a remembered
// signature and the customer with its sessions.
func BenchmarkSession(b *testing.B) {
	h := open(b)
	token := h.logIn(h.member("mary"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.s.sessions.Check(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
