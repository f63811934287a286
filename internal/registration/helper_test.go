package registration_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
	"ccms/internal/clocktest"
	"ccms/internal/httpserver"
	"ccms/internal/idempotency"
	"ccms/internal/identity"
	"ccms/internal/logging/logtest"
	"ccms/internal/problem"
	"ccms/internal/registration"
	"ccms/internal/registration/firmcard"
	"ccms/internal/registration/settings"
	"ccms/internal/registration/verification"
	"ccms/internal/secret"
	"ccms/internal/store/sqlitestore"
	"ccms/internal/store/storetest"
	"ccms/internal/tenant"
	"ccms/internal/vault"
	"ccms/internal/vault/keyring"
	"ccms/internal/webhook"
)

// Public test numbers.
const (
	visa       = "4111111111111111"
	visa2      = "4242424242424242"
	mastercard = "5555555555554444"
	amex       = "378282246310005"
)

// world is the registrations of the card service on a real store, with real
// keys, cards, rules and audit. Only who sends a request is made up.
type world struct {
	t        testing.TB
	now      func() time.Time
	clock    *clocktest.Clock
	dir      string
	db       *storetest.Fault // around sqlite
	root     *keyring.File
	secrets  map[string]secret.Bytes
	wrap     func(registration.Cards) registration.Cards // what stands before the real ones
	guard    func(scope string) httpserver.Authenticate
	announce webhook.Announce
	service  *registration.Service
	cards    *firmcard.Service
	pipeline *verification.Pipeline
	records  []*audit.Log
	handler  http.Handler
	logged   *logtest.Buffer
	log      *slog.Logger
}

func newWorld(t testing.TB, change ...func(*world)) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), logged: new(logtest.Buffer), clock: clocktest.At(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))}
	w.log = slog.New(slog.NewTextHandler(w.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.now, w.guard = w.clock.Now, guard().Require
	for _, c := range change {
		c(w)
	}
	db, err := sqlitestore.Open(context.WithoutCancel(t.Context()), sqlitestore.Config{Path: filepath.Join(w.dir, "test.db"), Now: w.now})
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
func (w *world) process() (*registration.Service, http.Handler) {
	w.t.Helper()
	ctx := w.t.Context()
	ring, err := keyring.Open(ctx, keyring.Config{Root: w.root, DB: w.db, Now: w.now})
	must(w.t, err)
	w.secrets = map[string]secret.Bytes{"audit": w.secret(ring, "audit")}
	record, err := audit.Open(ctx, audit.Config{DB: w.db, Key: w.secrets["audit"], Log: w.log, Now: w.now})
	must(w.t, err)
	w.records = append(w.records, record)
	once, err := idempotency.Open(ctx, idempotency.Config{
		DB: w.db, Key: w.secret(ring, "idempotency"), Sealer: ring, Now: w.now,
	})
	must(w.t, err)
	w.cards, err = firmcard.Open(ctx, firmcard.Config{
		DB: w.db, Vault: vault.New(vault.Config{Keys: ring}), Audit: record, Require: w.guard, Log: w.log, Now: w.now,
	})
	must(w.t, err)
	w.pipeline, err = verification.New(verification.Config{
		Client: webhook.NewClient(webhook.ClientConfig{AllowPrivate: true, Now: w.now}), Secret: w.secret(ring, "webhook"), Now: w.now,
	})
	must(w.t, err)
	rules, err := settings.Open(ctx, settings.Config{
		DB: w.db, Audit: record, Adopt: w.pipeline.Adopt, Require: w.guard, Now: w.now,
	})
	must(w.t, err)
	var cards registration.Cards = w.cards
	if w.wrap != nil {
		cards = w.wrap(cards)
	}
	s, err := registration.Open(ctx, registration.Config{
		DB: w.db, Cards: cards, Pipeline: w.pipeline, Rules: rules.Rules, Audit: record, Idempotency: once, Sealer: ring,
		Require: w.guard, Announce: w.announce, Log: w.log, Now: w.now,
	})
	must(w.t, err)
	mux := httpserver.NewMux(w.log)
	s.Routes(mux)
	rules.Routes(mux)
	w.cards.Routes(mux)
	return s, mux
}

func (w *world) secret(ring *keyring.Ring, purpose string) secret.Bytes {
	key, err := ring.Secret(w.t.Context(), purpose)
	must(w.t, err)
	return key
}

// guard is the real one behind a token that is read as who sends it: "client
// FIRM MODE SCOPE,…", or "member ACCOUNT".
func guard() *tenant.Guard {
	return tenant.New(tenant.Config{
		Authenticate: authenticate,
		Role: func(_ context.Context, firm, account string) (string, error) {
			role, of, _ := strings.Cut(account, "@")
			if of != firm {
				return "", nil
			}
			return role, nil
		},
	})
}

func authenticate(r *http.Request) (identity.Principal, error) {
	words := strings.Fields(httpserver.Bearer(r))
	switch {
	case len(words) == 0:
		return identity.Principal{}, problem.NoToken()
	case words[0] == "client":
		return identity.Principal{FirmID: words[1], ClientID: "client_of_" + words[1], Mode: words[2], Scope: strings.Split(words[3], ",")}, nil
	}
	return identity.Principal{Subject: words[1], Validated: true, Scope: []string{identity.ScopeAccount, identity.ScopeCards}}, nil
}

const allScopes = "cards:register,cards:read,cards:manage"

// client is the token of a client with every scope that matters here.
func client(firm, mode string) string { return "client " + firm + " " + mode + " " + allScopes }

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// call is one request.
type call struct {
	method, path string
	as           string // token; "" sends none
	firm, mode   string // headers
	body         string
	media        string // default application/json
	key          string // Idempotency-Key
}

func (w *world) do(c call) answer { return send(w.t, w.handler, c) }

func send(t testing.TB, h http.Handler, c call) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body))
	c.header(r)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	b, _ := io.ReadAll(rec.Result().Body)
	return answer{rec.Code, rec.Header(), string(b)}
}

func (c call) header(r *http.Request) {
	for name, value := range map[string]string{
		"Authorization": c.as, "CCMS-Firm": c.firm, "CCMS-Mode": c.mode, "Idempotency-Key": c.key, "Content-Type": c.media,
	} {
		switch {
		case name == "Authorization" && value != "":
			r.Header.Set(name, "Bearer "+value)
		case name == "Content-Type" && value == "" && c.body != "":
			r.Header.Set(name, "application/json")
		case value != "":
			r.Header.Set(name, value)
		}
	}
}

// status is the answer of /status as a client reads it.
type status struct {
	ID        string `json:"registration_id"`
	Status    string `json:"status"`
	Reason    string `json:"reason"`
	Token     string `json:"token"`
	Brand     string `json:"brand"`
	Last4     string `json:"last4"`
	Expiry    string `json:"expiry"`
	CVVStatus string `json:"cvv_status"`
}

// decode reads an answer's body strictly.
func decode[T any](t testing.TB, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(a.body), &v, json.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return v
}

// member is a JSON member of a body; value is JSON, "" leaves it out.
type member struct{ name, value string }

// cardBody is a valid body for a number, with members changed.
func cardBody(number string, changed ...member) string {
	code := "123"
	if strings.HasPrefix(number, "34") || strings.HasPrefix(number, "37") {
		code = "1234"
	}
	members := []member{
		{"card_number", fmt.Sprintf("%q", number)}, {"expiry_date", `"12/30"`},
		{"cvv", fmt.Sprintf("%q", code)}, {"cardholder_name", `"John Doe"`},
	}
	for _, c := range changed {
		found := false
		for i := range members {
			if members[i].name == c.name {
				members[i].value, found = c.value, true
			}
		}
		if !found {
			members = append(members, c)
		}
	}
	var parts []string
	for _, m := range members {
		if m.value != "" {
			parts = append(parts, fmt.Sprintf("%q:%s", m.name, m.value))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func registerCall(as, number string, changed ...member) call {
	return call{method: "POST", path: "/register", as: as, body: cardBody(number, changed...)}
}

// register registers a card and returns the registration's id.
func (w *world) register(as, number string, changed ...member) string {
	w.t.Helper()
	a := w.do(registerCall(as, number, changed...))
	want(w.t, a, 201, "")
	s := decode[status](w.t, a)
	if s.Status != "pending" || s.ID == "" {
		w.t.Fatalf("got %s", a.body)
	}
	return s.ID
}

func (w *world) statusOf(as, id string) status {
	w.t.Helper()
	a := w.do(call{method: "GET", path: "/status/" + id, as: as})
	want(w.t, a, 200, "")
	return decode[status](w.t, a)
}

// anyNumber is a random Visa number that nobody publishes.
func anyNumber() string { return complete(fmt.Sprintf("4929%011d", rand.Int64N(1e11))) }

// complete adds the check digit to fifteen digits.
func complete(digits string) string {
	sum := 0
	for i, c := range digits {
		d := int(c - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return digits + string(byte('0'+(10-sum%10)%10))
}

// row is a registration in a list as a client reads it.
type row struct {
	ID        string            `json:"registration_id"`
	Mode      string            `json:"mode"`
	Status    string            `json:"status"`
	Reason    string            `json:"reason"`
	Flags     []string          `json:"flags"`
	Token     string            `json:"token"`
	Brand     string            `json:"brand"`
	BIN       string            `json:"bin"`
	Last4     string            `json:"last4"`
	Expiry    string            `json:"expiry"`
	CVVStatus string            `json:"cvv_status"`
	Reference string            `json:"reference"`
	Metadata  map[string]string `json:"metadata"`
	By        string            `json:"registered_by"`
	CreatedAt time.Time         `json:"created_at"`
	DecidedAt time.Time         `json:"decided_at"`
}

// page is a page of them.
type page struct {
	Data []row   `json:"data"`
	Next *string `json:"next_cursor"`
}

func (w *world) page(as, query string) page {
	w.t.Helper()
	a := w.do(call{method: "GET", path: "/v1/registrations?" + query, as: as})
	want(w.t, a, 200, "")
	return decode[page](w.t, a)
}

// listAll follows the cursor to the end.
func (w *world) listAll(as, query string) (all []row) {
	w.t.Helper()
	for cursor := ""; ; {
		p := w.page(as, query+cursor)
		all = append(all, p.Data...)
		if p.Next == nil {
			return all
		}
		cursor = "&cursor=" + *p.Next
	}
}

// failure is the contract's error object.
type failure struct {
	Error     string `json:"error"`
	ErrorCode string `json:"errorCode"`
	Timestamp string `json:"timestamp"`
	Path      string `json:"path"`
	Details   string `json:"details"`
}

// sentences of the contract and of decisions A, D and G by code; a code that has
// several is named with a word behind it.
var sentences = map[string]string{
	"INVALID_CARD":             "Invalid credit card number",
	"INVALID_CVV":              "Invalid CVV",
	"INVALID_EXPIRY":           "Invalid expiry date",
	"VALIDATION_ERROR":         "Request validation failed",
	"VALIDATION_ERROR missing": "Missing required fields",
	"NOT_FOUND":                "Registration not found",
	"UNAUTHORIZED":             "Invalid or missing token",
	"FORBIDDEN":                "Access denied",
	"UNVERIFIED_ACCOUNT":       "Account not verified. Please verify email",
	"TOO_MANY_REQUESTS":        "Too many requests",
	"DATABASE_ERROR":           "Database operation failed",
	"PAYLOAD_TOO_LARGE":        "Request body too large",
	"UNSUPPORTED_MEDIA_TYPE":   "Unsupported media type",
	"IDEMPOTENCY_MISMATCH":     "This key was used with another request",
	"IDEMPOTENCY_IN_PROGRESS":  "A request with this key is still running",
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
	word, _, _ := strings.Cut(code, " ")
	if f.ErrorCode != word || f.Error != sentences[code] || f.Error == "" || f.Timestamp == "" || f.Details == "" {
		t.Fatalf("got %s, want %s %q", a.body, code, sentences[code])
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
