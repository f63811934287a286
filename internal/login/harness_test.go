package login

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/crypto/bcrypt"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/limit"
	"ccms/internal/login/customer"
	"ccms/internal/login/hashpool"
	"ccms/internal/login/onetime"
	"ccms/internal/mail"
	"ccms/internal/meter"
	"ccms/internal/outbox"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
	"ccms/internal/vault/keyring"
)

// TestMain lets more tests run at once than there are processors: they wait
// for the disk.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// house is a login service with real parts around it, reached over HTTP.
type house struct {
	t       testing.TB
	s       *Service
	db      *shelf
	url     string
	issuer  *identity.Issuer
	prover  *identity.Prover
	metrics *meter.Registry
	log     *bytes.Buffer
	clock   atomic.Int64 // ahead of the real one
	mux     *httpserver.Mux
	post    postOffice
	cards   cardShelf
}

const publicURL = "https://cards.example.com"

// open starts a house; adjust may change the settings before.
func open(t testing.TB, adjust ...func(*Config)) *house {
	t.Helper()
	h := &house{t: t, db: &shelf{Fault: storetest.NewFault(storetest.New(t)), open: map[string]store.Collection{}}, metrics: new(meter.Registry), log: new(bytes.Buffer)}
	h.post.arrived = sync.NewCond(&h.post.mu)
	ctx, cancel := context.WithCancel(t.Context())
	ring := h.ring()
	keys := must(identity.OpenKeys(ctx, identity.KeysConfig{DB: h.db, Sealer: ring, Now: h.now}))
	h.issuer = identity.NewIssuer(identity.IssuerConfig{Keys: keys, Issuer: publicURL, Audience: "ccms", Now: h.now})
	h.prover = identity.NewProver(secret.NewString(strings.Repeat("p", 32)), nil)
	queue := must(outbox.Open(ctx, outbox.Config{
		DB: h.db, Sealer: ring, Now: h.now, Log: slog.New(slog.DiscardHandler),
		Handlers: map[string]outbox.Handler{
			KindMail:  func(ctx context.Context, m outbox.Message) error { return h.s.Deliver(ctx, m) },
			KindErase: func(ctx context.Context, m outbox.Message) error { return h.s.Erase(ctx, m) },
		},
		Retry:   outbox.Retry{Delays: []time.Duration{time.Millisecond}},
		Retries: map[string]outbox.Retry{KindErase: {Delays: []time.Duration{time.Millisecond}, MaxAge: outbox.Forever}},
	}))
	cfg := Config{
		DB: h.db, Keys: keys, Issuer: h.issuer,
		Verifier: identity.NewVerifier(identity.VerifierConfig{Issuer: publicURL, Audience: "ccms", Lookup: keys.Lookup, Now: h.now}),
		Counters: must(limit.Open(ctx, limit.Config{DB: h.db, Key: secret.NewString(strings.Repeat("l", 32)), Now: h.now})),
		Audit:    must(audit.Open(ctx, audit.Config{DB: h.db, Key: secret.NewString(strings.Repeat("a", 32)), Now: h.now})),
		Outbox:   queue, Mail: &h.post, Cards: &h.cards,
		Hashing:   hashpool.Config{Queue: 1000, Wait: time.Minute},
		PublicURL: must(url.Parse(publicURL)), Metrics: h.metrics,
		PasswordMaxAge: 90 * 24 * time.Hour, BcryptCost: bcrypt.MinCost,
		RatePerAddress: 100000, RatePerNetwork: 100000,
		Log: slog.New(slog.NewTextHandler(&lockedWriter{w: h.log}, nil)), Now: h.now,
	}
	for _, f := range adjust {
		f(&cfg)
	}
	h.s = must(Open(ctx, cfg))
	h.serve(ctx, cancel, queue)
	return h
}

func (h *house) ring() *keyring.Ring {
	path := filepath.Join(h.t.TempDir(), "root.key")
	if err := keyring.CreateFile(path); err != nil {
		h.t.Fatal(err)
	}
	root := must(keyring.OpenFile(path))
	return must(keyring.Open(h.t.Context(), keyring.Config{Root: root, DB: h.db}))
}

func (h *house) serve(ctx context.Context, cancel context.CancelFunc, queue *outbox.Queue) {
	log := slog.New(slog.DiscardHandler)
	mux := httpserver.NewMux(log)
	h.mux = mux
	h.s.Routes(mux)
	server := must(httpserver.Listen(ctx, httpserver.Config{
		Name: "login", Addr: "127.0.0.1:0", Handler: mux, Log: log,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Prove: func(r *http.Request) string {
			purpose, _ := h.prover.Check(r.Header.Get(identity.ProofHeader), "login-service", r.Method, r.URL.EscapedPath())
			return purpose
		},
	}))
	h.url = server.URL()
	var running sync.WaitGroup
	running.Go(func() { _ = queue.Run(ctx) })
	running.Go(func() { _ = server.Run(ctx) })
	h.t.Cleanup(func() { cancel(); http.DefaultClient.CloseIdleConnections(); running.Wait() })
}

func (h *house) now() time.Time { return time.Now().Add(time.Duration(h.clock.Load())) }

// pass lets time go by.
func (h *house) pass(d time.Duration) { h.clock.Add(int64(d)) }

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func (a answer) text(member string) string { s, _ := a.body[member].(string); return s }

// is checks status and errorCode and sentence of an error, or status alone.
func (a answer) is(t testing.TB, status int, want ...string) {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.raw)
	}
	if len(want) > 0 && a.text("errorCode") != want[0] || len(want) > 1 && a.text("error") != want[1] {
		t.Fatalf("got %s %q, want %q", a.text("errorCode"), a.text("error"), want)
	}
	if len(want) > 0 {
		for _, m := range []string{"error", "errorCode", "timestamp", "path", "details"} {
			if a.text(m) == "" {
				t.Errorf("member %s is missing: %s", m, a.raw)
			}
		}
	}
}

type header map[string]string

// from makes the request come from another client address.
func from(addr string) header { return header{"X-Forwarded-For": addr} }

func bearer(token string) header { return header{"Authorization": "Bearer " + token} }

// call sends a request; body is encoded unless it is a string.
func (h *house) call(method, path string, body any, headers ...header) answer {
	h.t.Helper()
	a, err := h.try(method, path, body, headers...)
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

func (h *house) try(method, path string, body any, headers ...header) (answer, error) {
	var in io.Reader
	if text, ok := body.(string); ok {
		in = strings.NewReader(text)
	} else if body != nil {
		in = bytes.NewReader(must(json.Marshal(body)))
	}
	r, err := http.NewRequest(method, h.url+path, in)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	for _, more := range headers {
		for k, v := range more {
			if r.Header.Set(k, v); k == "Host" {
				r.Host = v
			}
		}
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	a := answer{status: res.StatusCode, header: res.Header, raw: string(raw)}
	if strings.HasPrefix(a.raw, "{") {
		err = json.Unmarshal(raw, &a.body)
	}
	return a, err
}

type obj = map[string]any

const goodPassword = "correct-horse-42"

// person is somebody with an account.
type person struct{ username, email, password string }

func someone(name string) person { return person{name, name + "@example.com", goodPassword} }

func (p person) signUp() obj {
	return obj{"username": p.username, "name": obj{"first": "Mary", "last": "Jones"}, "email": p.email, "password": p.password}
}

func (p person) credentials() obj { return obj{"email": p.email, "password": p.password} }

func (p person) wrong() obj { return obj{"email": p.email, "password": "wrong-horse-42"} }

// join signs p up and returns the verification token from the mail.
func (h *house) join(p person) string {
	h.t.Helper()
	h.call("POST", "/api/customer/signup", p.signUp()).is(h.t, 201)
	return h.post.token(h.t, p.email, "verify")
}

// member is somebody signed up and verified.
func (h *house) member(name string) person {
	h.t.Helper()
	p := someone(name)
	h.call("GET", "/api/customer/verify?token="+h.join(p), nil).is(h.t, 200)
	return p
}

// logIn returns a token.
func (h *house) logIn(p person, headers ...header) string {
	h.t.Helper()
	a := h.call("POST", "/api/customer/login/subsequent", p.credentials(), headers...)
	a.is(h.t, 200)
	return a.text("token")
}

// valid is the status of a token's validation.
func (h *house) valid(token string) int {
	h.t.Helper()
	return h.call("GET", "/api/customer/jwt/validate", nil, bearer(token)).status
}

// resetToken asks for a reset mail and returns its token.
func (h *house) resetToken(p person) string {
	h.t.Helper()
	h.call("POST", "/api/customer/forgot-password", obj{"email": p.email}).is(h.t, 200)
	return h.post.token(h.t, p.email, "reset-password")
}

// unknownToken is well formed, but nobody's.
func (h *house) unknownToken() string {
	h.t.Helper()
	token := must(h.s.tokens.Issue(h.t.Context(), onetime.Token{Customer: "nobody"}))
	if err := h.s.tokens.Drop(h.t.Context(), "nobody"); err != nil {
		h.t.Fatal(err)
	}
	return token
}

// record reads p's document as it is stored.
func (h *house) record(p person) customer.Record {
	h.t.Helper()
	rec, ok, err := h.s.customers.ByEmail(h.t.Context(), customer.FoldKey(p.email))
	if err != nil || !ok {
		h.t.Fatalf("no document of %s: %v", p.email, err)
	}
	return rec
}

// alter changes p's document behind the service's back.
func (h *house) alter(p person, change func(*customer.Customer)) {
	h.t.Helper()
	_, err := h.s.customers.Update(h.t.Context(), h.record(p).ID, func(c *customer.Customer) error { change(c); return nil })
	if err != nil {
		h.t.Fatal(err)
	}
}

// hashes is how many bcrypt runs there were so far.
func (h *house) hashes() int {
	h.t.Helper()
	for _, f := range must(h.metrics.Gather()) {
		if f.Name == "ccms_login_hash_seconds" {
			return int(f.Series[0].Count)
		}
	}
	return 0
}

// shelf is a store that can fail and remembers its collections.
type shelf struct {
	*storetest.Fault
	open map[string]store.Collection
}

func (s *shelf) Collection(ctx context.Context, spec store.Spec) (store.Collection, error) {
	c, err := s.Fault.Collection(ctx, spec)
	s.open[spec.Name] = c
	return c, err
}

// postOffice is the Sender at the end of the outbox.
type postOffice struct {
	mu      sync.Mutex
	arrived *sync.Cond
	letters []mail.Message
	fail    error
}

func (o *postOffice) Send(_ context.Context, m mail.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		return o.fail
	}
	o.letters = append(o.letters, m)
	o.arrived.Broadcast()
	return nil
}

// take waits for the oldest letter to an address whose text or subject holds a
// word, and removes it.
func (o *postOffice) take(t testing.TB, to, word string) mail.Message {
	t.Helper()
	late := time.AfterFunc(2*time.Minute, o.arrived.Broadcast)
	defer late.Stop()
	deadline := time.Now().Add(2 * time.Minute)
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		for i, m := range o.letters {
			if m.To == to && strings.Contains(m.Subject+m.Text, word) {
				o.letters = append(o.letters[:i], o.letters[i+1:]...)
				return m
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no letter to %s with %q; there are %v", to, word, o.letters)
		}
		o.arrived.Wait()
	}
}

// token waits for a letter with a link to a page and returns its token.
func (o *postOffice) token(t testing.TB, to, page string) string {
	t.Helper()
	link := regexp.MustCompile(regexp.QuoteMeta(publicURL+"/"+page+"?token=") + `([A-Za-z0-9_-]+)`)
	m := o.take(t, to, "/"+page+"?token=")
	found := link.FindStringSubmatch(m.Text)
	if found == nil {
		t.Fatalf("no link to %s in %q", page, m.Text)
	}
	return found[1]
}

// cardShelf is the card service.
type cardShelf struct {
	mu     sync.Mutex
	erased []string
	fail   int // this many times
}

func (c *cardShelf) Erase(_ context.Context, customer string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail > 0 {
		c.fail--
		return fmt.Errorf("card service is down")
	}
	c.erased = append(c.erased, customer)
	return nil
}

func (c *cardShelf) Export(context.Context, string) (any, error) {
	return []obj{{"creditCardNumber": "************1111"}}, nil
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// count is how many letters to an address nobody took.
func (o *postOffice) count(to string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, m := range o.letters {
		if m.To == to {
			n++
		}
	}
	return n
}

// stored reports whether a collection holds a text anywhere.
func (h *house) stored(collection, text string) bool {
	h.t.Helper()
	for d, err := range h.db.open[collection].Find(h.t.Context(), store.Query{}) {
		if err != nil {
			h.t.Fatal(err)
		}
		if bytes.Contains(d.Body, []byte(text)) || strings.Contains(d.ID, text) {
			return true
		}
	}
	return false
}

// breakDown makes every letter fail until it is mended.
func (o *postOffice) breakDown(broken bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail = nil; broken {
		o.fail = errors.New("mail server is down")
	}
}
