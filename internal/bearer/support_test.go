package bearer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"ccms/internal/identity"
	"ccms/internal/problem"
)

const testIssuer = "https://cards.example"

// network carries connections between a real HTTP client and a real HTTP
// server without sockets, so that both run on synctest's clock.
type network struct {
	conns chan net.Conn
	down  atomic.Bool
}

func (n *network) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	if n.down.Load() {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	client, server := net.Pipe()
	select {
	case n.conns <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// listener is one server's end of a network.
type listener struct {
	*network
	closed chan struct{}
	once   sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{} }

// signer is a login service's key.
type signer struct {
	kid string
	key *ecdsa.PrivateKey
}

func newSigner(t testing.TB, kid string) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{kid, key}
}

func (s signer) jwk() jose.JSONWebKey {
	return jose.JSONWebKey{Key: &s.key.PublicKey, KeyID: s.kid, Algorithm: "ES256", Use: "sig"}
}

// token signs a customer's claims; each has an id of its own.
func (s signer) token(t testing.TB, life time.Duration) string {
	return sign(t, jose.SigningKey{Algorithm: jose.ES256, Key: s.key}, s.kid, life)
}

func sign(t testing.TB, key jose.SigningKey, kid string, life time.Duration) string {
	t.Helper()
	return issue(t, key, kid, identity.Claims{
		Subject: "cus_7", Session: "ses_1", Username: "johndoe", Email: "old@example.com", Validated: new(false), Scope: "account cards",
		Expires: time.Now().Add(life).Unix(),
	})
}

// says signs other claims.
func (s signer) says(t testing.TB, c identity.Claims) string {
	return issue(t, jose.SigningKey{Algorithm: jose.ES256, Key: s.key}, s.kid, c)
}

func issue(t testing.TB, key jose.SigningKey, kid string, c identity.Claims) string {
	t.Helper()
	c.Issuer, c.Audience, c.TokenID, c.IssuedAt = testIssuer, "ccms", rand.Text(), time.Now().Unix()
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// answer is what the login service says about a session.
const answer = `{"valid":true,"username":"johndoe","email":"new@example.com","accountValidated":true,"scope":"account cards","exp":4102444800}`

// world is a Checker and the login service it asks.
type world struct {
	t       *testing.T
	net     *network
	server  *http.Server
	serving sync.WaitGroup
	client  *http.Client
	checker *Checker
	signer  signer

	mu       sync.Mutex
	keys     []jose.JSONWebKey
	keysDo   http.HandlerFunc // default: publish keys
	answerDo http.HandlerFunc // default: answer
	fetched  int              // key sets
	asked    int              // sessions
}

// inWorld runs f on a fake clock.
func inWorld(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, net: &network{conns: make(chan net.Conn)}, signer: newSigner(t, "k1")}
		w.keys = []jose.JSONWebKey{w.signer.jwk()}
		transport := &http.Transport{DialContext: w.net.DialContext}
		w.client = &http.Client{Transport: transport}
		w.checker = w.with(Config{})
		w.start()
		f(t, w)
		w.checker.Close()
		transport.CloseIdleConnections()
		w.stop()
	})
}

func (w *world) with(cfg Config) *Checker {
	cfg.Issuer, cfg.Audience, cfg.Client, cfg.Log = testIssuer, "ccms", w.client, slog.New(slog.DiscardHandler)
	return New(cfg)
}

func (w *world) start() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/jwks.json", func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.fetched++
		set, do := jose.JSONWebKeySet{Keys: w.keys}, w.keysDo
		w.mu.Unlock()
		if do != nil {
			do(rw, r)
			return
		}
		b, _ := json.Marshal(set)
		_, _ = rw.Write(b)
	})
	mux.HandleFunc("GET /api/customer/jwt/validate", func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.asked++
		do := w.answerDo
		w.mu.Unlock()
		if do != nil {
			do(rw, r)
			return
		}
		_, _ = rw.Write([]byte(answer))
	})
	w.server = &http.Server{Handler: mux}
	w.net.down.Store(false)
	l := &listener{network: w.net, closed: make(chan struct{})}
	w.serving.Go(func() { _ = w.server.Serve(l) })
}

// stop ends the login service: connections break, new ones are refused.
func (w *world) stop() {
	w.net.down.Store(true)
	_ = w.server.Close()
	w.serving.Wait()
	synctest.Wait()
}

func (w *world) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// answers makes the login service answer every session with a status and body.
func (w *world) answers(status int, body string) {
	w.set(func() {
		w.answerDo = func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte(body))
		}
	})
}

// hangs makes the login service accept and never answer.
func (w *world) hangs() {
	w.set(func() { w.answerDo = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() } })
}

// calls is how often keys and sessions were asked for.
func (w *world) calls() (fetched, asked int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fetched, w.asked
}

func (w *world) wantCalls(fetched, asked int) {
	w.t.Helper()
	if f, a := w.calls(); f != fetched || a != asked {
		w.t.Fatalf("asked for keys %d times and for sessions %d times, want %d and %d", f, a, fetched, asked)
	}
}

func (w *world) token() string { return w.signer.token(w.t, time.Hour) }

func request(ctx context.Context, token string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/creditcards", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// ask authenticates and returns the word the caller would see.
func (w *world) ask(token string) (identity.Principal, string) {
	p, err := w.checker.Authenticate(request(w.t.Context(), token))
	return p, word(w.t, err)
}

func word(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*problem.Error](err)
	if !ok {
		t.Fatalf("%v is no problem", err)
	}
	return e.Code
}

func (w *world) wants(token, want string) {
	w.t.Helper()
	if _, got := w.ask(token); got != want {
		w.t.Fatalf("got %q, want %q", got, want)
	}
}

// wantStats compares the breaker with what must have been counted.
func (w *world) wantStats(state string, successes, failures uint64) {
	w.t.Helper()
	if s := w.checker.Breaker().Stats(); s.State != state || s.Successes != successes || s.Failures != failures {
		w.t.Fatalf("breaker %+v, want %s after %d successes and %d failures", s, state, successes, failures)
	}
}

const (
	unauthorized = "UNAUTHORIZED"
	expired      = "TOKEN_EXPIRED"
	unavailable  = "SERVICE_UNAVAILABLE"
	timedOut     = "TIMEOUT"
)
