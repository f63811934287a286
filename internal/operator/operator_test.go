package operator

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/rotation"
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

// house is a service with real keys and a real record; the Bearer token says who
// asks: "olga" is an operator, "ann" is none, "new" has no confirmed address.
type house struct {
	t    *testing.T
	url  string
	db   *storetest.Fault
	log  audit.Config
	last Backup
	give func(string) error
}

func authenticate(r *http.Request) (identity.Principal, error) {
	switch id := httpserver.Bearer(r); id {
	case "":
		return identity.Principal{}, problem.NoToken()
	case "client":
		return identity.Principal{Subject: id, ClientID: id, Validated: true}, nil
	default:
		return identity.Principal{Subject: id, Username: id, Validated: id != "new"}, nil
	}
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, db: storetest.NewFault(storetest.New(t)), give: func(string) error { return nil }}
	file := filepath.Join(t.TempDir(), "root.key")
	if err := keyring.CreateFile(file); err != nil {
		t.Fatal(err)
	}
	ring := must(keyring.Open(t.Context(), keyring.Config{Root: must(keyring.OpenFile(file)), DB: h.db}))
	must(ring.Secret(t.Context(), "audit"))
	record := func(ctx context.Context) (audit.Config, error) {
		key, err := ring.Secret(ctx, "audit")
		return audit.Config{DB: h.db, Key: key}, err
	}
	h.log = must(record(t.Context()))
	log := must(audit.Open(t.Context(), h.log))
	signing := must(identity.OpenKeys(t.Context(), identity.KeysConfig{DB: h.db, Sealer: ring}))
	keys := rotation.New(rotation.Config{Service: "test", Ring: ring, Audit: log, Signing: signing})
	_, _, err := ring.Active(t.Context(), "cardholders")
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	s := New(Config{
		Prefix: "/api/operator", Service: "test", Keys: keys, Audit: log, Record: record, Log: quiet,
		Operator:   Only(authenticate, func(_ context.Context, who string) (bool, error) { return who == "olga", nil }),
		LastBackup: func(context.Context) (Backup, error) { return h.last, nil },
		People: &People{
			List: func(context.Context) (any, error) { return []string{"olga"}, nil },
			Give: func(_ context.Context, _ audit.Entry, address string) (identity.Principal, error) {
				return identity.Principal{Username: "ann"}, h.give(address)
			},
			Remove: func(_ context.Context, by audit.Entry, id string) error {
				if id == by.Actor {
					return problem.Validation("not oneself")
				}
				return nil
			},
		},
	})
	mux := httpserver.NewMux(quiet)
	s.Routes(mux)
	server := httptest.NewServer(mux)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = s.Run(ctx) })
	t.Cleanup(func() { server.Close(); cancel(); running.Wait(); keys.Close() })
	h.url = server.URL + "/api/operator"
	return h
}

// ask returns the status of an answer, and the answer.
func (h *house) ask(as, route, body string) (int, map[string]any) {
	h.t.Helper()
	method, path, _ := strings.Cut(route, " ")
	r := must(http.NewRequestWithContext(h.t.Context(), method, h.url+path, strings.NewReader(body)))
	r.Header.Set("Content-Type", "application/json")
	if as != "" {
		r.Header.Set("Authorization", "Bearer "+as)
	}
	res := must(http.DefaultClient.Do(r))
	defer res.Body.Close()
	out := map[string]any{}
	if text := must(io.ReadAll(res.Body)); json.Unmarshal(text, &out) != nil {
		h.t.Fatalf("%s: %s", route, text)
	}
	return res.StatusCode, out
}

// until asks until a member of the answer has a value.
func (h *house) until(route, member, value string) map[string]any {
	h.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; <-time.After(time.Millisecond) {
		_, out := h.ask("olga", route, "")
		at := out
		names := strings.Split(member, ".")
		for _, name := range names[:len(names)-1] {
			at, _ = at[name].(map[string]any)
		}
		if at[names[len(names)-1]] == value {
			return out
		}
		if time.Now().After(end) {
			h.t.Fatalf("%s: %v", route, out)
		}
	}
}

// acts are those on record, with who did them and what came of it.
func (h *house) acts() (all []string) {
	h.t.Helper()
	log := must(audit.Open(h.t.Context(), h.log))
	rows, _, err := log.Page(h.t.Context(), audit.Filter{Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, r := range rows {
		if r.Actor != "" && r.Result != audit.Begun {
			all = append(all, r.Act+" "+r.Object+" by "+r.Actor+": "+r.Result)
		}
	}
	return all
}

func TestOperatorsAlone(t *testing.T) {
	t.Parallel()
	h := open(t)
	for route, body := range map[string]string{
		"GET /keys": "", "POST /keys/rotate": `{"keys":"values"}`, "POST /keys/rewrap": "", "GET /audit": "", "GET /audit/head": "",
		"POST /audit/verify": "", "GET /backup": "", "GET /people": "", "POST /people": `{"email":"x@example.com"}`, "DELETE /people/ann": "",
	} {
		for who, want := range map[string]int{"": 401, "ann": 403, "new": 403, "client": 403, "olga": 200} {
			if status, out := h.ask(who, route, body); status != want {
				t.Errorf("%s as %q: %d, want %d: %v", route, who, status, want, out)
			}
		}
	}
}

func TestKeysAreRotatedInTheBackgroundAndOnRecord(t *testing.T) {
	t.Parallel()
	h := open(t)
	before := h.until("GET /keys", "rotation.state", Never)
	if n := len(before["keys"].([]any)); n < 3 {
		t.Errorf("keys: %v", before)
	}
	for _, which := range []string{"values", "signing"} {
		if status, out := h.ask("olga", "POST /keys/rotate", `{"keys":"`+which+`"}`); status != 200 {
			t.Fatalf("%d %v", status, out)
		}
		h.until("GET /keys", "rotation.state", Done)
	}
	after, newer := h.until("GET /keys", "rotation.state", Done), false
	for _, k := range after["keys"].([]any) {
		newer = newer || k.(map[string]any)["name"] == "cardholders" && k.(map[string]any)["version"] == 2.0
	}
	if !newer {
		t.Errorf("no new version: %v", after["keys"])
	}
	if status, _ := h.ask("olga", "POST /keys/rotate", `{"keys":"all"}`); status != 400 {
		t.Errorf("other keys: %d", status)
	}
	want := []string{"key.rotate owner/cardholders by olga: success", "key.rotate jwt by olga: success"}
	if got := h.acts(); !slices.Equal(got, want) {
		t.Errorf("on record: %q", got)
	}
}

func TestTheRecordIsChecked(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.until("GET /audit", "state", Never)
	h.ask("olga", "POST /audit/verify", "")
	if out := h.until("GET /audit", "state", Done); out["records"].(float64) < 2 || out["broken"] != nil {
		t.Errorf("found %v", out)
	}
	if _, out := h.ask("olga", "GET /audit/head", ""); len(out["heads"].([]any)) != 1 || out["service"] != "test" {
		t.Errorf("heads %v", out)
	}
	// Somebody changes what is on record.
	c := must(h.db.Collection(t.Context(), store.Spec{Name: "Audit", Ordered: []string{"at"}}))
	for doc, err := range c.Find(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Replace(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
		break
	}
	h.ask("olga", "POST /audit/verify", "")
	out := h.until("GET /audit", "state", Broken)
	if b := out["broken"].(map[string]any); b["number"] != 1.0 || b["what"] == "" || b["chain"] == "" {
		t.Errorf("broken: %v", b)
	}
}

func TestBackupsAndPeople(t *testing.T) {
	t.Parallel()
	h := open(t)
	if _, out := h.ask("olga", "GET /backup", ""); len(out) != 1 || out["last"] != nil {
		t.Errorf("never: %v", out)
	}
	h.last = Backup{At: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), By: "root", Size: 7, Documents: 3}
	if _, out := h.ask("olga", "GET /backup", ""); out["last"].(map[string]any)["at"] != "2026-11-01T12:00:00Z" {
		t.Errorf("one: %v", out)
	}
	if _, out := h.ask("olga", "GET /people", ""); len(out["data"].([]any)) != 1 {
		t.Errorf("people: %v", out)
	}
	h.give = func(string) error { return store.ErrNotFound }
	if status, out := h.ask("olga", "POST /people", `{"email":"x@example.com"}`); status != 400 || !strings.Contains(out["details"].(string), "signs up first") {
		t.Errorf("nobody: %d %v", status, out)
	}
	if status, _ := h.ask("olga", "DELETE /people/olga", ""); status != 400 {
		t.Errorf("oneself: %d", status)
	}
}

// TestATaskEndsWithTheProcess would fail if what goes on in the background held
// up the end, or a second request began it twice.
func TestATaskEndsWithTheProcess(t *testing.T) {
	t.Parallel()
	b := background{stop: make(chan struct{}), now: time.Now}
	var one task
	began, count := make(chan struct{}), 0
	wait := func(ctx context.Context) error {
		count++
		close(began)
		<-ctx.Done()
		return ctx.Err()
	}
	gone, cancel := context.WithCancel(t.Context())
	b.start(gone, &one, wait)
	<-began
	cancel() // who asked goes away; it goes on
	b.start(t.Context(), &one, wait)
	if b.look(&one).State != Running || count != 1 {
		t.Errorf("%+v, begun %d times", b.look(&one), count)
	}
	b.close()
	if got := b.look(&one); got.State != Stopped || got.Ended.IsZero() {
		t.Errorf("at the end: %+v", got)
	}
	b.start(t.Context(), &one, func(context.Context) error { return errors.New("too late") })
	if count != 1 {
		t.Error("begun after the end")
	}
}
