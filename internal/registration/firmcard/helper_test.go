package firmcard_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/audit"
	"ccms/internal/card"
	"ccms/internal/clocktest"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/logging/logtest"
	"ccms/internal/problem"
	"ccms/internal/registration/firmcard"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/store/sqlitestore"
	"ccms/internal/store/storetest"
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

// acme and other are two firms.
const (
	acme  = "firm_ACME"
	other = "firm_OTHER"
)

const (
	retention = 2 * time.Hour
	perHour   = 20
)

// world is the firms' cards on a real store, with real keys and a real audit
// log. Only who sends a request is made up: see authenticate.
type world struct {
	t        testing.TB
	clock    *clocktest.Clock
	now      func() time.Time
	dir      string
	db       *storetest.Fault // around sqlite
	root     *keyring.File
	perHour  int
	announce webhook.Announce
	vault    *vault.Vault // of the process opened last
	ring     *keyring.Ring
	service  *firmcard.Service
	handler  http.Handler
	logged   logtest.Buffer
	records  []*audit.Log
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), perHour: perHour}
	w.clock = clocktest.At(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))
	w.now = w.clock.Now
	w.open()
	return w
}

// open opens the store and a process on it.
func (w *world) open() {
	w.t.Helper()
	db, err := sqlitestore.Open(w.t.Context(), sqlitestore.Config{Path: w.file(), Now: w.now})
	must(w.t, err)
	w.t.Cleanup(func() { _ = db.Close() })
	w.db = storetest.NewFault(db)
	must(w.t, keyring.CreateFile(filepath.Join(w.dir, "root.key")))
	w.root, err = keyring.OpenFile(filepath.Join(w.dir, "root.key"))
	must(w.t, err)
	w.service, w.handler = w.process()
}

func (w *world) file() string { return filepath.Join(w.dir, "test.db") }

// process opens the service as a further process on the same store would.
func (w *world) process() (*firmcard.Service, http.Handler) {
	w.t.Helper()
	ctx := w.t.Context()
	ring, err := keyring.Open(ctx, keyring.Config{Root: w.root, DB: w.db, Now: w.now})
	must(w.t, err)
	key, err := ring.Secret(ctx, "audit")
	must(w.t, err)
	log := slog.New(slog.NewTextHandler(&w.logged, nil))
	record, err := audit.Open(ctx, audit.Config{DB: w.db, Key: key, Log: log, Now: w.now})
	must(w.t, err)
	w.records = append(w.records, record)
	w.vault, w.ring = vault.New(vault.Config{Keys: ring}), ring
	s, err := firmcard.Open(ctx, firmcard.Config{
		DB: w.db, Vault: w.vault, Audit: record, Require: require,
		Announce: w.announce, RevealPerHour: w.perHour, Retention: retention, Log: log, Now: w.now,
	})
	must(w.t, err)
	mux := httpserver.NewMux(log)
	s.Routes(mux)
	return s, mux
}

// require takes the token for "firm mode client scope,…"; the client "member" is
// a person, and the mode "-" none.
func require(scope string) httpserver.Authenticate {
	return func(r *http.Request) (identity.Principal, error) {
		f := strings.Fields(httpserver.Bearer(r))
		if len(f) != 4 {
			return identity.Principal{}, problem.NoToken()
		}
		p := identity.Principal{FirmID: f[0], Mode: strings.Trim(f[1], "-"), ClientID: f[2], Scope: strings.Split(f[3], ",")}
		if f[2] == "member" {
			p.ClientID, p.Subject = "", "ann"
		}
		if !p.Has(scope) {
			return identity.Principal{}, problem.Denied("The scope is missing.")
		}
		return p, nil
	}
}

// Who may do everything there is: clients of the two firms, and a member.
const (
	all        = " cards:read,cards:manage,cards:reveal"
	acmeTest   = acme + " test client_1" + all
	acmeLive   = acme + " live client_2" + all
	otherTest  = other + " test client_3" + all
	acmeMember = acme + " - member" + all
)

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (w *world) do(as, method, path, body string) answer {
	w.t.Helper()
	return send(w.t.Context(), w.handler, request{as, method, path, body})
}

type request struct{ as, method, path, body string }

func send(ctx context.Context, h http.Handler, q request) answer {
	r := httptest.NewRequestWithContext(ctx, q.method, q.path, strings.NewReader(q.body))
	r.Header.Set("Authorization", "Bearer "+q.as)
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	b, _ := io.ReadAll(rec.Result().Body)
	return answer{rec.Code, rec.Header(), string(b)}
}

func (w *world) reveal(as, token string) answer {
	w.t.Helper()
	return w.do(as, "POST", "/v1/cards/"+token+"/reveal", `{"reason":"chargeback 17"}`)
}

// deposit is a valid deposit of a number.
func deposit(t testing.TB, firm, mode, number string) firmcard.Deposit {
	t.Helper()
	n, err := card.Parse(number)
	must(t, err)
	return firmcard.Deposit{
		FirmID: firm, Mode: mode, Token: vault.NewToken(), Number: n,
		Expiry: card.Expiry{Month: 12, Year: 2030}, Name: secret.NewString("Ada Lovelace"),
	}
}

func (w *world) put(firm, mode, number string) firmcard.Card {
	w.t.Helper()
	c, err := w.service.Put(w.t.Context(), deposit(w.t, firm, mode, number))
	must(w.t, err)
	return c
}

// raw returns the document of a card as it is stored, "" when there is none.
func (w *world) raw(token string) string {
	w.t.Helper()
	d, err := w.collection().Get(w.t.Context(), token)
	if err != nil {
		return ""
	}
	return bson.Raw(d.Body).String()
}

func (w *world) collection() store.Collection {
	w.t.Helper()
	c, err := w.db.Collection(w.t.Context(), store.Spec{
		Name: "Card", Unique: []string{"card.lookup", "card.lookupEven"}, Ordered: []string{"card.listed"}, Sparse: []string{"deletedAt"},
	})
	must(w.t, err)
	return c
}

// line is a record of the audit log as it is stored.
type line struct {
	Act    string `bson:"act"`
	Actor  string `bson:"actor"`
	Object string `bson:"object"`
	Owner  string `bson:"owner"`
	Reason string `bson:"reason"`
	Result string `bson:"result"` // empty: about to happen
}

// audited returns the records of an act with a result.
func (w *world) audited(act, result string) []line {
	w.t.Helper()
	for _, r := range w.records {
		r.Settle()
	}
	records, err := w.db.Collection(w.t.Context(), store.Spec{Name: "Audit", Ordered: []string{"at"}})
	must(w.t, err)
	var found []line
	for d, err := range records.Find(w.t.Context(), store.Query{}) {
		must(w.t, err)
		var page struct {
			Records []line `bson:"records"`
		}
		must(w.t, bson.Unmarshal(d.Body, &page))
		for _, l := range page.Records {
			if l.Act == act && l.Result == result {
				found = append(found, l)
			}
		}
	}
	return found
}

// failure is the contract's error object.
type failure struct {
	Error     string `json:"error"`
	ErrorCode string `json:"errorCode"`
	Timestamp string `json:"timestamp"`
	Path      string `json:"path"`
	Details   string `json:"details"`
}

// want checks status and, for a failure, the code.
func want(t testing.TB, a answer, status int, code string) {
	t.Helper()
	if a.status != status {
		t.Fatalf("got %d %s, want %d %s", a.status, a.body, status, code)
	}
	if code == "" {
		return
	}
	f := decode[failure](t, a)
	if f.ErrorCode != code || f.Error == "" || f.Timestamp == "" || f.Details == "" {
		t.Fatalf("got %s, want %s", a.body, code)
	}
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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var errDisk = errors.New("disk of host-7 is gone")
