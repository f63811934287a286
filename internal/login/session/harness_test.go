package session

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/login/customer"
	"ccms/internal/login/trail"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
	"ccms/internal/vault/keyring"
)

// house holds sessions with real parts around them, reached over HTTP.
type house struct {
	t         *testing.T
	s         *Sessions
	fault     *storetest.Fault
	customers *customer.Collection
	issuer    *identity.Issuer
	url       string
	clock     atomic.Int64 // ahead of the real one
}

func open(t *testing.T) *house {
	t.Helper()
	db, log := storetest.NewFault(storetest.New(t)), slog.New(slog.DiscardHandler)
	h := &house{t: t, fault: db}
	keys := must(identity.OpenKeys(t.Context(), identity.KeysConfig{DB: db, Sealer: ring(t, db), Now: h.now}))
	record := must(audit.Open(t.Context(), audit.Config{DB: db, Key: secret.NewString(strings.Repeat("a", 32)), Now: h.now}))
	h.customers = must(customer.Open(t.Context(), db))
	h.issuer = identity.NewIssuer(identity.IssuerConfig{Keys: keys, Issuer: "https://cards.example.com", Audience: "ccms", Now: h.now})
	h.s = New(Config{
		Customers: h.customers, Issuer: h.issuer,
		Verifier: identity.NewVerifier(identity.VerifierConfig{Issuer: "https://cards.example.com", Audience: "ccms", Lookup: keys.Lookup, Now: h.now}),
		Trail:    trail.New(record), Clients: h.client, TTL: time.Hour, Idle: 15 * time.Minute, Now: h.now,
	})
	mux := httpserver.NewMux(log)
	h.s.Routes(mux)
	ctx, cancel := context.WithCancel(t.Context())
	server := must(httpserver.Listen(ctx, httpserver.Config{
		Name: "login", Addr: "127.0.0.1:0", Handler: mux, Log: log,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}))
	h.url = server.URL()
	var running sync.WaitGroup
	running.Go(func() { _ = server.Run(ctx) })
	t.Cleanup(func() { cancel(); http.DefaultClient.CloseIdleConnections(); running.Wait() })
	return h
}

func ring(t *testing.T, db store.DB) *keyring.Ring {
	path := filepath.Join(t.TempDir(), "root.key")
	if err := keyring.CreateFile(path); err != nil {
		t.Fatal(err)
	}
	return must(keyring.Open(t.Context(), keyring.Config{Root: must(keyring.OpenFile(path)), DB: db}))
}

func (h *house) now() time.Time {
	return time.Now().Add(time.Duration(h.clock.Load())).UTC().Truncate(time.Millisecond)
}

// pass lets time go by.
func (h *house) pass(d time.Duration) { h.clock.Add(int64(d)) }

// client stands for the part that knows clients: the one named live may read.
func (h *house) client(_ context.Context, p identity.Principal) (identity.Principal, error) {
	switch p.ClientID {
	case "live":
		p.Scope = []string{identity.ScopeRead}
		return p, nil
	case "unsure":
		return identity.Principal{}, problem.Database(io.ErrUnexpectedEOF)
	}
	return identity.Principal{}, problem.NoToken()
}

// member makes an account, whose id is its name.
func (h *house) member(name string) string {
	h.t.Helper()
	c := customer.Customer{Username: name, UsernameKey: name, Email: name + "@example.com", EmailKey: name + "@example.com", AccountValidated: true}
	if err := h.customers.Insert(h.t.Context(), name, c); err != nil {
		h.t.Fatal(err)
	}
	return name
}

// logIn opens a session, as a login does, and returns its token.
func (h *house) logIn(account string, from ...trail.Caller) string {
	h.t.Helper()
	v := h.s.Fresh(append(from, trail.Caller{})[0])
	rec := must(h.customers.Update(h.t.Context(), account, func(c *customer.Customer) error {
		h.s.Begin(c, v)
		return nil
	}))
	return must(h.s.Token(h.t.Context(), rec, v.ID))
}

func (h *house) record(account string) customer.Record {
	h.t.Helper()
	return must(h.customers.Get(h.t.Context(), account))
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func (a answer) text(member string) string { s, _ := a.body[member].(string); return s }

// is checks status, and errorCode and sentence of an error.
func (a answer) is(t *testing.T, status int, want ...string) {
	t.Helper()
	if a.status != status || len(want) > 0 && a.text("errorCode") != want[0] || len(want) > 1 && a.text("error") != want[1] {
		t.Fatalf("got %d %s, want %d %q", a.status, a.raw, status, want)
	}
}

// call sends a request with a token, if there is one.
func (h *house) call(method, path, token string) answer {
	h.t.Helper()
	r := must(http.NewRequestWithContext(h.t.Context(), method, h.url+path, nil))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res := must(http.DefaultTransport.RoundTrip(r))
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header, raw: string(must(io.ReadAll(res.Body)))}
	if strings.HasPrefix(a.raw, "{") {
		if err := json.Unmarshal([]byte(a.raw), &a.body); err != nil {
			h.t.Fatal(err)
		}
	}
	return a
}

// valid is the status of a token's validation.
func (h *house) valid(token string) int {
	h.t.Helper()
	return h.call("GET", "/api/customer/jwt/validate", token).status
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
