package idempotency_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"ccms/internal/clocktest"
	"ccms/internal/idempotency"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store/sqlitestore"
	"ccms/internal/store/storetest"
)

// world is one store that any number of processes share.
type world struct {
	clock  *clocktest.Clock
	path   string
	db     *storetest.Fault // around sqlite
	key    secret.Bytes
	sealer sealer
}

func newWorld(t *testing.T) *world {
	w := &world{path: filepath.Join(t.TempDir(), "test.db")}
	w.clock = clocktest.At(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))
	db, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: w.path, Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w.db, w.key, w.sealer = storetest.NewFault(db), secret.NewString(rand.Text()), newSealer(t)
	return w
}

// keys is the register as one process has it.
func (w *world) keys(t *testing.T) *idempotency.Keys {
	t.Helper()
	k, err := idempotency.Open(t.Context(), idempotency.Config{DB: w.db, Key: w.key, Sealer: w.sealer, Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// sealer is AES-256-GCM under one key, bound to purpose and id.
type sealer struct{ aead cipher.AEAD }

func newSealer(t *testing.T) sealer {
	block, err := aes.NewCipher([]byte(rand.Text() + rand.Text())[:32])
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return sealer{aead}
}

func (s sealer) Seal(_ context.Context, purpose, id string, plaintext []byte) ([]byte, error) {
	return s.aead.Seal(nil, nil, plaintext, []byte(purpose+"/"+id)), nil
}

func (s sealer) Open(_ context.Context, purpose, id string, sealed []byte) (secret.Bytes, error) {
	b, err := s.aead.Open(nil, nil, sealed, []byte(purpose+"/"+id))
	return secret.New(b), err
}

func request(key, body string, ids ...string) idempotency.Request {
	return idempotency.Request{Principal: "alice", Route: "POST /cards", Key: key, Body: []byte(body), IDs: ids}
}

// answering returns an act that answers body, and counts its runs in n.
func answering(n *int, body string) idempotency.Act {
	return func(context.Context, []string) ([]byte, error) {
		*n++
		return []byte(body), nil
	}
}

func failing(n *int, err error) idempotency.Act {
	return func(context.Context, []string) ([]byte, error) {
		*n++
		return nil, err
	}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	e, ok := errors.AsType[*problem.Error](err)
	if !ok || e.Code != code {
		t.Fatalf("error %v, want %s", err, code)
	}
}

func wantBody(t *testing.T, body []byte, err error, want string) {
	t.Helper()
	if err != nil || string(body) != want {
		t.Fatalf("got %q, %v; want %q", body, err, want)
	}
}
