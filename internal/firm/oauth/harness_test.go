package oauth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
	"ccms/internal/firm"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/limit"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
	"ccms/internal/vault/keyring"
)

const issuer = "https://cards.example.com"

// house is the OAuth service with real parts around it, reached over HTTP.
type house struct {
	t      testing.TB
	s      *Service
	firms  *firm.Service
	issuer *identity.Issuer
	db     *storetest.Fault
	record *audit.Log
	keys   *identity.Keys
	url    string
	clock  atomic.Int64 // ahead of the real one
	stood  atomic.Int64 // when the clock was stopped, in nanoseconds since 1970; 0: it runs
}

func open(t testing.TB, adjust ...func(*Config)) *house {
	t.Helper()
	h, log := &house{t: t, db: storetest.NewFault(storetest.New(t))}, slog.New(slog.DiscardHandler)
	h.keys = must(identity.OpenKeys(t.Context(), identity.KeysConfig{DB: h.db, Sealer: ring(t, h.db), Now: h.now}))
	h.record = must(audit.Open(t.Context(), audit.Config{DB: h.db, Key: secret.NewString(strings.Repeat("a", 32)), Now: h.now}))
	counters := must(limit.Open(t.Context(), limit.Config{DB: h.db, Key: secret.NewString(strings.Repeat("l", 32)), Now: h.now}))
	h.firms = must(firm.Open(t.Context(), firm.Config{DB: h.db, Audit: h.record, Accounts: nobody{}, Now: h.now}))
	h.issuer = identity.NewIssuer(identity.IssuerConfig{Keys: h.keys, Issuer: issuer, Audience: "ccms", Now: h.now})
	cfg := Config{
		DB: h.db, Clients: h.firms, Issuer: h.issuer, Audit: h.record, Counters: counters,
		Verifier:  identity.NewVerifier(identity.VerifierConfig{Issuer: issuer, Audience: "ccms", Lookup: h.keys.Lookup, Now: h.now}),
		PublicURL: must(url.Parse(issuer)), Log: log, Now: h.now,
	}
	for _, f := range adjust {
		f(&cfg)
	}
	h.s = must(Open(t.Context(), cfg))
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

// nobody has an account.
type nobody struct{ firm.Accounts }

func (nobody) Key(string) (string, bool) { return "", false }

func ring(t testing.TB, db store.DB) *keyring.Ring {
	path := filepath.Join(t.TempDir(), "root.key")
	if err := keyring.CreateFile(path); err != nil {
		t.Fatal(err)
	}
	return must(keyring.Open(t.Context(), keyring.Config{Root: must(keyring.OpenFile(path)), DB: db}))
}

func (h *house) now() time.Time {
	at := time.Now()
	if n := h.stood.Load(); n != 0 {
		at = time.Unix(0, n)
	}
	return at.Add(time.Duration(h.clock.Load())).UTC().Truncate(time.Millisecond)
}

// pass lets time go by.
func (h *house) pass(d time.Duration) { h.clock.Add(int64(d)) }

// stop stops the clock; only pass moves it.
func (h *house) stop() { h.stood.Store(time.Now().UnixNano()) }

// member is a client with its secret.
type member struct {
	firm.Client
	secret string
}

// firm makes a firm and returns its id.
func (h *house) firm(name string) string {
	h.t.Helper()
	return must(h.firms.Create(h.t.Context(), firm.Administrator(), firm.NewFirm{Name: name})).ID
}

// client makes a client; in says what is unusual of it.
func (h *house) client(in firm.NewClient) member {
	h.t.Helper()
	c, text, err := h.firms.CreateClient(h.t.Context(), firm.Administrator(), in)
	if err != nil {
		h.t.Fatal(err)
	}
	return member{c, string(text.Reveal())}
}

// usual is a client of a new firm, with the usual scopes.
func (h *house) usual() member {
	h.t.Helper()
	return h.client(firm.NewClient{FirmID: h.firm("Shop")})
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func (a answer) text(name string) string { s, _ := a.body[name].(string); return s }

// is checks the status and, of an error, its code and form.
func (a answer) is(t testing.TB, status int, code ...string) answer {
	t.Helper()
	if a.status != status || len(code) > 0 && a.text("error") != code[0] {
		t.Fatalf("got %d %s, want %d %q", a.status, a.raw, status, code)
	}
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" || a.header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("header %v", a.header)
	}
	if len(code) > 0 && (len(a.body) != 2 || a.text("error_description") == "") {
		t.Errorf("got %s, want an error as RFC 6749 section 5.2 has it", a.raw)
	}
	if basic := strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic realm="); basic != (status == 401) {
		t.Errorf("%d with WWW-Authenticate %q", status, a.header.Get("WWW-Authenticate"))
	}
	return a
}

// call is a request to an endpoint.
type call struct {
	path   string
	body   string
	basic  *member
	header http.Header
	from   string // client address
}

// values builds a form: name, value, name, value …
func values(pairs ...string) string {
	var all []string
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, url.QueryEscape(pairs[i])+"="+url.QueryEscape(pairs[i+1]))
	}
	return strings.Join(all, "&")
}

func (h *house) send(c call) answer {
	h.t.Helper()
	r := must(http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.url+c.path, strings.NewReader(c.body)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.basic != nil {
		r.SetBasicAuth(url.QueryEscape(c.basic.ID), url.QueryEscape(c.basic.secret))
	}
	if c.from != "" {
		r.Header.Set("X-Forwarded-For", c.from)
	}
	maps.Copy(r.Header, c.header)
	res := must(http.DefaultClient.Do(r))
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header, raw: string(must(io.ReadAll(res.Body)))}
	if strings.HasPrefix(a.raw, "{") {
		if err := json.Unmarshal([]byte(a.raw), &a.body); err != nil {
			h.t.Fatal(err)
		}
	}
	return a
}

const grant = "grant_type=client_credentials"

// token gets c a token.
func (h *house) token(c member, scope ...string) string {
	h.t.Helper()
	body := grant
	if len(scope) > 0 {
		body += "&" + values("scope", strings.Join(scope, " "))
	}
	return h.send(call{path: tokenPath, basic: &c, body: body}).is(h.t, 200).text("access_token")
}

// introspect has c look at a token.
func (h *house) introspect(c member, token string) answer {
	h.t.Helper()
	return h.send(call{path: introspectPath, basic: &c, body: values("token", token)})
}

func (h *house) revoke(c member, token string) answer {
	h.t.Helper()
	return h.send(call{path: revokePath, basic: &c, body: values("token", token)})
}

// check is what Check says of a token.
func (h *house) check(token string) (identity.Principal, error) {
	p, err := h.s.cfg.Verifier.Verify(h.t.Context(), token)
	if err != nil {
		return p, err
	}
	return h.s.Check(h.t.Context(), p)
}

// recorded is a record of the log, as far as tests look at it.
type recorded struct {
	Act    string `bson:"act"`
	Actor  string `bson:"actor"`
	Owner  string `bson:"owner"`
	From   string `bson:"from"`
	Reason string `bson:"reason"`
	Result string `bson:"result"`
}

// acts are the acts on record with a name, oldest first.
func (h *house) acts(name string) []recorded {
	h.t.Helper()
	h.record.Settle()
	pages := must(store.Open[struct {
		Records []recorded `bson:"records"`
	}](h.t.Context(), h.db, store.Spec{Name: "Audit", Ordered: []string{"at"}}))
	var all []recorded
	for page, err := range pages.Find(h.t.Context(), store.Query{}) {
		if err != nil {
			h.t.Fatal(err)
		}
		for _, r := range page.Value.Records {
			if r.Act == name {
				all = append(all, r)
			}
		}
	}
	return all
}

// newKey makes a private key for an algorithm.
func newKey(t testing.TB, alg jose.SignatureAlgorithm) crypto.Signer {
	t.Helper()
	switch alg {
	case jose.ES256:
		return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	case jose.EdDSA:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	return must(rsa.GenerateKey(rand.Reader, 2048))
}

// jwks is the public part of keys as a set.
func jwks(t testing.TB, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	set := jose.JSONWebKeySet{}
	for _, k := range keys {
		set.Keys = append(set.Keys, k.Public())
	}
	return must(json.Marshal(set))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// counted counts what is asked of Clients.
type counted struct {
	Clients
	asked, used atomic.Int64
}

func (c *counted) Active(ctx context.Context, id string) (firm.Client, error) {
	c.asked.Add(1)
	return c.Clients.Active(ctx, id)
}

func (c *counted) Used(ctx context.Context, client firm.Client) error {
	c.used.Add(1)
	return c.Clients.Used(ctx, client)
}
