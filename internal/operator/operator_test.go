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
	"sync/atomic"
	"testing"
	"testing/synctest"
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
	for end := time.Now().Add(2 * time.Minute); ; <-time.After(time.Millisecond) {
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

// process is one of several that have tasks in one store.
func process(db store.DB, now func() time.Time) *background {
	b := newBackground(Config{
		Record: func(context.Context) (audit.Config, error) { return audit.Config{DB: db}, nil },
		Log:    slog.New(slog.DiscardHandler), Now: now,
	})
	return &b
}

func (b *background) state(t *testing.T) string {
	t.Helper()
	return must(b.look(t.Context(), "test/one")).State
}

// TestATaskEndsWithItsProcess would fail if what goes on in the background held
// up the end, or a second request, here or elsewhere, began it twice.
func TestATaskEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	b, other := process(db, time.Now), process(db, time.Now)
	began, count := make(chan struct{}), 0
	wait := func(ctx context.Context, _ *note) error {
		count++
		close(began)
		<-ctx.Done()
		return ctx.Err()
	}
	begin := func(ctx context.Context, b *background, do func(context.Context, *note) error) {
		t.Helper()
		if err := b.start(ctx, "test/one", do); err != nil {
			t.Fatal(err)
		}
	}
	if got := other.state(t); got != Never {
		t.Errorf("at first %s", got)
	}
	gone, cancel := context.WithCancel(t.Context())
	begin(gone, b, wait)
	<-began
	cancel() // who asked goes away; it goes on
	begin(t.Context(), b, wait)
	begin(t.Context(), other, wait)
	if b.state(t) != Running || other.state(t) != Running || count != 1 {
		t.Errorf("%s, elsewhere %s, begun %d times", b.state(t), other.state(t), count)
	}
	b.close()
	if got := must(other.look(t.Context(), "test/one")); got.State != Stopped || got.Ended.IsZero() {
		t.Errorf("at the end: %+v", got)
	}
	begin(t.Context(), b, wait)
	if count != 1 {
		t.Error("begun after the end")
	}
	begin(t.Context(), other, func(context.Context, *note) error { return nil })
	other.close()
	if got := other.state(t); got != Done {
		t.Errorf("begun again elsewhere: %s", got)
	}
}

// TestATaskOfAProcessThatWasKilledHasStopped would fail if it seemed to go on for
// ever, or could not be begun again, or if one that says nothing new for a while
// counted as dead.
func TestATaskOfAProcessThatWasKilledHasStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := storetest.New(t)
		fault := storetest.NewFault(db)
		killed, other := process(fault, time.Now), process(db, time.Now)
		end := make(chan struct{})
		if err := killed.start(t.Context(), "test/one", func(context.Context, *note) error { <-end; return nil }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if got := other.state(t); got != Running {
			t.Errorf("after ten minutes it is %s", got)
		}
		fault.Add(storetest.Rule{Collection: collection, Err: errors.New("killed")}) // it says nothing any more
		time.Sleep(silence + beat)
		if got := must(other.look(t.Context(), "test/one")); got.State != Stopped || time.Since(got.Ended) < silence {
			t.Errorf("after the end it is %+v", got)
		}
		if err := other.start(t.Context(), "test/one", func(context.Context, *note) error { return nil }); err != nil {
			t.Fatal(err)
		}
		other.work.Wait()
		fault.Clear()
		close(end)
		killed.close() // it was not dead after all, and changes nothing
		if got := must(other.look(t.Context(), "test/one")); got.State != Done || got.Process != other.process {
			t.Errorf("at last it is %+v", got)
		}
	})
}

// moves is how far the keeper of a process is.
type moves struct {
	Keys
	at atomic.Pointer[rotation.Progress]
}

func newMoves() *moves {
	m := &moves{}
	m.at.Store(&rotation.Progress{State: rotation.Idle})
	return m
}

func (m *moves) Progress() rotation.Progress { return *m.at.Load() }

// TestAMoveIsToldByEveryProcess would fail if a move to other keys showed only
// where it happens, or went on for ever when its process was killed.
func TestAMoveIsToldByEveryProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := storetest.New(t)
		record := func(context.Context) (audit.Config, error) { return audit.Config{DB: db}, nil }
		at := newMoves()
		here := New(Config{Service: "test", Keys: at, Record: record})
		there := New(Config{Service: "test", Keys: newMoves(), Record: record})
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go func() { _ = here.Run(ctx) }()
		tells := func(s *Service, want rotation.Progress, elsewhere bool) {
			t.Helper()
			time.Sleep(2 * beat)
			if p, e, err := s.moving(t.Context()); err != nil || p != want || e != elsewhere {
				t.Errorf("it tells %+v, %v, %v, want %+v", p, e, err, want)
			}
		}
		tells(there, rotation.Progress{State: rotation.Idle}, false)
		goesOn := rotation.Progress{Service: "test", Job: rotation.JobRewrap, State: rotation.Running, Values: 9, Passed: 3, Moved: 2}
		at.at.Store(&goesOn)
		tells(there, goesOn, true)
		time.Sleep(10 * time.Minute) // it stands still, and is alive
		tells(there, goesOn, true)
		done := rotation.Progress{Service: "test", Job: rotation.JobRewrap, State: rotation.Done, Values: 9, Passed: 9, Moved: 9}
		failed := done
		failed.Error = "a path of this machine"
		at.at.Store(&failed)
		tells(there, done, false)
		tells(here, done, false)
		waits := rotation.Progress{Service: "test", Job: rotation.JobLookup, State: rotation.Waiting, Values: 9}
		at.at.Store(&waits)
		tells(there, waits, true)
		end()
		synctest.Wait()
		stopped := waits
		stopped.State = rotation.Stopped
		tells(there, stopped, false)

		// Another, killed without a word.
		if err := here.tellMove(t.Context(), rotation.Progress{Job: rotation.JobRewrap, State: rotation.Running, Values: 5}); err != nil {
			t.Fatal(err)
		}
		tells(there, rotation.Progress{Job: rotation.JobRewrap, State: rotation.Running, Values: 5}, true)
		time.Sleep(silence)
		tells(there, rotation.Progress{Job: rotation.JobRewrap, State: rotation.Stopped, Values: 5}, false)
	})
}
