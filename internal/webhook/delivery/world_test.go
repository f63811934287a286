package delivery_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	published "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/logging/logtest"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
	"ccms/internal/tenant"
	"ccms/internal/webhook"
	"ccms/internal/webhook/delivery"
	"ccms/internal/webhook/endpoint"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	acme  = "firm_acme test webhooks:manage"
	other = "firm_other test webhooks:manage"
)

// box seals with a key of its own.
type box struct{ cipher.AEAD }

func newBox(t testing.TB) box {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	must(t, err)
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	must(t, err)
	return box{gcm}
}

func (b box) Seal(_ context.Context, purpose, id string, plaintext []byte) ([]byte, error) {
	return b.AEAD.Seal(nil, nil, plaintext, []byte(purpose+"\n"+id)), nil
}

func (b box) Open(_ context.Context, purpose, id string, sealed []byte) (secret.Bytes, error) {
	plain, err := b.AEAD.Open(nil, nil, sealed, []byte(purpose+"\n"+id))
	return secret.New(plain), err
}

// world is the webhooks of the card service on a real store, calling real
// servers. Only who sends a request is made up.
type world struct {
	t         testing.TB
	db        store.DB
	box       box
	key       secret.Bytes
	cfg       delivery.Config
	happened  delivery.Happened // asked about cards, if set
	tell      func(context.Context, endpoint.Notice) error
	endpoints *endpoint.Service
	service   *delivery.Service
	mux       *httpserver.Mux
	logged    *logtest.Buffer
	now       func() time.Time
}

func newWorld(t testing.TB, change ...func(*world)) *world {
	t.Helper()
	w := &world{t: t, box: newBox(t), key: secret.NewString(rand.Text() + rand.Text()), logged: new(logtest.Buffer), now: time.Now}
	w.cfg = delivery.Config{Poll: 5 * time.Millisecond}
	client := webhook.NewClient(webhook.ClientConfig{AllowPrivate: true, StatusOnly: true, Total: 2 * time.Second})
	t.Cleanup(client.Close)
	w.cfg.Client = client
	for _, c := range change {
		c(w)
	}
	if w.db == nil {
		w.db = storetest.New(t)
	}
	w.open()
	return w
}

// open opens the service as a further process on the same store would.
func (w *world) open() {
	w.t.Helper()
	ctx := w.t.Context()
	logger := slog.New(slog.NewTextHandler(w.logged, nil))
	record, err := audit.Open(ctx, audit.Config{DB: w.db, Key: w.key, Log: logger, Now: w.now})
	must(w.t, err)
	guard := tenant.New(tenant.Config{Authenticate: authenticate})
	w.t.Cleanup(func() { _ = record.Close(context.WithoutCancel(ctx)) })
	parse := webhook.NewClient(webhook.ClientConfig{AllowPrivate: true})
	w.endpoints, err = endpoint.Open(ctx, endpoint.Config{
		DB: w.db, Audit: record, Sealer: w.box, ParseURL: parse.ParseURL, Require: guard.Require, Log: logger, Now: w.now, Tell: w.tell,
	})
	must(w.t, err)
	w.cfg.DB, w.cfg.Endpoints, w.cfg.Audit, w.cfg.Require, w.cfg.Log, w.cfg.Now = w.db, w.endpoints, record, guard.Require, logger, w.now
	w.service, err = delivery.Open(ctx, w.cfg)
	must(w.t, err)
	if w.happened != nil {
		w.service.Ask("card", w.happened)
	}
	w.mux = httpserver.NewMux(logger)
	w.endpoints.Routes(w.mux)
	w.service.Routes(w.mux)
}

// run delivers until the returned function is called, or the test ends.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	endpoints, service := w.endpoints, w.service // open may replace them meanwhile
	go func() {
		defer close(done)
		var group sync.WaitGroup
		group.Go(func() { _ = endpoints.Run(ctx) })
		_ = service.Run(ctx)
		group.Wait()
	}()
	stop = func() {
		cancel()
		<-done
	}
	w.t.Cleanup(stop)
	return stop
}

// authenticate reads a token as who sends it: "FIRM MODE SCOPE,…".
func authenticate(r *http.Request) (identity.Principal, error) {
	words := strings.Fields(httpserver.Bearer(r))
	if len(words) != 3 {
		return identity.Principal{}, problem.NoToken()
	}
	return identity.Principal{FirmID: words[0], ClientID: "client_of_" + words[0], Mode: words[1], Scope: strings.Split(words[2], ",")}, nil
}

type answer struct {
	status int
	body   string
}

func (w *world) do(as, method, path, body string) answer {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+as)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	return answer{rec.Code, rec.Body.String()}
}

func read[T any](t testing.TB, a answer, status int) (v T) {
	t.Helper()
	if a.status != status {
		t.Fatalf("got %d %s, want %d", a.status, a.body, status)
	}
	if err := json.Unmarshal([]byte(a.body), &v, json.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return v
}

type made struct {
	ID     string   `json:"id"`
	URL    string   `json:"url"`
	Events []string `json:"events"`
	Secret string   `json:"secret"`
}

func (w *world) create(as, url string, events ...string) made {
	w.t.Helper()
	body := map[string]any{"url": url}
	if len(events) > 0 {
		body["events"] = events
	}
	b, err := json.Marshal(body)
	must(w.t, err)
	return read[made](w.t, w.do(as, "POST", "/v1/webhooks", string(b)), 201)
}

type logEntry struct {
	Event    string    `json:"event_id"`
	Type     string    `json:"type"`
	Status   string    `json:"status"`
	Created  time.Time `json:"created_at"`
	Next     time.Time `json:"next_attempt_at"`
	Attempts []struct {
		At       time.Time `json:"at"`
		Duration int64     `json:"duration_ms"`
		Status   int       `json:"status"`
		Failure  string    `json:"failure"`
		Answer   string    `json:"answer"`
	} `json:"attempts"`
}

type logPage struct {
	Data []logEntry `json:"data"`
	Next *string    `json:"next_cursor"`
}

func (w *world) log(as, id, query string) logPage {
	w.t.Helper()
	return read[logPage](w.t, w.do(as, "GET", "/v1/webhooks/"+id+"/deliveries"+query, ""), 200)
}

// event is one that tells of a card of a firm.
func event(firm, eventType string) webhook.Event {
	return webhook.Event{
		ID: webhook.NewEventID(), FirmID: firm, Mode: "test", Type: eventType, Time: time.Now(),
		Data: webhook.Data{Mode: "test", Token: "tok_x", Brand: "Visa", Last4: "1111", Status: "enabled"},
	}
}

// happens announces an event, and sends it.
func (w *world) happens(e webhook.Event) {
	w.t.Helper()
	must(w.t, webhook.Announce(w.service.Announce).Around(w.t.Context(), e, func() error { return nil }))
}

// many has so many events of a firm happen, some at once.
func (w *world) many(n int, firm string) {
	var group sync.WaitGroup
	defer group.Wait()
	places := make(chan struct{}, 64)
	for range n {
		places <- struct{}{}
		group.Go(func() {
			w.happens(event(firm, webhook.CardEnabled))
			<-places
		})
	}
}

// received is what a receiver was sent.
type received struct {
	id     string
	body   string
	header http.Header
}

// receiver is a firm's server.
type receiver struct {
	url string

	mu  sync.Mutex
	all []received
	got chan struct{}
}

func newReceiver(t testing.TB, handle http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{got: make(chan struct{}, 10_000)}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		defer func() { r.got <- struct{}{} }()
		r.mu.Lock()
		r.all = append(r.all, received{req.Header.Get("webhook-id"), string(body), req.Header.Clone()})
		r.mu.Unlock()
		if handle != nil {
			handle(w, req)
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	r.url = server.URL + "/hook"
	return r
}

func (r *receiver) heard() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// await waits until the receiver was called n times more.
func (r *receiver) await(t testing.TB, n int) {
	t.Helper()
	late := time.NewTimer(20 * time.Second)
	defer late.Stop()
	for range n {
		select {
		case <-r.got:
		case <-late.C:
			t.Fatalf("only %d calls came", len(r.heard()))
		}
	}
}

// until waits until ok holds.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-tick.C {
		if ok() {
			return
		}
	}
	t.Fatalf("%s did not come about", what)
}

// verify checks a message with the published library.
func (m received) verify(secrets ...string) error {
	for _, text := range secrets {
		hook, err := published.NewWebhook(text)
		if err != nil {
			return err
		}
		if err := hook.Verify([]byte(m.body), m.header); err != nil {
			return fmt.Errorf("%s: %w", m.header.Get("webhook-signature"), err)
		}
	}
	return nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
