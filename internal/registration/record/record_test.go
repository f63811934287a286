package record

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store/storetest"
)

// desk is the route on a real log; callers say who they are by a header.
type desk struct {
	*testing.T
	mux *httpserver.Mux
	log *audit.Log
}

func newDesk(t *testing.T) desk {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	log, err := audit.Open(t.Context(), audit.Config{DB: storetest.New(t), Key: secret.New(key)})
	if err != nil {
		t.Fatal(err)
	}
	require := func(scope string) httpserver.Authenticate {
		return func(r *http.Request) (identity.Principal, error) {
			p := identity.Principal{FirmID: r.Header.Get("Firm"), ClientID: "client_1", Scope: []string{r.Header.Get("Scope")}}
			if !p.Has(scope) {
				return p, problem.Denied("Use a client with the scope.")
			}
			return p, nil
		}
	}
	d := desk{t, httpserver.NewMux(slog.New(slog.DiscardHandler)), log}
	New(Config{Audit: log, Require: require}).Routes(d.mux)
	return d
}

func (d desk) note(firm, object string) {
	d.Helper()
	if err := d.log.Note(d.Context(), audit.Entry{Act: "card.reveal", Actor: "client_1", Object: object, Owner: firm, From: "192.0.2.1", Reason: "dispute", Request: "r1"}, audit.Refused); err != nil {
		d.Fatal(err)
	}
}

// get asks as a client of firm, and decodes the answer.
func (d desk) get(firm, query string) (status int, p page) {
	d.Helper()
	r := httptest.NewRequest(http.MethodGet, "/v1/audit?"+query, nil)
	r.Header.Set("Firm", firm)
	r.Header.Set("Scope", identity.ScopeReports)
	w := httptest.NewRecorder()
	d.mux.ServeHTTP(w, r)
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			d.Fatal(err)
		}
	}
	return w.Code, p
}

func TestAFirmReadsItsRecordsAndNoOthers(t *testing.T) {
	d := newDesk(t)
	for _, object := range []string{"tok_1", "tok_2", "tok_3"} {
		d.note("firm_1", object)
		d.note("firm_2", "of another")
	}
	status, p := d.get("firm_1", "limit=2")
	if status != http.StatusOK || len(p.Data) != 2 || p.Next == nil {
		t.Fatalf("%d, %+v", status, p)
	}
	want := audit.Row{
		Time: p.Data[0].Time, Act: "card.reveal", Actor: "client_1", Object: "tok_1", From: "192.0.2.1",
		Result: audit.Refused, Reason: "dispute", Request: "r1", Record: p.Data[0].Record,
	}
	if p.Data[0] != want {
		t.Errorf("%+v", p.Data[0])
	}
	if status, _ := d.get("firm_3", "cursor="+*p.Next); status != http.StatusBadRequest {
		t.Errorf("another firm's cursor: %d", status)
	}
	status, p = d.get("firm_1", "limit=100&cursor="+*p.Next)
	if status != http.StatusOK || len(p.Data) != 2 || p.Next != nil || p.Data[0].Object != "tok_3" {
		t.Fatalf("%d, %+v", status, p)
	}
	if read := p.Data[1]; read.Act != "audit.read" || read.Object != "firm_1" || read.From == "" {
		t.Errorf("that the log was read is not on record: %+v", read)
	}
	if status, p = d.get("firm_3", ""); status != http.StatusOK || p.Data == nil || len(p.Data) != 1 {
		t.Errorf("a firm without records: %d, %+v", status, p)
	}
	if _, p = d.get("firm_1", "to=2020-01-01"); len(p.Data) != 0 {
		t.Errorf("%+v", p)
	}
	if _, p = d.get("firm_1", "from=2020-01-01T00:00:00%2B02:00"); len(p.Data) < 4 {
		t.Errorf("%+v", p)
	}
}

func TestWrongQueriesAreRefused(t *testing.T) {
	d := newDesk(t)
	for _, query := range []string{"limit=0", "limit=101", "limit=x", "from=yesterday", "to=", "cursor=x", "firm=firm_2", "limit=1&limit=2", "cursor=" + url.QueryEscape("\x00")} {
		if status, _ := d.get("firm_1", query); status != http.StatusBadRequest {
			t.Errorf("%s: %d", query, status)
		}
	}
}

func TestWithoutTheScopeNothingIsRead(t *testing.T) {
	d := newDesk(t)
	w := httptest.NewRecorder()
	d.mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/audit", nil))
	if w.Code != http.StatusForbidden {
		t.Errorf("%d", w.Code)
	}
}
