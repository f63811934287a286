package report_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
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
	"ccms/internal/registration/ledger"
	"ccms/internal/registration/report"
	"ccms/internal/registration/verification"
	"ccms/internal/store/storetest"
	"ccms/internal/tenant"
)

var noon = time.Date(2026, 5, 10, 12, 0, 0, 0, time.UTC)

// notes is an audit log that only counts.
type notes struct {
	n   int
	err error
}

func (n *notes) Note(context.Context, audit.Entry, string) error {
	n.n++
	return n.err
}

type during = func(ctx context.Context, p ledger.Period, now time.Time) iter.Seq2[ledger.Row, error]

func newMux(found during, log *notes) *httpserver.Mux {
	guard := tenant.New(tenant.Config{Authenticate: func(r *http.Request) (identity.Principal, error) {
		words := strings.Fields(httpserver.Bearer(r))
		if len(words) != 3 {
			return identity.Principal{}, problem.NoToken()
		}
		return identity.Principal{FirmID: words[0], ClientID: "client", Mode: words[1], Scope: []string{words[2]}}, nil
	}})
	mux := httpserver.NewMux(slog.New(slog.DiscardHandler))
	report.New(report.Config{During: found, Audit: log, Require: guard.Require, Now: func() time.Time { return noon }}).Routes(mux)
	return mux
}

const acme = "firm_a test reports:read"

func get(t testing.TB, h http.Handler, as, query string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/reports/registrations?"+query, http.NoBody)
	r.Header.Set("Authorization", "Bearer "+as)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// filled is a ledger with a registration every hour from ten days ago on, of two
// brands, and as many of another firm and of live mode.
func filled(t testing.TB) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), storetest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 240 {
		r := ledger.Registration{
			Actor: "client", Status: verification.Verified, Token: "tok_x", Brand: "Visa", BIN: "411111", Last4: "1111",
			ExpiryMonth: 1, ExpiryYear: 2040, CVVStatus: "unchecked", Reference: fmt.Sprintf("=order %d", i),
		}
		if i%3 == 0 {
			r.Status, r.Reason, r.Brand = verification.Rejected, "declined", "Mastercard"
		}
		at := noon.Add(time.Duration(i-240) * time.Hour)
		for _, k := range []ledger.Key{{Firm: "firm_a", Mode: "test"}, {Firm: "firm_a", Mode: "live"}, {Firm: "firm_b", Mode: "test"}, {Firm: "firm", Mode: "test"}} {
			k.ID = ledger.NewID(at)
			group.Go(func() {
				if err := l.Insert(t.Context(), k, r); err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	return l
}

type row struct {
	ID        string    `json:"registration_id"`
	Mode      string    `json:"mode"`
	Status    string    `json:"status"`
	Reason    string    `json:"reason"`
	Brand     string    `json:"brand"`
	CreatedAt time.Time `json:"created_at"`
}

// TestEveryFormatHoldsTheSame compares the three formats with each other and
// with what the period holds.
func TestEveryFormatHoldsTheSame(t *testing.T) {
	mux := newMux(filled(t).During, &notes{})
	for query, want := range map[string]int{
		"": 240, "from=2026-05-05&to=2026-05-06": 24, "from=2026-05-05T06:30:00Z&to=2026-05-05T08:30:00Z": 2, "to=2026-05-01": 12, "from=2026-05-10T11:00:00Z": 1, "mode=live": 0,
	} {
		a := get(t, mux, acme, query)
		var list struct {
			Data []row `json:"data"`
		}
		if err := json.Unmarshal(a.Body.Bytes(), &list); err != nil || a.Code != 200 || len(list.Data) != want {
			t.Fatalf("%s: %d with %d rows, want %d: %v", query, a.Code, len(list.Data), want, err)
		}
		if !slices.IsSortedFunc(list.Data, func(a, b row) int { return a.CreatedAt.Compare(b.CreatedAt) }) {
			t.Errorf("%s: not in order of time", query)
		}
		lines := strings.Split(strings.TrimSuffix(get(t, mux, acme, query+"&format=ndjson").Body.String(), "\n"), "\n")
		cells, err := csv.NewReader(get(t, mux, acme, query+"&format=csv").Body).ReadAll()
		if err != nil || len(cells) != want+1 || want > 0 && len(lines) != want {
			t.Fatalf("%s: %d lines and %d rows of cells, want %d: %v", query, len(lines), len(cells), want, err)
		}
		for i, r := range list.Data {
			var one row
			if err := json.Unmarshal([]byte(lines[i]), &one); err != nil || one != r || cells[i+1][0] != r.ID || cells[i+1][2] != r.Status {
				t.Errorf("row %d differs: %v %v %q", i, r, one, cells[i+1])
			}
			if r.Mode != "test" {
				t.Errorf("a row of %s", r.Mode)
			}
		}
	}
}

func TestCounts(t *testing.T) {
	log := &notes{}
	mux := newMux(filled(t).During, log)
	period := "from=2026-05-05&to=2026-05-07"
	for query, want := range map[string]string{
		"&group=day":                      `{"data":[{"day":"2026-05-05","count":24},{"day":"2026-05-06","count":24}]}` + "\n",
		"&group=brand":                    `{"data":[{"brand":"Mastercard","count":16},{"brand":"Visa","count":32}]}` + "\n",
		"&group=reason,status":            `{"data":[{"reason":"","status":"verified","count":32},{"reason":"declined","status":"rejected","count":16}]}` + "\n",
		"&group=status&format=csv":        "\"status\",\"count\"\r\n\"rejected\",\"16\"\r\n\"verified\",\"32\"\r\n",
		"&group=day&format=ndjson":        `{"day":"2026-05-05","count":24}` + "\n" + `{"day":"2026-05-06","count":24}` + "\n",
		"&group=status&mode=live":         `{"data":[]}` + "\n",
		"&group=day&format=csv&mode=live": "\"day\",\"count\"\r\n",
	} {
		if a := get(t, mux, acme, period+query); a.Code != 200 || a.Body.String() != want {
			t.Errorf("%s: %d %q, want %q", query, a.Code, a.Body, want)
		}
	}
	if log.n != 7 {
		t.Errorf("%d reports on record", log.n)
	}
}

func TestWhatIsRefused(t *testing.T) {
	mux := newMux(filled(t).During, &notes{})
	for _, query := range []string{
		"format=xml", "format=", "group=card", "group=day,day", "group=", "from=yesterday", "to=2026-13-01", "from=1969-01-01", "mode=prod", "mode=",
		"from=2026-05-05&to=2026-05-05", "from=2026-05-06&to=2026-05-05", "from=2027-01-01", "format=csv&format=csv", "limit=5", "card_number=4111111111111111",
	} {
		if a := get(t, mux, acme, query); a.Code != 400 || !strings.Contains(a.Body.String(), "VALIDATION_ERROR") || strings.Contains(a.Body.String(), "4111") {
			t.Errorf("%s: %d %s", query, a.Code, a.Body)
		}
	}
	for as, status := range map[string]int{"": 401, "firm_a test cards:read": 403, acme: 200} {
		if a := get(t, mux, as, ""); a.Code != status {
			t.Errorf("%q: %d", as, a.Code)
		}
	}
	closed := newMux(filled(t).During, &notes{err: problem.Database(errors.New("disk"))})
	if a := get(t, closed, acme, ""); a.Code != 503 {
		t.Errorf("without a record: %d", a.Code)
	}
}

func TestCellsAreNoFormulas(t *testing.T) {
	for reference, want := range map[string]string{
		`=1+1`: `"'=1+1"`, `+1`: `"'+1"`, `-1`: `"'-1"`, `@SUM(A1)`: `"'@SUM(A1)"`, ` =1`: `"' =1"`, "\u00a0=1": "\"'\u00a0=1\"",
		"\uff1d1": "\"'\uff1d1\"", "\t=1": "\"'\t=1\"", "\r1": "\"'\r1\"", "a=1": `"a=1"`, `say "=1", then`: `"say ""=1"", then"`, "": `""`, "a;=1": `"a;=1"`, "two\nlines": "\"two\nlines\"",
	} {
		one := func(context.Context, ledger.Period, time.Time) iter.Seq2[ledger.Row, error] {
			return func(yield func(ledger.Row, error) bool) { yield(ledger.Row{Reference: reference}, nil) }
		}
		a := get(t, newMux(one, &notes{}), acme, "format=csv")
		if !strings.Contains(a.Body.String(), `,`+want+`,`) {
			t.Errorf("%q: %q has no %q", reference, a.Body, want)
		}
	}
}

func TestAFailureIsToldOrBreaksOff(t *testing.T) {
	after := func(n int) during {
		return func(context.Context, ledger.Period, time.Time) iter.Seq2[ledger.Row, error] {
			return func(yield func(ledger.Row, error) bool) {
				for range n {
					if !yield(ledger.Row{}, nil) {
						return
					}
				}
				yield(ledger.Row{}, problem.Database(errors.New("disk")))
			}
		}
	}
	for _, query := range []string{"", "group=day", "format=csv"} {
		if a := get(t, newMux(after(0), &notes{}), acme, query); a.Code != 503 {
			t.Errorf("%s: %d %s", query, a.Code, a.Body)
		}
	}
	if a := get(t, newMux(after(3), &notes{}), acme, "group=day"); a.Code != 503 {
		t.Errorf("while counting: %d", a.Code)
	}
	server := httptest.NewServer(newMux(after(5000), &notes{}))
	defer server.Close()
	req, _ := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/v1/reports/registrations?format=csv", http.NoBody)
	req.Header.Set("Authorization", "Bearer "+acme)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Error("a part was taken for the whole")
	}
}

// sink is a client that keeps nothing and watches the memory of the process.
type sink struct {
	header http.Header
	n      int64
	next   int64
	most   uint64
}

func (s *sink) Header() http.Header { return s.header }
func (s *sink) WriteHeader(int)     {}
func (s *sink) Write(b []byte) (int, error) {
	if s.n += int64(len(b)); s.n >= s.next {
		s.next += 8 << 20
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		s.most = max(s.most, m.HeapAlloc)
	}
	return len(b), nil
}

// TestAMillionRowsTakeNoMemory would fail if a report were gathered before it is
// sent.
func TestAMillionRowsTakeNoMemory(t *testing.T) {
	million := func(rows int) during {
		return func(context.Context, ledger.Period, time.Time) iter.Seq2[ledger.Row, error] {
			return func(yield func(ledger.Row, error) bool) {
				r := ledger.Row{ID: "0199f3c2-5a10-7d3e-9c1b-6f0e8a2b4c5d", Status: "verified", Reference: "order", CreatedAt: noon}
				for range rows {
					if !yield(r, nil) {
						return
					}
				}
			}
		}
	}
	for format, rows := range map[string]int{"csv": 1_000_000, "ndjson": 100_000, "json": 100_000} {
		mux := newMux(million(rows), &notes{})
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		s := &sink{header: http.Header{}}
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/reports/registrations?format="+format, http.NoBody)
		r.Header.Set("Authorization", "Bearer "+acme)
		mux.ServeHTTP(s, r)
		if grown := int64(s.most) - int64(before.HeapAlloc); s.n < int64(rows)*100 || grown > 2<<20 {
			t.Errorf("%s: %d bytes sent, the heap grew by %d", format, s.n, grown)
		}
	}
}

func FuzzCells(f *testing.F) {
	f.Add("=1+1", "a")
	f.Fuzz(func(t *testing.T, reference, reason string) {
		one := func(context.Context, ledger.Period, time.Time) iter.Seq2[ledger.Row, error] {
			return func(yield func(ledger.Row, error) bool) {
				yield(ledger.Row{Reference: reference, Reason: reason}, nil)
			}
		}
		cells, err := csv.NewReader(get(t, newMux(one, &notes{}), acme, "format=csv").Body).ReadAll()
		if err != nil || len(cells) != 2 || len(cells[1]) != len(cells[0]) {
			t.Fatalf("%q, %q became %q: %v", reference, reason, cells, err)
		}
		for _, c := range cells[1] {
			if c != "" && strings.ContainsRune("=+-@\t", rune(c[0])) {
				t.Errorf("%q is a formula", c)
			}
		}
	})
}

func FuzzQuery(f *testing.F) {
	f.Add("from=2026-05-01&to=2026-05-02T00:00:00Z&group=day,brand&format=csv&mode=test")
	l, err := ledger.Open(context.Background(), storetest.New(f))
	if err != nil {
		f.Fatal(err)
	}
	mux := newMux(l.During, &notes{})
	f.Fuzz(func(t *testing.T, query string) {
		if _, err := url.ParseQuery(query); err != nil {
			return
		}
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/reports/registrations", http.NoBody)
		r.URL.RawQuery = query
		r.Header.Set("Authorization", "Bearer "+acme)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 {
			t.Errorf("%q: %d", query, w.Code)
		}
	})
}
