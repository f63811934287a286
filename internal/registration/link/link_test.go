package link_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/audit"
	"ccms/internal/clocktest"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/registration/link"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
	"ccms/internal/vault"
)

var errDisk = errors.New("disk of host-7 is gone")

// Who asks: "firm mode client scope".
const (
	acme       = "firm_ACME test client_1 cards:register"
	acmeLive   = "firm_ACME live client_2 cards:register"
	acmeMember = "firm_ACME - member cards:register"
	other      = "firm_OTHER test client_3 cards:register"
)

// world is the links on a real store, with clients and registrations made up.
type world struct {
	t       testing.TB
	db      *storetest.Fault
	service *link.Service
	mux     *httpserver.Mux

	mu         sync.Mutex
	clock      *clocktest.Clock
	clients    map[string]link.Client
	registered map[string]int // how often, by id
	made       int            // ids
	unknown    error          // of Client
}

func newWorld(t testing.TB) *world {
	t.Helper()
	lists := func(firm, mode string) link.Client {
		return link.Client{FirmID: firm, Mode: mode, Active: true, ReturnURLs: []string{"https://shop.example/back?x=1"}, Origins: []string{"https://shop.example"}}
	}
	w := &world{
		t: t, db: storetest.NewFault(storetest.New(t)), clock: clocktest.At(time.Now()), registered: map[string]int{},
		clients: map[string]link.Client{
			"client_1": lists("firm_ACME", "test"), "client_2": lists("firm_ACME", "live"), "client_3": lists("firm_OTHER", "test"),
		},
	}
	record, err := audit.Open(t.Context(), audit.Config{DB: w.db, Key: secret.New([]byte(strings.Repeat("k", 32))), Now: w.clock.Now})
	must(t, err)
	w.service, err = link.New(t.Context(), link.Config{
		DB: w.db, Audit: record, Require: require, Client: w.client, Registered: w.isRegistered, NewID: w.newID,
		PublicURL: "https://ccms.example", Log: slog.New(slog.DiscardHandler), Now: w.clock.Now,
	})
	must(t, err)
	w.mux = httpserver.NewMux(slog.New(slog.DiscardHandler))
	w.service.Routes(w.mux)
	return w
}

func (w *world) newID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made++
	return fmt.Sprint("registration-", w.made)
}

func (w *world) client(_ context.Context, id string) (link.Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clients[id], w.unknown
}

func (w *world) isRegistered(_ context.Context, s link.Submission) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return s.FirmID == "firm_ACME" && s.Mode == "test" && w.registered[s.RegistrationID] > 0, nil
}

// register makes a registration, as package registration would.
func (w *world) register(_ context.Context, s link.Submission) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.registered[s.RegistrationID]++
	return nil
}

func (w *world) registrations() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, times := range w.registered {
		n += times
	}
	return n
}

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

type answer struct {
	status int
	header http.Header
	body   string
}

func (w *world) do(as, method, path, body string) answer {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+as)
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	b, _ := io.ReadAll(rec.Result().Body)
	return answer{rec.Code, rec.Header(), string(b)}
}

type created struct {
	ID        string    `json:"id"`
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (c created) secret() string { return c.URL[strings.LastIndexByte(c.URL, '/')+1:] }

func (w *world) create(as, body string) created {
	w.t.Helper()
	a := w.do(as, "POST", "/v1/links", body)
	want(w.t, a, 201, "")
	return decode[created](w.t, a)
}

type object struct {
	ID             string    `json:"id"`
	Mode           string    `json:"mode"`
	Environment    string    `json:"environment"`
	Status         string    `json:"status"`
	ClientID       string    `json:"client_id"`
	Reference      string    `json:"reference"`
	ReturnURL      string    `json:"return_url"`
	Origin         string    `json:"origin"`
	RegistrationID string    `json:"registration_id"`
	CreatedAt      time.Time `json:"created_at"`
	ExpiresAt      time.Time `json:"expires_at"`
}

func (w *world) list(as, query string) []object {
	w.t.Helper()
	a := w.do(as, "GET", "/v1/links"+query, "")
	want(w.t, a, 200, "")
	return decode[struct {
		Data []object `json:"data"`
		Next *string  `json:"next_cursor"`
	}](w.t, a).Data
}

func decode[T any](t testing.TB, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(a.body), &v, json.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return v
}

func want(t testing.TB, a answer, status int, code string) {
	t.Helper()
	if a.status != status || code != "" && !strings.Contains(a.body, `"errorCode":"`+code+`"`) {
		t.Fatalf("got %d %s, want %d %s", a.status, a.body, status, code)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// code is the errorCode of an error.
func code(err error) string {
	if err == nil {
		return ""
	}
	return problem.From(err).Code
}

const plainLink = `{"mode":"link"}`

func TestALinkIsMadeAndSaysWhatItIsFor(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		as, body string
		want     link.View
		life     time.Duration
	}{
		{acme, plainLink, link.View{ClientID: "client_1", Mode: "test", Kind: link.Link}, 24 * time.Hour},
		{acme, `{"mode":"redirect","reference":"order 7","return_url":"https://shop.example/back?x=1"}`,
			link.View{ClientID: "client_1", Mode: "test", Kind: link.Redirect, Reference: "order 7", ReturnURL: "https://shop.example/back?x=1"}, 30 * time.Minute},
		{acmeLive, `{"mode":"embed","origin":"https://shop.example","expires_in":60}`,
			link.View{ClientID: "client_2", Mode: "live", Kind: link.Embed, Origin: "https://shop.example"}, time.Minute},
		{acmeMember, `{"mode":"link","client_id":"client_2"}`, link.View{ClientID: "client_2", Mode: "live", Kind: link.Link}, 24 * time.Hour},
		{acme, `{"mode":"link","client_id":"client_1","expires_in":1}`, link.View{ClientID: "client_1", Mode: "test", Kind: link.Link}, time.Second},
	} {
		a := w.do(tt.as, "POST", "/v1/links", tt.body)
		want(t, a, 201, "")
		c := decode[created](t, a)
		if !strings.HasPrefix(c.URL, "https://ccms.example/card/") || !strings.HasPrefix(c.ID, "link_") || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("got %+v", c)
		}
		if b, err := base64.RawURLEncoding.DecodeString(c.secret()); err != nil || len(b) != 32 {
			t.Errorf("the secret has %d bytes, %v", len(b), err)
		}
		got, err := w.service.Open(t.Context(), c.secret())
		must(t, err)
		tt.want.ID, tt.want.FirmID, tt.want.State = c.ID, "firm_ACME", link.Ready
		tt.want.ExpiresAt = got.ExpiresAt
		if got != tt.want || !c.ExpiresAt.Equal(got.ExpiresAt) || c.ExpiresAt.Sub(w.clock.Now()).Round(time.Second) != tt.life {
			t.Errorf("%s: got %+v and %+v, want %+v for %s", tt.body, got, c, tt.want, tt.life)
		}
	}
}

func TestAWrongLinkIsRefused(t *testing.T) {
	w := newWorld(t)
	w.clients["client_4"] = link.Client{FirmID: "firm_ACME", Mode: "test"}
	for _, tt := range []struct{ as, body string }{
		{acme, `{}`}, {acme, `{"mode":""}`}, {acme, `{"mode":"Link"}`}, {acme, `{"mode":7}`}, {acme, `{"mode":"link","more":1}`}, {acme, `[]`}, {acme, ``},
		{acme, `{"mode":"redirect"}`},
		{acme, `{"mode":"embed"}`},
		{acme, `{"mode":"embed","origin":"https://evil.example"}`},
		{acme, `{"mode":"embed","origin":"https://shop.example/"}`},
		{acme, `{"mode":"embed","origin":"https://SHOP.example"}`},
		{acme, `{"mode":"redirect","return_url":"https://shop.example/back"}`},
		{acme, `{"mode":"redirect","return_url":"https://shop.example/back?x=1&y"}`},
		{acme, `{"mode":"redirect","return_url":["https://shop.example/back?x=1"]}`},
		{acme, `{"mode":"link","return_url":"https://evil.example"}`},
		{acme, `{"mode":"link","expires_in":0}`}, {acme, `{"mode":"link","expires_in":-1}`}, {acme, `{"mode":"link","expires_in":86401}`},
		{acme, `{"mode":"redirect","return_url":"https://shop.example/back?x=1","expires_in":1801}`}, {acme, `{"mode":"link","expires_in":"60"}`}, {acme, `{"mode":"link","expires_in":1.5}`},
		{acme, `{"mode":"link","expires_in":9223372036854775807}`},
		{acme, `{"mode":"link","reference":"` + strings.Repeat("x", 256) + `"}`}, {acme, `{"mode":"link","reference":"a\u0000"}`},
		{acme, `{"mode":"link","reference":"4111 1111 1111 1111"}`}, {acme, `{"mode":"link","reference":7}`},
		{acme, `{"mode":"link","client_id":"client_2"}`},
		{acmeMember, plainLink},
		{acmeMember, `{"mode":"link","client_id":"client_3"}`}, // another firm's
		{acmeMember, `{"mode":"link","client_id":"client_9"}`}, // nobody's
		{acmeMember, `{"mode":"link","client_id":"client_4"}`}, // revoked
		{"firm_ACME live member cards:register", `{"mode":"link","client_id":"client_1"}`},
	} {
		a := w.do(tt.as, "POST", "/v1/links", tt.body)
		want(t, a, 400, "VALIDATION_ERROR")
		if strings.Contains(a.body, "4111") || strings.Contains(a.body, "evil") {
			t.Errorf("the answer repeats the request: %s", a.body)
		}
	}
	if got := w.list(acmeMember, ""); len(got) != 0 {
		t.Errorf("listed: %+v", got)
	}
	for _, method := range []string{"POST", "GET"} {
		want(t, w.do("firm_ACME test client_1 cards:read", method, "/v1/links", plainLink), 403, "FORBIDDEN")
		want(t, w.do("", method, "/v1/links", plainLink), 401, "UNAUTHORIZED")
	}
}

func TestOpeningALinkUsesNothingUp(t *testing.T) {
	w := newWorld(t)
	c := w.create(acme, plainLink)
	for range 3 {
		v, err := w.service.Open(t.Context(), c.secret())
		must(t, err)
		if v.State != link.Ready || v.RegistrationID != "" {
			t.Errorf("got %+v", v)
		}
	}
	must(t, w.service.Submit(t.Context(), c.secret(), w.register))
	v, err := w.service.Open(t.Context(), c.secret())
	must(t, err)
	if v.State != link.Used || v.RegistrationID != "registration-1" {
		t.Errorf("got %+v", v)
	}
	if err := w.service.Submit(t.Context(), c.secret(), w.register); code(err) != "LINK_USED" {
		t.Errorf("got %v", err)
	}
	if got := w.list(acme, "?status=used"); len(got) != 1 || got[0].RegistrationID != "registration-1" {
		t.Errorf("listed: %+v", got)
	}
}

func TestALinkIsUsedOnceHoweverManySubmitIt(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		before := w.registrations()
		c := w.create(acme, plainLink)
		results := make([]string, 32)
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() { results[i] = code(w.service.Submit(t.Context(), c.secret(), w.register)) })
		}
		wg.Wait()
		succeeded := 0
		for _, r := range results {
			switch r {
			case "":
				succeeded++
			case "LINK_USED", "LINK_IN_USE":
			default:
				t.Errorf("got %s", r)
			}
		}
		if succeeded != 1 || w.registrations() != before+1 {
			t.Errorf("%d submissions succeeded, %d registrations were made", succeeded, w.registrations()-before)
		}
	}
}

func TestARefusedSubmissionLeavesTheLinkOpen(t *testing.T) {
	w := newWorld(t)
	c := w.create(acme, plainLink)
	refuse := func(context.Context, link.Submission) error { return problem.Validation("The card has expired.") }
	for range 3 {
		if err := w.service.Submit(t.Context(), c.secret(), refuse); code(err) != "VALIDATION_ERROR" {
			t.Errorf("got %v", err)
		}
	}
	must(t, w.service.Submit(t.Context(), c.secret(), func(ctx context.Context, s link.Submission) error {
		if s.RegistrationID != "registration-4" || s.FirmID != "firm_ACME" || s.Mode != "test" {
			t.Errorf("got %+v", s)
		}
		return w.register(ctx, s)
	}))
}

func TestAFailureOfWhichNobodyKnowsHowFarItCameKeepsItsID(t *testing.T) {
	w := newWorld(t)
	c := w.create(acme, plainLink)
	var ids []string
	lost := func(_ context.Context, s link.Submission) error {
		ids = append(ids, s.RegistrationID)
		return problem.TimedOut(errDisk)
	}
	for range 2 {
		if err := w.service.Submit(t.Context(), c.secret(), lost); code(err) != "TIMEOUT" {
			t.Errorf("got %v", err)
		}
	}
	if len(ids) != 2 || ids[0] != ids[1] {
		t.Errorf("ids %q", ids)
	}
	must(t, w.register(t.Context(), link.Submission{RegistrationID: ids[0]})) // it came that far
	if err := w.service.Submit(t.Context(), c.secret(), w.register); code(err) != "LINK_USED" || w.registrations() != 1 {
		t.Errorf("got %v, %d registrations", err, w.registrations())
	}
}

func TestACrashBetweenTheRegistrationAndItsNoteIsSettled(t *testing.T) {
	w := newWorld(t)
	c := w.create(acme, plainLink)
	w.db.Add(storetest.Rule{Collection: "Link", Op: storetest.Replace, Skip: 1, Times: 1, Err: errDisk}) // the claim passes
	must(t, w.service.Submit(t.Context(), c.secret(), w.register))
	if err := w.service.Submit(t.Context(), c.secret(), w.register); code(err) != "LINK_IN_USE" || problem.From(err).RetryAfter == 0 {
		t.Errorf("while the lease runs: %v", err)
	}
	w.clock.Advance(31 * time.Second)
	v, err := w.service.Open(t.Context(), c.secret())
	must(t, err)
	if v.State != link.Used || v.RegistrationID != "registration-1" {
		t.Errorf("got %+v", v)
	}
	if err := w.service.Submit(t.Context(), c.secret(), w.register); code(err) != "LINK_USED" || w.registrations() != 1 {
		t.Errorf("got %v, %d registrations", err, w.registrations())
	}
}

func TestACrashBeforeTheRegistrationFreesTheLink(t *testing.T) {
	w := newWorld(t)
	c := w.create(acme, plainLink)
	w.db.Add(storetest.Rule{Collection: "Link", Op: storetest.Replace, Skip: 1, Times: 1, Err: errDisk})
	died := func(context.Context, link.Submission) error { return errDisk }
	if err := w.service.Submit(t.Context(), c.secret(), died); !errors.Is(err, errDisk) {
		t.Errorf("got %v", err)
	}
	w.clock.Advance(31 * time.Second)
	must(t, w.service.Submit(t.Context(), c.secret(), func(ctx context.Context, s link.Submission) error {
		if s.RegistrationID != "registration-1" {
			t.Errorf("another id: %s", s.RegistrationID)
		}
		return w.register(ctx, s)
	}))
}

func TestALinkEnds(t *testing.T) {
	w := newWorld(t)
	expiring, gone := w.create(acme, `{"mode":"link","expires_in":60}`), w.create(acme, plainLink)
	want(t, w.do(acmeMember, "DELETE", "/v1/links/"+gone.ID, ""), 200, "")
	want(t, w.do(acmeMember, "DELETE", "/v1/links/"+gone.ID, ""), 200, "")
	w.clock.Advance(59 * time.Second)
	if v, err := w.service.Open(t.Context(), expiring.secret()); err != nil || v.State != link.Ready {
		t.Errorf("got %+v, %v", v, err)
	}
	w.clock.Advance(time.Second)
	for _, tt := range []struct {
		link  created
		state link.State
		code  string
	}{{expiring, link.Expired, "LINK_EXPIRED"}, {gone, link.Revoked, "LINK_REVOKED"}} {
		v, err := w.service.Open(t.Context(), tt.link.secret())
		must(t, err)
		if v.State != tt.state {
			t.Errorf("got %+v, want %s", v, tt.state)
		}
		if err := w.service.Submit(t.Context(), tt.link.secret(), w.register); code(err) != tt.code {
			t.Errorf("got %v, want %s", err, tt.code)
		}
		if got := w.list(acme, "?status="+string(tt.state)); len(got) != 1 || got[0].ID != tt.link.ID {
			t.Errorf("listed as %s: %+v", tt.state, got)
		}
	}
	if w.registrations() != 0 {
		t.Error("a link that had ended was used")
	}
}

func TestWhatIsNoLinkIsNotFound(t *testing.T) {
	w := newWorld(t)
	c := w.create(acme, plainLink)
	flipped := []byte(c.secret())
	flipped[0] ^= 1
	for _, text := range []string{"", "x", string(flipped), c.secret() + "A", c.secret()[1:], c.secret() + "=", c.secret() + "\n", c.ID, strings.Repeat("A", 43), strings.Repeat("A", 1<<16)} {
		if _, err := w.service.Open(t.Context(), text); code(err) != "NOT_FOUND" {
			t.Errorf("%.50q: %v", text, err)
		}
		if err := w.service.Submit(t.Context(), text, w.register); code(err) != "NOT_FOUND" {
			t.Errorf("%.50q: %v", text, err)
		}
	}
	for _, as := range []string{other, acmeLive} {
		for _, id := range []string{c.ID, "link_x", c.secret()} {
			want(t, w.do(as, "DELETE", "/v1/links/"+id, ""), 404, "NOT_FOUND")
		}
		if got := w.list(as, ""); len(got) != 0 {
			t.Errorf("%s sees %+v", as, got)
		}
	}
	for _, bad := range []string{"?status=x", "?limit=0", "?cursor=x", "?x=1"} {
		want(t, w.do(acme, "GET", "/v1/links"+bad, ""), 400, "VALIDATION_ERROR")
	}
}

func TestALinkDiesWithItsClient(t *testing.T) {
	for name, change := range map[string]func(*link.Client){
		"revoked, or the firm suspended": func(c *link.Client) { c.Active = false },
		"gone":                           func(c *link.Client) { *c = link.Client{} },
		"the return URL taken off":       func(c *link.Client) { c.ReturnURLs = nil },
		"the origin taken off":           func(c *link.Client) { c.Origins = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c := w.create(acme, `{"mode":"redirect","return_url":"https://shop.example/back?x=1","origin":"https://shop.example"}`)
			client := w.clients["client_1"]
			change(&client)
			w.clients["client_1"] = client
			if _, err := w.service.Open(t.Context(), c.secret()); code(err) != "LINK_WITHDRAWN" {
				t.Errorf("got %v", err)
			}
			if err := w.service.Submit(t.Context(), c.secret(), w.register); code(err) != "LINK_WITHDRAWN" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestOfTheSecretOnlyAHashIsStored(t *testing.T) {
	w := newWorld(t)
	c := w.create(acme, plainLink)
	must(t, w.service.Submit(t.Context(), c.secret(), w.register))
	links, err := w.db.Collection(t.Context(), store.Spec{Name: "Link", Unique: []string{"hash"}, Ordered: []string{"listed"}, Expires: "removeAt"})
	must(t, err)
	for d, err := range links.Find(t.Context(), store.Query{}) {
		must(t, err)
		if text := bson.Raw(d.Body).String(); strings.Contains(text, c.secret()) || !strings.Contains(text, "firm_ACME") {
			t.Errorf("stored: %s", text)
		}
	}
}

func TestWithoutARecordNothingHappens(t *testing.T) {
	w := newWorld(t)
	c := w.create(acme, plainLink)
	w.db.Add(storetest.Rule{Collection: "Audit", Op: storetest.Insert, Err: errDisk})
	want(t, w.do(acme, "POST", "/v1/links", plainLink), 503, "DATABASE_ERROR")
	want(t, w.do(acme, "DELETE", "/v1/links/"+c.ID, ""), 503, "DATABASE_ERROR")
	if err := w.service.Submit(t.Context(), c.secret(), w.register); code(err) != "DATABASE_ERROR" {
		t.Errorf("got %v", err)
	}
	w.db.Clear()
	if got := w.list(acme, ""); len(got) != 1 || got[0].Status != "open" || w.registrations() != 0 {
		t.Errorf("listed: %+v", got)
	}
}

func TestFailuresAreTold(t *testing.T) {
	w := newWorld(t)
	c := w.create(acme, plainLink)
	w.db.Add(storetest.Rule{Collection: "Link", Err: errDisk})
	want(t, w.do(acme, "POST", "/v1/links", plainLink), 503, "DATABASE_ERROR")
	want(t, w.do(acme, "GET", "/v1/links", ""), 503, "DATABASE_ERROR")
	want(t, w.do(acme, "DELETE", "/v1/links/"+c.ID, ""), 503, "DATABASE_ERROR")
	if _, err := w.service.Open(t.Context(), c.secret()); code(err) != "DATABASE_ERROR" {
		t.Errorf("got %v", err)
	}
	w.db.Clear()
	w.unknown = problem.ServiceUnavailable(time.Second)
	want(t, w.do(acme, "POST", "/v1/links", plainLink), 503, "SERVICE_UNAVAILABLE")
	if _, err := w.service.Open(t.Context(), c.secret()); code(err) != "SERVICE_UNAVAILABLE" {
		t.Errorf("got %v", err)
	}
}

// FuzzOpen would find a text that opens a link and is not its secret.
func FuzzOpen(f *testing.F) {
	w := newWorld(f)
	c := w.create(acme, plainLink)
	for _, text := range []string{c.secret(), c.secret() + "=", c.secret()[:42], "", vault.NewToken(), strings.Repeat("_", 43)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := w.service.Open(t.Context(), text); (err == nil) != (text == c.secret()) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
