package outbox

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"ccms/internal/clocktest"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

// box seals with a key of its own.
type box struct{ cipher.AEAD }

func newBox(t testing.TB) box {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return box{gcm}
}

func (b box) Seal(_ context.Context, purpose, id string, plaintext []byte) ([]byte, error) {
	return b.AEAD.Seal(nil, nil, plaintext, []byte(purpose+"\n"+id)), nil
}

func (b box) Open(_ context.Context, purpose, id string, sealed []byte) (secret.Bytes, error) {
	plain, err := b.AEAD.Open(nil, nil, sealed, []byte(purpose+"\n"+id))
	return secret.New(plain), err
}

// fixture is a queue whose only handler, for kind "k", hands each message to
// the test and returns what the test answers.
type fixture struct {
	*testing.T
	*Queue
	cfg   Config
	clock *clocktest.Clock
	log   *bytes.Buffer
	calls chan call
}

type call struct {
	Message
	answer chan error
}

func setUp(t *testing.T, change func(*Config)) *fixture {
	// It begins now, since the store lets dead letters expire by its own clock.
	f := &fixture{T: t, clock: clocktest.At(time.Now()), log: new(bytes.Buffer), calls: make(chan call)}
	f.cfg = Config{
		DB: storetest.New(t), Sealer: newBox(t), Poll: 2 * time.Millisecond, Now: f.clock.Now,
		Log: slog.New(slog.NewTextHandler(f.log, nil)),
	}
	f.cfg.Handlers = map[string]Handler{"k": func(ctx context.Context, m Message) error {
		m.Payload = bytes.Clone(m.Payload)
		c := call{m, make(chan error)}
		select {
		case f.calls <- c:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case err := <-c.answer:
			return err
		case <-t.Context().Done(): // the test has failed
			return t.Context().Err()
		}
	}}
	if change != nil {
		change(&f.cfg)
	}
	f.Queue = connect(t, f.cfg)
	return f
}

func connect(t testing.TB, cfg Config) *Queue {
	t.Helper()
	q, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// run runs q until stop is called, at the latest when the test ends.
func run(t testing.TB, q *Queue) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error)
	go func() { done <- q.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func put(t testing.TB, q *Queue, m Message) {
	t.Helper()
	if err := q.Put(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func message(id string) Message {
	return Message{ID: id, Kind: "k", Owner: "o", Payload: []byte("says " + id)}
}

// letter returns what is stored, ok false when it is gone.
func (f *fixture) letter(id string) (letter, bool) {
	f.Helper()
	r, err := f.docs.Get(f.Context(), id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		f.Fatal(err)
	}
	return r.Value, err == nil
}

// until waits for what another goroutine is about to do.
func (f *fixture) until(what string, ok func() bool) {
	f.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(2 * time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			f.Fatalf("never: %s", what)
		}
	}
}

func (f *fixture) gone(id string) {
	f.Helper()
	f.until(id+" is erased", func() bool { _, there := f.letter(id); return !there })
}

func (f *fixture) putOff(id string, tries int) letter {
	f.Helper()
	var l letter
	f.until(fmt.Sprint(id, " is put off after try ", tries), func() bool {
		if f.has(id) { // asked first: what is read then is settled
			return false
		}
		l, _ = f.letter(id)
		return l.Tries == tries && l.State == queued
	})
	return l
}

// has reports whether a worker has the message in hand.
func (f *fixture) has(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.busy[id]
}

var errDown = errors.New("receiver is down")
