package creditcard_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
	"ccms/internal/clocktest"
	"ccms/internal/creditcard"
	"ccms/internal/httpserver"
	"ccms/internal/idempotency"
	"ccms/internal/identity"
	"ccms/internal/logging/logtest"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store/sqlitestore"
	"ccms/internal/store/storetest"
	"ccms/internal/vault"
	"ccms/internal/vault/keyring"
)

// Public test numbers.
const (
	visa       = "4111111111111111"
	visa2      = "4242424242424242"
	mastercard = "5555555555554444"
	amex       = "378282246310005"
)

// world is the card service on a real store, with real keys and a real audit
// log. Only who sends a request is made up: the Bearer token is the account.
type world struct {
	t       testing.TB
	clock   *clocktest.Clock
	dir     string
	db      *storetest.Fault // around sqlite
	root    *keyring.File
	handler http.Handler
	service *creditcard.Service
	vault   *watched // of the process opened last
	ring    *keyring.Ring
	logged  logtest.Buffer
	log     *slog.Logger
	records []*audit.Log
}

// retention is how long deleted cards are kept here.
const retention = 2 * time.Hour

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	w.log = slog.New(slog.NewTextHandler(&w.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.clock = clocktest.At(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))
	db, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: filepath.Join(w.dir, "test.db"), Now: w.clock.Now})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	w.db = storetest.NewFault(db)
	must(t, keyring.CreateFile(filepath.Join(w.dir, "root.key")))
	w.root, err = keyring.OpenFile(filepath.Join(w.dir, "root.key"))
	must(t, err)
	w.service, w.handler = w.process()
	return w
}

// process opens the service as a further process on the same store would.
func (w *world) process() (*creditcard.Service, http.Handler) {
	w.t.Helper()
	ctx := w.t.Context()
	ring, err := keyring.Open(ctx, keyring.Config{Root: w.root, DB: w.db, Now: w.clock.Now})
	must(w.t, err)
	record, err := audit.Open(ctx, audit.Config{DB: w.db, Key: w.secret(ring, "audit"), Log: w.log, Now: w.clock.Now})
	must(w.t, err)
	w.records = append(w.records, record)
	once, err := idempotency.Open(ctx, idempotency.Config{
		DB: w.db, Key: w.secret(ring, "idempotency"), Sealer: ring, Now: w.clock.Now,
	})
	must(w.t, err)
	w.ring = ring
	w.vault = &watched{Vault: vault.New(vault.Config{Keys: ring})}
	s, err := creditcard.Open(ctx, creditcard.Config{
		DB: w.db, Vault: w.vault, Audit: record, Idempotency: once,
		Authenticate: authenticate, Retention: retention, Log: w.log, Now: w.clock.Now,
	})
	must(w.t, err)
	mux := httpserver.NewMux(w.log)
	s.Routes(mux)
	return s, mux
}

// watched is the real vault, of which a test sees what it was given.
type watched struct {
	*vault.Vault
	mu   sync.Mutex
	seen [][]byte // every number it was given, not copied
}

func (v *watched) Seal(ctx context.Context, at vault.Place, number []byte) (string, error) {
	v.note(number)
	return v.Vault.Seal(ctx, at, number)
}

func (v *watched) Fingerprints(ctx context.Context, owner string, number []byte) (vault.Fingerprints, error) {
	v.note(number)
	return v.Vault.Fingerprints(ctx, owner, number)
}

func (v *watched) note(number []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seen = append(v.seen, number)
}

func (w *world) secret(ring *keyring.Ring, purpose string) secret.Bytes {
	key, err := ring.Secret(w.t.Context(), purpose)
	must(w.t, err)
	return key
}

// authenticate takes the token for the account, "account@username" where the
// username matters, with a few special ones.
func authenticate(r *http.Request) (identity.Principal, error) {
	token := httpserver.Bearer(r)
	account, name, _ := strings.Cut(token, "@")
	p := identity.Principal{
		Subject: account, Username: name, Validated: true,
		Scope: []string{identity.ScopeAccount, identity.ScopeCards},
	}
	switch token {
	case "":
		return identity.Principal{}, problem.NoToken()
	case "expired":
		return identity.Principal{}, problem.ExpiredToken()
	case "unverified":
		p.Validated, p.Scope = false, []string{identity.ScopeAccount}
	case "account-only":
		p.Scope = []string{identity.ScopeAccount}
	case "firm":
		p = identity.Principal{FirmID: "firm", ClientID: "client", Validated: true, Scope: []string{identity.ScopeCards}}
	}
	return p, nil
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// call is one request.
type call struct {
	method, path string
	as           string // account; "" sends no token
	body         string
	key          string // Idempotency-Key
}

func (w *world) do(c call) answer { return send(w.t, w.handler, c) }

func send(t testing.TB, h http.Handler, c call) answer {
	t.Helper()
	return sendIn(t.Context(), h, c)
}

func sendIn(ctx context.Context, h http.Handler, c call) answer {
	r := httptest.NewRequestWithContext(ctx, c.method, c.path, strings.NewReader(c.body))
	if c.as != "" {
		r.Header.Set("Authorization", "Bearer "+c.as)
	}
	if c.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		r.Header.Set("Idempotency-Key", c.key)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	b, _ := io.ReadAll(rec.Result().Body)
	return answer{rec.Code, rec.Header(), string(b)}
}

// object is the card object as a client reads it.
type object struct {
	CreditCardID          int64  `json:"creditCardId"`
	CreditCardNumber      string `json:"creditCardNumber"`
	Token                 string `json:"token"`
	ExpiryMonth           int    `json:"expiryMonth"`
	ExpiryYear            int    `json:"expiryYear"`
	WireTransactionVendor string `json:"wireTransactionVendor"`
	Status                string `json:"status"`
	Deleted               bool   `json:"deleted"`
}

func (o object) id() string { return fmt.Sprint(o.CreditCardID) }

// decode reads an answer's body strictly.
func decode[T any](t testing.TB, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(a.body), &v, json.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return v
}

// cardBody is a valid body for a number.
func cardBody(number string) string {
	code := "123"
	if strings.HasPrefix(number, "34") || strings.HasPrefix(number, "37") {
		code = "1234"
	}
	return fmt.Sprintf(`{"cardNumber":%q,"cvv":%q,"expiryMonth":12,"expiryYear":2030}`, number, code)
}

func addCall(as, number string) call {
	return call{method: "POST", path: "/api/customer/creditcard", as: as, body: cardBody(number)}
}

func (w *world) add(as, number string) object {
	w.t.Helper()
	a := w.do(addCall(as, number))
	want(w.t, a, 201, "")
	return decode[object](w.t, a)
}

func (w *world) list(as string) []object {
	w.t.Helper()
	a := w.do(call{method: "GET", path: "/api/creditcards", as: as})
	want(w.t, a, 200, "")
	return decode[[]object](w.t, a)
}

func (w *world) delete(as, ref string) answer {
	return w.do(call{method: "DELETE", path: "/api/customer/creditcard/" + ref, as: as})
}

func (w *world) toggle(as, ref string) answer {
	return w.do(call{method: "PUT", path: "/api/customer/creditcard/" + ref + "/toggle", as: as})
}

func (w *world) restore(as, ref string) answer {
	return w.do(call{method: "POST", path: "/api/customer/creditcard/" + ref + "/restore", as: as})
}

// failure is the contract's error object.
type failure struct {
	Error     string `json:"error"`
	ErrorCode string `json:"errorCode"`
	Timestamp string `json:"timestamp"`
	Path      string `json:"path"`
	Details   string `json:"details"`
}

// sentences of contract section 3 and decisions A and G by code.
var sentences = map[string]string{
	"INVALID_CARD":            "Invalid credit card number",
	"INVALID_CVV":             "Invalid CVV",
	"INVALID_EXPIRY":          "Invalid expiry date",
	"VALIDATION_ERROR":        "Request validation failed",
	"CARD_EXISTS":             "Credit card already exists",
	"CARD_LIMIT":              "Too many cards",
	"NO_CARDS":                "No credit cards found",
	"CARD_NOT_FOUND":          "Credit card not found",
	"ALREADY_DELETED":         "Card already deleted",
	"CARD_DELETED":            "Cannot toggle deleted card",
	"UNAUTHORIZED":            "Invalid or missing token",
	"TOKEN_EXPIRED":           "Token has expired",
	"FORBIDDEN":               "Access denied",
	"UNVERIFIED_ACCOUNT":      "Account not verified. Please verify email",
	"TOO_MANY_REQUESTS":       "Too many requests",
	"DATABASE_ERROR":          "Database operation failed",
	"TIMEOUT":                 "Request timed out",
	"UNSUPPORTED_MEDIA_TYPE":  "Unsupported media type",
	"IDEMPOTENCY_MISMATCH":    "This key was used with another request",
	"IDEMPOTENCY_IN_PROGRESS": "A request with this key is still running",
}

// want checks status and, for a failure, code and sentence.
func want(t testing.TB, a answer, status int, code string) {
	t.Helper()
	if a.status != status {
		t.Fatalf("got %d %s, want %d %s", a.status, a.body, status, code)
	}
	if code == "" {
		return
	}
	f := decode[failure](t, a)
	if f.ErrorCode != code || f.Error != sentences[code] || f.Error == "" || f.Timestamp == "" || f.Details == "" {
		t.Fatalf("got %s, want %s %q", a.body, code, sentences[code])
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
