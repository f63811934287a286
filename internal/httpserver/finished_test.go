package httpserver_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"ccms/internal/httpserver"
	"ccms/internal/secret"
)

func TestAnAnswerOfSecretBytesIsSentAsItIsAndWiped(t *testing.T) {
	text := []byte(`{"number":"made of digits"}`)
	mux := httpserver.NewMux(slog.New(slog.DiscardHandler))
	mux.Handle("GET /number", httpserver.JSON(func(*http.Request, httpserver.None) (secret.Bytes, error) {
		return secret.New(text), nil
	}))
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/number", http.NoBody))
	if rec.Body.String() != `{"number":"made of digits"}` || rec.Header().Get("Content-Type") != "application/json; charset=utf-8" || rec.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("got %v %s", rec.Header(), rec.Body)
	}
	for _, b := range text {
		if b != 0 {
			t.Fatalf("%q is left in memory", text)
		}
	}
}
