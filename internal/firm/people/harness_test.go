package people

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
	"ccms/internal/firm"
	"ccms/internal/httpserver"
	"ccms/internal/idempotency"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
	"ccms/internal/vault/keyring"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// house is a firm service with a store, an audit log and a listener of its own,
// and accounts that need no login: the Bearer token is the account's id.
type house struct {
	t      testing.TB
	firms  *firm.Service
	db     *storetest.Fault
	people people
	audit  audit.Config
	url    string
	clock  atomic.Int64 // ahead of the real one
	key    string       // Idempotency-Key of the next requests
}

func open(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, db: storetest.NewFault(storetest.New(t)), people: people{known: map[string]*account{}}}
	log := slog.New(slog.DiscardHandler)
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	h.audit = audit.Config{DB: h.db, Key: secret.New(key), Now: h.now}
	record := must(audit.Open(t.Context(), h.audit))
	h.firms = must(firm.Open(t.Context(), firm.Config{DB: h.db, Audit: record, Accounts: &h.people, Authenticate: h.people.authenticate, Now: h.now}))
	mux := httpserver.NewMux(log)
	h.firms.Routes(mux)
	New(Config{Firms: h.firms, Idempotency: h.keys(), Now: h.now}).Routes(mux)
	ctx, cancel := context.WithCancel(t.Context())
	server := must(httpserver.Listen(ctx, httpserver.Config{
		Name: "login", Addr: "127.0.0.1:0", Handler: mux, Log: log,
		Prove: func(r *http.Request) string { return r.Header.Get(identity.ProofHeader) },
	}))
	h.url = server.URL()
	var running sync.WaitGroup
	running.Go(func() { _ = server.Run(ctx) })
	t.Cleanup(func() { cancel(); http.DefaultClient.CloseIdleConnections(); running.Wait() })
	return h
}

func (h *house) keys() *idempotency.Keys {
	path := filepath.Join(h.t.TempDir(), "root.key")
	if err := keyring.CreateFile(path); err != nil {
		h.t.Fatal(err)
	}
	ring := must(keyring.Open(h.t.Context(), keyring.Config{Root: must(keyring.OpenFile(path)), DB: h.db}))
	key := must(ring.Secret(h.t.Context(), "idempotency"))
	return must(idempotency.Open(h.t.Context(), idempotency.Config{DB: h.db, Key: key, Sealer: ring, Now: h.now}))
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

func (a answer) text(key string) string {
	text, _ := a.body[key].(string)
	return text
}

// ask sends a request as somebody: the Bearer token, "" for none, or "service"
// for another service.
func (h *house) ask(as, method, path, body string) answer {
	h.t.Helper()
	r := must(http.NewRequestWithContext(h.t.Context(), method, h.url+path, strings.NewReader(body)))
	r.Header.Set("Content-Type", "application/json")
	if h.key != "" {
		r.Header.Set(idempotency.Header, h.key)
	}
	switch as {
	case "":
	case "service":
		r.Header.Set(identity.ProofHeader, identity.PurposeInternal)
	default:
		r.Header.Set("Authorization", "Bearer "+as)
	}
	res := must(http.DefaultClient.Do(r))
	defer res.Body.Close()
	raw := must(io.ReadAll(res.Body))
	a := answer{status: res.StatusCode, header: res.Header, raw: string(raw)}
	if bytes.HasPrefix(raw, []byte("{")) {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			h.t.Fatalf("%s %s: %v: %s", method, path, err, raw)
		}
	}
	return a
}

// want fails unless a request is answered with a status.
func (h *house) want(status int, as, method, path, body string) answer {
	h.t.Helper()
	a := h.ask(as, method, path, body)
	if a.status != status {
		h.t.Errorf("%s %s as %q: %d, want %d: %s", method, path, as, a.status, status, a.raw)
	}
	return a
}

// firm makes a firm with an owner, who has an account.
func (h *house) firm(name, owner string) firm.Firm {
	h.t.Helper()
	f := must(h.firms.Create(h.t.Context(), firm.Administrator(), firm.NewFirm{Name: name, Owner: h.people.add(owner)}))
	h.want(http.StatusOK, owner, "GET", "/api/firms/"+f.ID, "")
	return must(h.firms.Firm(h.t.Context(), f.ID))
}

// member makes somebody with an account a member.
func (h *house) member(f firm.Firm, id string, role firm.Role) {
	h.t.Helper()
	w := firm.Standing{Firm: must(h.firms.Firm(h.t.Context(), f.ID)), Operator: true}
	must(h.firms.Invite(h.t.Context(), firm.Administrator(), w, firm.Invitee{Email: h.people.add(id), Role: role}))
	h.want(http.StatusOK, id, "GET", "/api/firms/"+f.ID, "")
}

// account is somebody's; its id is his name, his address follows from it.
type account struct {
	principal identity.Principal
	marks     []string
}

// people are the accounts.
type people struct {
	mu    sync.Mutex
	known map[string]*account
}

// add makes an account with a confirmed address, which it returns.
func (p *people) add(id string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known[id] == nil {
		p.known[id] = &account{principal: identity.Principal{Subject: id, Username: id, Email: id + "@example.com", Validated: true}}
	}
	return p.known[id].principal.Email
}

// alter changes an account; nil removes it.
func (p *people) alter(id string, f func(*account)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f == nil {
		delete(p.known, id)
		return
	}
	f(p.known[id])
}

// authenticate takes the token for an id; those of clients begin as their ids
// do.
func (p *people) authenticate(r *http.Request) (identity.Principal, error) {
	id := httpserver.Bearer(r)
	if strings.HasPrefix(id, "client_") {
		return identity.Principal{Subject: id, ClientID: id, FirmID: "firm_X", Validated: true}, nil
	}
	who, _, err := p.ByID(r.Context(), id)
	if err != nil {
		return who, problem.NoToken()
	}
	return who, nil
}

// ByID implements Accounts.
func (p *people) ByID(_ context.Context, id string) (identity.Principal, []string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.known[id]
	if a == nil {
		return identity.Principal{}, nil, store.ErrNotFound
	}
	return a.principal, append([]string{}, a.marks...), nil
}

// ByEmail implements Accounts.
func (p *people) ByEmail(_ context.Context, key string) (identity.Principal, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.known {
		if strings.EqualFold(a.principal.Email, key) {
			return a.principal, nil
		}
	}
	return identity.Principal{}, store.ErrNotFound
}

// Mark implements Accounts.
func (p *people) Mark(_ context.Context, id, mark string, on bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.known[id]
	if a == nil {
		return store.ErrNotFound
	}
	var marks []string
	for _, m := range a.marks {
		if m != mark {
			marks = append(marks, m)
		}
	}
	if on {
		marks = append(marks, mark)
	}
	a.marks = marks
	return nil
}

// Key implements Accounts.
func (*people) Key(address string) (string, bool) {
	return strings.ToLower(address), strings.Contains(address, "@")
}
